//! Finding where JSON values begin and end (RFC 8259), without building them.
//!
//! A parser that builds values costs a module four times the code, half of it for numbers, which are never
//! computed with here: they stay as they were written.

use super::JsonError;
use std::borrow::Cow;

/// One value, as it was written, without the blanks around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawValue<'a>(&'a str);

impl<'a> RawValue<'a> {
    /// Its text.
    pub fn get(self) -> &'a str {
        self.0
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Shows the members of an object, or the elements of an array without names, until `visit` gives false. Of another
    /// kind of value nothing.
    #[cfg(feature = "blocks")]
    pub(crate) fn each(self, visit: Visit<'_, 'a>) {
        if let Some(open @ (b'{' | b'[')) = self.0.as_bytes().first().copied() {
            // Cannot fail: a value was found to be whole.
            let _ = Scanner::new(self.0).each(open, visit);
        }
    }

    /// A string's characters; borrowed unless they hold escapes. `None` for another kind of value. Half of a surrogate
    /// pair becomes U+FFFD, as in Go.
    #[inline(never)]
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
        let mut out = String::with_capacity(inner.len());
        let mut rest = inner;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            out.push_str(plain);
            let (character, after) = unescape(escaped)?;
            out.push(character);
            rest = after;
        }
        out.push_str(rest);
        Some(Cow::Owned(out))
    }
}

/// The character of an escape whose backslash was read, and what follows.
fn unescape(escaped: &str) -> Option<(char, &str)> {
    let (letter, rest) = escaped.split_at_checked(1)?;
    let character = match letter {
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return unicode(rest),
        other => other.chars().next()?,
    };
    Some((character, rest))
}

fn unicode(digits: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(digits)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some((second @ 0xdc00..0xe000, rest)) = rest.strip_prefix("\\u").and_then(unit)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(code)?, rest));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}

/// Four hexadecimal digits.
fn unit(digits: &str) -> Option<(u32, &str)> {
    let (digits, rest) = digits.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// A place in a text, from which values are read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// Is shown a name, empty for an element of an array, and a value; false if it has seen enough.
pub(super) type Visit<'v, 'a> = &'v mut dyn FnMut(RawValue<'a>, RawValue<'a>) -> bool;

/// What was expected where something else stood.
type Expected = &'static str;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The value that comes next.
    ///
    /// # Errors
    /// There is none; the message has the place.
    pub(super) fn value(&mut self) -> Result<RawValue<'a>, JsonError> {
        self.blanks();
        let start = self.at;
        self.skip().map_err(|expected| self.fault(expected))?;
        Ok(RawValue(self.text.get(start..self.at).unwrap_or_default()))
    }

    /// The members of the object that comes next; of an array the elements, without names.
    ///
    /// # Errors
    /// Neither comes next, or it does not end; the message has the place.
    #[inline(never)]
    pub(super) fn children(&mut self, open: u8) -> Result<Vec<(RawValue<'a>, RawValue<'a>)>, JsonError> {
        let mut children = Vec::new();
        self.each(open, &mut |name, value| {
            children.push((name, value));
            true
        })?;
        Ok(children)
    }

    /// Shows the members of the object that comes next, of an array the elements, until `visit` has seen enough.
    ///
    /// # Errors
    /// Neither comes next, or it does not end; the message has the place.
    #[inline(never)]
    pub(super) fn each(&mut self, open: u8, visit: Visit<'_, 'a>) -> Result<(), JsonError> {
        let close = open + 2;
        self.expect(open, if open == b'{' { "an object" } else { "an array" })?;
        if self.take(close) {
            return Ok(());
        }
        loop {
            let mut name = RawValue("");
            if open == b'{' {
                self.blanks();
                name = match self.peek() {
                    Some(b'"') => self.value()?,
                    _ => return Err(self.fault("a string")),
                };
                self.expect(b':', "`:`")?;
            }
            let value = self.value()?;
            if !visit(name, value) || self.take(close) {
                return Ok(());
            }
            self.expect(b',', after(close))?;
        }
    }

    /// Nothing but blanks may follow.
    ///
    /// # Errors
    /// Something does; the message has the place.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(self.fault("nothing more")) }
    }

    fn expect(&mut self, byte: u8, name: Expected) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(name)) }
    }

    #[inline(never)]
    fn fault(&self, expected: Expected) -> JsonError {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().map_or(0, str::len);
        let what = if self.at == self.text.len() { "the text ends without " } else { "expected " };
        JsonError::at(&[what, expected].concat(), line, column)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        // Every blank is below `!`, and so is nothing that a value begins or ends with.
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.skip_blanks();
        }
    }

    #[inline(never)]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over a byte, and the blanks before it, if it comes next.
    #[inline(never)]
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over a value, without recursion: what is open stands in a list.
    #[inline(never)]
    fn skip(&mut self) -> Result<(), Expected> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.blanks();
            if let Some(bracket @ (b'{' | b'[')) = self.peek() {
                self.at += 1;
                open.push(bracket + 2);
                if !self.take(bracket + 2) {
                    self.name_in(bracket + 2)?;
                    continue;
                }
                open.pop();
            } else {
                self.scalar()?;
            }
            // A value has ended, and perhaps what holds it.
            while let Some(close) = open.last().copied() {
                if self.take(close) {
                    open.pop();
                } else if self.take(b',') {
                    self.name_in(close)?;
                    break;
                } else {
                    return Err(after(close));
                }
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Steps over the name before a member of an object.
    fn name_in(&mut self, close: u8) -> Result<(), Expected> {
        if close != b'}' {
            return Ok(());
        }
        self.blanks();
        if self.peek() != Some(b'"') {
            return Err("a string");
        }
        self.string()?;
        if self.take(b':') { Ok(()) } else { Err("`:`") }
    }

    fn scalar(&mut self) -> Result<(), Expected> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), Expected> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let word = ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word));
        self.at += word.ok_or("a value")?.len();
        Ok(())
    }

    #[inline(never)]
    fn string(&mut self) -> Result<(), Expected> {
        self.at += 1;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err("no control character in a string"),
                None => return Err("`\"`"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Expected> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err("four hexadecimal digits");
                }
                self.at += 5;
            }
            _ => return Err("an escape such as `\\n`"),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Expected> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    #[inline(never)]
    fn digits(&mut self) -> Result<(), Expected> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err("a digit") }
    }
}

/// How many bytes there are before a quote, a backslash or a control character. Eight at a time: an event's text is
/// most of what a worker reads.
#[inline(never)]
fn plain(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<8>();
    let before = 8 * chunks.iter().take_while(|chunk| !has_special(u64::from_le_bytes(**chunk))).count();
    let rest = bytes.get(before..).unwrap_or_default();
    let special = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    before + special.unwrap_or(rest.len())
}

/// Whether one of eight bytes is special. A byte is below `n` if subtracting `n` borrows, and zero if it is below 1.
fn has_special(bytes: u64) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let below = |bytes: u64, n: u64| bytes.wrapping_sub(EACH * n) & !bytes & (EACH << 7);
    let is = |byte: u8| below(bytes ^ (EACH * u64::from(byte)), 1);
    below(bytes, 0x20) | is(b'"') | is(b'\\') != 0
}

/// What may follow a member or an element.
fn after(close: u8) -> Expected {
    if close == b'}' { "`,` or `}`" } else { "`,` or `]`" }
}

#[cfg(test)]
mod tests;
