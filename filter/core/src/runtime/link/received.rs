//! The bytes that have come and wait to be decoded.

/// Room for received bytes that is kept between replies.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes from the backend that belong to no reply yet.
#[derive(Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    /// How much of the front has been decoded; dropped once per data event.
    used: usize,
    /// Decoding is useless before this many bytes follow `used`.
    needed: usize,
}

impl Received {
    /// The bytes to decode, unless they are known to be too few.
    pub(super) fn ready(&self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.used..)?;
        (!rest.is_empty() && rest.len() >= self.needed).then_some(rest)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// That many bytes of the front were decoded.
    pub(super) fn decoded(&mut self, count: usize) {
        self.used += count;
        self.needed = 0;
    }

    /// Decoding is useless before that many bytes are ready.
    pub(super) fn wait_for(&mut self, needed: usize) {
        self.needed = needed;
    }

    /// Gives back the room of what was decoded.
    pub(super) fn drop_used(&mut self) {
        self.bytes.drain(..self.used.min(self.bytes.len()));
        self.used = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
    }
}
