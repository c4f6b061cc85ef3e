//! A bucket: all keys of one hash, in one shared value.
//!
//! `format u8 | lock 16 | shape u32 | next expiry u64 | entries`, each entry
//! `key length u32 | data length u32 | expiry u64 | etag 16 | key | data`. Times are milliseconds since the Unix
//! epoch, 0 for never.

use super::super::wire::{FORMAT, OtherFormat, Reader, length, patch};
use std::ops::Range;

/// How many buckets a store has.
pub(super) const BUCKETS: u8 = 128;

/// Etags and marks of transactions: random, never all zero.
pub(super) type Id = [u8; 16];

const LOCK: usize = 1;
const SHAPE: usize = 17;
const NEXT_EXPIRY: usize = 21;
const ENTRIES: usize = 29;
/// Instead of a data length: the entry removes its key. Only in a journal.
const REMOVED: u32 = u32::MAX;
const NO_LOCK: Id = [0; 16];

/// The bucket of a key (FNV-1a, 32 bits).
pub(super) fn bucket_of(key: &[u8]) -> u8 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    (a ^ b ^ c ^ d) % BUCKETS
}

/// One stored value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a [u8],
    pub(super) data: &'a [u8],
    pub(super) expires: u64,
    pub(super) etag: Id,
}

/// One write whose conditions have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Put(Entry<'a>),
    Remove(&'a [u8]),
}

impl<'a> Change<'a> {
    pub(super) fn key(&self) -> &'a [u8] {
        match self {
            Self::Put(entry) => entry.key,
            Self::Remove(key) => key,
        }
    }

    /// Appends the entry, as it stands in buckets and journals.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&length(self.key()));
        match self {
            Self::Put(entry) => {
                out.reserve(28 + entry.key.len() + entry.data.len());
                out.extend_from_slice(&length(entry.data));
                out.extend_from_slice(&entry.expires.to_le_bytes());
                out.extend_from_slice(&entry.etag);
                out.extend_from_slice(entry.key);
                out.extend_from_slice(entry.data);
            }
            Self::Remove(key) => {
                out.extend_from_slice(&REMOVED.to_le_bytes());
                out.extend_from_slice(&[0; 24]);
                out.extend_from_slice(key);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Option<Self> {
        let key_length = reader.u32()?;
        let data_length = reader.u32()?;
        let expires = reader.u64()?;
        let etag = reader.array()?;
        let key = reader.take(key_length as usize)?;
        if data_length == REMOVED {
            return Some(Self::Remove(key));
        }
        let data = reader.take(data_length as usize)?;
        Some(Self::Put(Entry { key, data, expires, etag }))
    }
}

/// What the index of sizes knows of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Grows with every change of the other two.
    pub(super) number: u32,
    /// Bytes of the whole value.
    pub(super) size: u32,
    /// No entry expires before that.
    pub(super) next_expiry: u64,
}

/// A bucket as it was read, to be looked at or changed.
#[derive(Debug, Clone)]
pub(super) struct Bucket(Vec<u8>);

impl Bucket {
    /// # Errors
    /// [`OtherFormat`] if it is no bucket of this release.
    pub(super) fn decode(value: Option<Vec<u8>>) -> Result<Self, OtherFormat> {
        let Some(bytes) = value else {
            let mut bytes = vec![0; ENTRIES];
            patch(&mut bytes, 0, &[FORMAT]);
            return Ok(Self(bytes));
        };
        if bytes.len() < ENTRIES || bytes.first() != Some(&FORMAT) {
            return Err(OtherFormat);
        }
        Ok(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    fn reader_at(&self, at: usize) -> Reader<'_> {
        Reader::new(self.0.get(at..).unwrap_or_default())
    }

    /// The transaction that has marked the bucket.
    pub(super) fn lock(&self) -> Option<Id> {
        self.reader_at(LOCK).array().filter(|lock| *lock != NO_LOCK)
    }

    pub(super) fn set_lock(&mut self, lock: Option<Id>) {
        patch(&mut self.0, LOCK, &lock.unwrap_or(NO_LOCK));
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            number: self.reader_at(SHAPE).u32().unwrap_or_default(),
            size: u32::try_from(self.0.len()).unwrap_or(u32::MAX),
            next_expiry: self.reader_at(NEXT_EXPIRY).u64().unwrap_or_default(),
        }
    }

    /// Gives the bucket a new shape number if its shape is not `before` any more.
    pub(super) fn renumber(&mut self, before: Shape) -> bool {
        let changed = self.shape() != before;
        if changed {
            patch(&mut self.0, SHAPE, &before.number.wrapping_add(1).to_le_bytes());
        }
        changed
    }

