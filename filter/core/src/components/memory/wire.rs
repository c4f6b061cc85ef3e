//! The compact encodings of values in shared memory: little-endian numbers, byte strings after their length.

/// The first byte of every value. Values of another format are refused, never misread: a proxy's memory outlives
/// an update of the module.
pub(super) const FORMAT: u8 = 1;

/// A value in shared memory has another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherFormat;

impl OtherFormat {
    /// What happened and what helps, for the component of that name.
    pub(super) fn reason(self, component: &str) -> String {
        format!("{component}: its memory was written by another release of the module; restart the proxy")
    }
}

/// Reads an encoded value from its beginning. Every method gives `None` at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// The length as it is encoded. Values beyond the components' bounds, far below 4 GiB, are refused before they
/// are written.
pub(super) fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Appends a byte string after its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes));
    out.extend_from_slice(bytes);
}

/// Overwrites a field of fixed size in place.
pub(super) fn patch(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}
