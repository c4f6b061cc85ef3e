//! gRPC's length-prefixed messages, as far as a link needs them: five bytes before each message, one for compression
//! and four for the length (gRPC over HTTP2, "Length-Prefixed-Message").

/// What is to be done with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The chunk is exactly one message: drop its header, leave the rest alone.
    Header,
    /// Anything else: pass the whole chunk to [`Frames::strip`].
    Parse,
}

/// Removes message headers from a stream of chunks that may be cut anywhere.
#[derive(Debug, Default)]
pub struct Frames {
    /// Bytes of the current message that are still to come.
    left: usize,
    /// The beginning of a header that was cut off by the end of a chunk.
    header: Vec<u8>,
}

impl Frames {
    /// Length of a message header in bytes.
    pub const HEADER: usize = 5;

    /// Looks at the first bytes of a chunk of `size` bytes.
    pub fn whole_frame(&self, head: &[u8], size: usize) -> Cut {
        let at_start = self.left == 0 && self.header.is_empty();
        match length(head) {
            Some(length) if at_start && length.checked_add(Self::HEADER) == Some(size) => Cut::Header,
            _ => Cut::Parse,
        }
    }

    /// Gives the chunk's payload without headers.
    pub fn strip(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(chunk.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.left == 0 {
                let missing = Self::HEADER.saturating_sub(self.header.len()).min(rest.len());
                let (part, after) = rest.split_at(missing);
                self.header.extend_from_slice(part);
                rest = after;
                if let Some(length) = length(&self.header) {
                    self.left = length;
                    self.header.clear();
                }
            } else {
                let (part, after) = rest.split_at(self.left.min(rest.len()));
                payload.extend_from_slice(part);
                self.left -= part.len();
                rest = after;
            }
        }
        payload
    }

    /// The header of a message of that many bytes; `None` above 4 GiB.
    pub fn header(size: usize) -> Option<[u8; Self::HEADER]> {
        let [a, b, c, d] = u32::try_from(size).ok()?.to_be_bytes();
        Some([0, a, b, c, d])
    }
}

fn length(header: &[u8]) -> Option<usize> {
    match header {
        [_, a, b, c, d, ..] => usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().flat_map(|part| [&Frames::header(part.len()).unwrap(), *part].concat()).collect()
    }

    #[test]
    fn one_whole_message_needs_only_its_header_cut() {
        let bytes = framed(&[b"hello"]);
        assert_eq!(Frames::default().whole_frame(&bytes[..5], bytes.len()), Cut::Header);
        assert_eq!(Frames::default().whole_frame(&bytes[..5], bytes.len() + 1), Cut::Parse);
        assert_eq!(Frames::default().whole_frame(&bytes[..4], 4), Cut::Parse);
    }

    #[test]
    fn the_payload_is_the_same_however_the_stream_is_cut() {
        let bytes = framed(&[b"first", b"", b"a longer second message", b"x"]);
        for size in 1..=bytes.len() {
            let mut frames = Frames::default();
            let payload: Vec<u8> = bytes.chunks(size).flat_map(|chunk| frames.strip(chunk)).collect();
            assert_eq!(payload, b"firsta longer second messagex", "chunks of {size}");
        }
    }

    #[test]
    fn a_chunk_in_the_middle_of_a_message_is_never_taken_for_a_whole_one() {
        let mut frames = Frames::default();
        let bytes = framed(&[&framed(&[b"inner"])]);
        frames.strip(&bytes[..5]);
        assert_eq!(frames.whole_frame(&bytes[5..10], bytes.len() - 5), Cut::Parse);
        assert_eq!(frames.strip(&bytes[5..]), framed(&[b"inner"]));
    }
}