    /// The value of a key that has not expired.
    pub(super) fn find(&self, key: &[u8], now: u64) -> Option<Entry<'_>> {
        self.place(key).map(|(_, entry)| entry).filter(|entry| entry.expires == 0 || entry.expires > now)
    }

    fn place(&self, key: &[u8]) -> Option<(Range<usize>, Entry<'_>)> {
        let mut reader = self.reader_at(ENTRIES);
        loop {
            let start = self.0.len() - reader.left();
            if let Change::Put(entry) = Change::decode(&mut reader)?
                && entry.key == key
            {
                return Some((start..self.0.len() - reader.left(), entry));
            }
        }
    }

    /// Makes one write.
    pub(super) fn apply(&mut self, change: &Change<'_>) {
        if let Some((range, _)) = self.place(change.key()) {
            self.0.drain(range);
        }
        if let Change::Put(entry) = change {
            change.encode(&mut self.0);
            self.expect_expiry(entry.expires);
        }
    }

    fn expect_expiry(&mut self, expires: u64) {
        let next = self.shape().next_expiry;
        if expires != 0 && (next == 0 || expires < next) {
            patch(&mut self.0, NEXT_EXPIRY, &expires.to_le_bytes());
        }
    }

    /// Drops what has expired.
    pub(super) fn drop_expired(&mut self, now: u64) {
        let next = self.shape().next_expiry;
        if next == 0 || next > now {
            return;
        }
        let header = self.0.get(..ENTRIES).unwrap_or_default().to_vec();
        let old = std::mem::replace(&mut self.0, header);
        patch(&mut self.0, NEXT_EXPIRY, &0_u64.to_le_bytes());
        let mut reader = Reader::new(old.get(ENTRIES..).unwrap_or_default());
        while let Some(change) = Change::decode(&mut reader) {
            if let Change::Put(entry) = change
                && (entry.expires == 0 || entry.expires > now)
            {
                change.encode(&mut self.0);
                self.expect_expiry(entry.expires);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put<'a>(key: &'a [u8], data: &'a [u8], expires: u64) -> Change<'a> {
        Change::Put(Entry { key, data, expires, etag: [7; 16] })
    }

    fn fresh() -> Bucket {
        Bucket::decode(None).unwrap()
    }

    #[test]
    fn an_entry_is_replaced_and_removed_among_others() {
        let mut bucket = fresh();
        for key in [b"a", b"b", b"c"] {
            bucket.apply(&put(key, key, 0));
        }
        bucket.apply(&put(b"b", b"longer", 0));
        bucket.apply(&Change::Remove(b"a"));
        bucket.apply(&Change::Remove(b"never there"));
        let data = |key: &[u8]| bucket.find(key, 1).map(|entry| entry.data.to_vec());
        assert_eq!(data(b"a"), None);
        assert_eq!(data(b"b"), Some(b"longer".to_vec()));
        assert_eq!(data(b"c"), Some(b"c".to_vec()));
    }

    #[test]
    fn removing_everything_gives_the_size_of_an_empty_bucket() {
        let mut bucket = fresh();
        let empty = bucket.size();
        bucket.apply(&put(b"k", &[0; 100], 0));
        assert!(bucket.size() > empty + 100);
        bucket.apply(&Change::Remove(b"k"));
        assert_eq!(bucket.size(), empty);
    }

    #[test]
    fn expired_entries_are_not_found_and_then_dropped() {
        let mut bucket = fresh();
        bucket.apply(&put(b"short", b"1", 50));
        bucket.apply(&put(b"long", b"2", 90));
        bucket.apply(&put(b"ever", b"3", 0));
        assert!(bucket.find(b"short", 49).is_some());
        assert!(bucket.find(b"short", 50).is_none());
        let before = bucket.size();
        bucket.drop_expired(49);
        assert_eq!(bucket.size(), before);
        bucket.drop_expired(50);
        assert!(bucket.size() < before);
        assert_eq!(bucket.shape().next_expiry, 90);
        assert!(bucket.find(b"long", 50).is_some() && bucket.find(b"ever", 50).is_some());
    }

    #[test]
    fn the_shape_number_changes_with_the_size_only() {
        let mut bucket = fresh();
        let before = bucket.shape();
        bucket.apply(&put(b"k", b"one", 0));
        assert!(bucket.renumber(before));
        let before = bucket.shape();
        bucket.apply(&put(b"k", b"two", 0));
        assert!(!bucket.renumber(before));
    }

    #[test]
    fn a_lock_is_kept_apart_from_the_entries() {
        let mut bucket = fresh();
        bucket.apply(&put(b"k", b"v", 0));
        assert_eq!(bucket.lock(), None);
        bucket.set_lock(Some([9; 16]));
        let mut read = Bucket::decode(Some(bucket.bytes().to_vec())).unwrap();
        assert_eq!(read.lock(), Some([9; 16]));
        assert!(read.find(b"k", 1).is_some());
        read.set_lock(None);
        assert_eq!(read.lock(), None);
    }

    #[test]
    fn bytes_of_another_format_are_refused() {
        for bytes in [vec![], vec![FORMAT], vec![FORMAT + 1; 64]] {
            assert!(Bucket::decode(Some(bytes)).is_err());
        }
    }
}
