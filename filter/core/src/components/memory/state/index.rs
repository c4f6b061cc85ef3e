//! The index: how large each bucket is, in one shared value, so that a store's size is known without reading it.
//!
//! It is written after the buckets. A worker that stops between the two leaves an old size behind, which the next
//! change of that bucket's size puts right.

use super::super::wire::{FORMAT, Reader};
use super::bucket::{BUCKETS, Shape};

/// The sizes as they were read.
#[derive(Debug)]
pub(super) struct Index(Vec<Shape>);

impl Index {
    /// Of a store without a usable index, all buckets count as empty until they change.
    pub(super) fn decode(value: Option<&[u8]>) -> Self {
        let mut reader = Reader::new(value.unwrap_or_default());
        let known = reader.array() == Some([FORMAT]);
        let shape = |_| match (known, reader.u32(), reader.u32(), reader.u64()) {
            (true, Some(number), Some(size), Some(next_expiry)) => Shape { number, size, next_expiry },
            _ => Shape::default(),
        };
        Self((0..BUCKETS).map(shape).collect())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + 16 * self.0.len());
        out.push(FORMAT);
        for shape in &self.0 {
            out.extend_from_slice(&shape.number.to_le_bytes());
            out.extend_from_slice(&shape.size.to_le_bytes());
            out.extend_from_slice(&shape.next_expiry.to_le_bytes());
        }
        out
    }

    /// Bytes of all buckets but those.
    pub(super) fn size_without(&self, buckets: &[u8]) -> usize {
        (0..BUCKETS)
            .zip(&self.0)
            .filter(|(number, _)| !buckets.contains(number))
            .map(|(_, shape)| shape.size as usize)
            .sum()
    }

    /// Takes over a bucket's shape; false if it was known or is older than what is known.
    pub(super) fn note(&mut self, bucket: u8, shape: Shape) -> bool {
        let Some(known) = self.0.get_mut(usize::from(bucket)) else {
            return false;
        };
        // The number wraps; "newer" is less than half way round.
        let newer = (1..1 << 31).contains(&shape.number.wrapping_sub(known.number));
        if newer {
            *known = shape;
        }
        newer
    }

    /// Buckets with something expired.
    pub(super) fn expired(&self, now: u64) -> Vec<u8> {
        (0..BUCKETS)
            .zip(&self.0)
            .filter(|(_, shape)| shape.next_expiry != 0 && shape.next_expiry <= now)
            .map(|(number, _)| number)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(number: u32, size: u32) -> Shape {
        Shape { number, size, next_expiry: 0 }
    }

    #[test]
    fn an_older_shape_does_not_replace_a_newer_one() {
        let mut index = Index::decode(None);
        assert!(index.note(3, shape(2, 200)));
        assert!(!index.note(3, shape(1, 100)));
        assert!(!index.note(3, shape(2, 200)));
        assert!(index.note(4, shape(1, 11)));
        let index = Index::decode(Some(&index.encode()));
        assert_eq!(index.size_without(&[]), 211);
        assert_eq!(index.size_without(&[3]), 11);
    }

    #[test]
    fn the_shape_number_may_wrap() {
        let mut index = Index::decode(None);
        assert!(index.note(0, shape(1 << 30, 1)));
        assert!(index.note(0, shape(u32::MAX - (1 << 31) + 2, 2)));
        assert!(index.note(0, shape(u32::MAX, 3)));
        assert!(index.note(0, shape(0, 4)));
        assert!(!index.note(0, shape(u32::MAX, 5)));
        assert_eq!(index.size_without(&[]), 4);
    }
}
