//! Writing protocol buffers, as little of them as spans need.

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

/// Bytes of the length that stands before a message whose end is not known yet: a varint of 21 bits, padded.
const LENGTH: usize = 3;

/// A message under way.
#[derive(Debug, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    #[inline(never)]
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(low(value) | 0x80);
            value >>= 7;
        }
        self.0.push(low(value));
    }

    /// A field of bytes or text.
    #[inline(never)]
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.length(field, value.len());
        self.0.extend_from_slice(value);
    }

    /// The beginning of a field of bytes or of a message that many bytes long.
    #[inline(never)]
    pub(super) fn length(&mut self, field: u32, length: usize) {
        self.tag(field, Wire::Length);
        self.varint(u64::try_from(length).unwrap_or(u64::MAX));
    }

    /// A field of a number.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.tag(field, Wire::Varint);
        self.varint(value);
    }

    /// A field of a number of eight bytes.
    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A field of a number of four bytes.
    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, Wire::Fixed32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Begins a message inside this one, of less than 2 MiB. [`Message::end`] takes what this gives.
    #[inline(never)]
    pub(super) fn begin(&mut self, field: u32) -> usize {
        self.tag(field, Wire::Length);
        self.0.extend_from_slice(&[0; LENGTH]);
        self.0.len()
    }

    /// Ends a message that was begun there.
    #[inline(never)]
    pub(super) fn end(&mut self, begun: usize) {
        let length = u64::try_from(self.0.len().saturating_sub(begun)).unwrap_or(0);
        let place = begun.checked_sub(LENGTH).and_then(|at| self.0.get_mut(at..begun));
        if let Some([first, second, third]) = place {
            (*first, *second, *third) = (low(length) | 0x80, low(length >> 7) | 0x80, low(length >> 14));
        }
    }
}

/// The lowest seven bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes().first().copied().unwrap_or_default() & 0x7f
}
