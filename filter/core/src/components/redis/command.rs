//! Commands for Redis, as bytes.

/// One command under construction, in the form `*<arguments>\r\n$<length>\r\n<bytes>\r\n…`.
pub(crate) struct Command {
    bytes: Vec<u8>,
    /// Arguments that were announced and not given yet.
    left: usize,
}

impl Command {
    /// A command of that many arguments, its name included. `size` is a guess of its bytes in all.
    pub(crate) fn new(arguments: usize, size: usize) -> Self {
        let mut bytes = Vec::with_capacity(size + 16 * arguments);
        push_header(&mut bytes, b'*', arguments);
        Self { bytes, left: arguments }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, value: &[u8]) -> Self {
        self.add(value);
        self
    }

    /// Adds a number.
    pub(crate) fn number(mut self, value: u64) -> Self {
        self.add_number(value);
        self
    }

    /// Adds an argument.
    pub(crate) fn add(&mut self, value: &[u8]) {
        push_header(&mut self.bytes, b'$', value.len());
        self.bytes.extend_from_slice(value);
        self.end_argument();
    }

    /// Adds a number.
    pub(crate) fn add_number(&mut self, value: u64) {
        push_header(&mut self.bytes, b'$', decimals(value));
        push_decimal(&mut self.bytes, value);
        self.end_argument();
    }

    /// Adds `<first>-<second>`, the form of a stream entry's id.
    pub(crate) fn add_pair(&mut self, first: u64, second: u64) {
        push_header(&mut self.bytes, b'$', decimals(first) + 1 + decimals(second));
        push_decimal(&mut self.bytes, first);
        self.bytes.push(b'-');
        push_decimal(&mut self.bytes, second);
        self.end_argument();
    }

    fn end_argument(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
        debug_assert!(self.left > 0, "more arguments than announced");
        self.left = self.left.saturating_sub(1);
    }

    /// The bytes to send.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        debug_assert_eq!(self.left, 0, "fewer arguments than announced");
        self.bytes
    }
}

fn push_header(out: &mut Vec<u8>, mark: u8, count: usize) {
    out.push(mark);
    push_decimal(out, count as u64);
    out.extend_from_slice(b"\r\n");
}

fn decimals(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |power| power as usize + 1)
}

fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut command = Command::new(4, 0).arg(b"XACK").arg(b"a\r\nb").number(0);
        command.add_pair(1_700_000_000_123, 10);
        assert_eq!(command.into_bytes(), b"*4\r\n$4\r\nXACK\r\n$4\r\na\r\nb\r\n$1\r\n0\r\n$16\r\n1700000000123-10\r\n");
    }

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            let text = value.to_string();
            let expected = format!("*1\r\n${}\r\n{text}\r\n", text.len());
            assert_eq!(Command::new(1, 0).number(value).into_bytes(), expected.into_bytes());
        }
    }
}
