//! Protocol buffers, as little of them as is needed.

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

/// Bytes of the length that stands before a message whose end is not known yet: a varint of 28 bits, padded.
const LENGTH: usize = 4;

/// A message under way.
#[derive(Debug, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

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
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.length(field, value.len());
        self.0.extend_from_slice(value);
    }

    /// The beginning of a field of bytes or of a message that many bytes long.
    #[inline(never)]
    pub(crate) fn length(&mut self, field: u32, length: usize) {
        self.tag(field, Wire::Length);
        self.varint(u64::try_from(length).unwrap_or(u64::MAX));
    }

    /// A field of a number.
    pub(crate) fn number(&mut self, field: u32, value: u64) {
        self.tag(field, Wire::Varint);
        self.varint(value);
    }

    /// A field of a number of eight bytes.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A field of a number of four bytes.
    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, Wire::Fixed32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Begins a message inside this one, of less than 256 MiB. [`Message::end`] takes what this gives.
    #[inline(never)]
    pub(crate) fn begin(&mut self, field: u32) -> usize {
        self.tag(field, Wire::Length);
        self.0.extend_from_slice(&[0; LENGTH]);
        self.0.len()
    }

    /// Ends a message that was begun there.
    #[inline(never)]
    pub(crate) fn end(&mut self, begun: usize) {
        let length = u64::try_from(self.0.len().saturating_sub(begun)).unwrap_or(0);
        let place = begun.checked_sub(LENGTH).and_then(|at| self.0.get_mut(at..begun));
        for (at, byte) in (0..).zip(place.into_iter().flatten()) {
            let more = if at + 1 < LENGTH { 0x80 } else { 0 };
            *byte = low(length >> (7 * at)) | more;
        }
    }
}

/// The lowest seven bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes().first().copied().unwrap_or_default() & 0x7f
}

/// The value of a field.
#[cfg(feature = "etcd")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A whole number, as its 64 bits.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// Of a form that nothing here reads.
    Other,
}

/// A message that could not be read: it ends too early or is none.
#[cfg(feature = "etcd")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Gives each field of a message to `take`, with its number, in their order.
///
/// # Errors
/// The bytes are no message; some fields may have been given by then.
#[cfg(feature = "etcd")]
#[inline(never)]
pub(crate) fn read<'a>(mut bytes: &'a [u8], take: &mut dyn FnMut(u64, Value<'a>)) -> Result<(), Malformed> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => skip(&mut bytes, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| Malformed)?;
                let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
                bytes = rest;
                Value::Bytes(value)
            }
            5 => skip(&mut bytes, 4)?,
            _ => return Err(Malformed),
        };
        if tag >> 3 == 0 {
            return Err(Malformed);
        }
        take(tag >> 3, value);
    }
    Ok(())
}

#[cfg(feature = "etcd")]
fn skip<'a>(bytes: &mut &'a [u8], count: usize) -> Result<Value<'a>, Malformed> {
    *bytes = bytes.get(count..).ok_or(Malformed)?;
    Ok(Value::Other)
}

#[cfg(feature = "etcd")]
#[inline(never)]
fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or_default();
        if *first < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}
