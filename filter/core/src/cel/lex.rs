//! Words and signs of an expression.

use super::{CelError, number, text};

/// A word or sign.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// A name or keyword.
    Word(&'a str),
    /// An operator, a bracket, a comma, a dot.
    Sign(&'a str),
    /// A whole number without its sign.
    Whole(u64),
    Double(f64),
    Text(String),
    End,
}

/// The rest of an expression, from which tokens are taken.
pub(super) struct Lexer<'a> {
    whole: &'a str,
    at: usize,
}

const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

impl<'a> Lexer<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self { whole, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.whole.get(self.at..).unwrap_or_default()
    }

    /// What is wrong, with the place where the last token begins.
    #[inline(never)]
    pub(super) fn fault(&self, at: usize, what: &str) -> CelError {
        let before = self.whole.get(..at).unwrap_or_default();
        let column = 1 + before.chars().count();
        CelError::new(&[what, " at character ", &column.to_string()])
    }

    /// Where the next token begins.
    #[inline(never)]
    pub(super) fn place(&mut self) -> usize {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0c']).len();
            self.at += blanks;
            if !self.rest().starts_with("//") {
                return self.at;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// The next token.
    ///
    /// # Errors
    /// What comes next is none.
    #[inline(never)]
    pub(super) fn next(&mut self) -> Result<Token<'a>, CelError> {
        let start = self.place();
        let rest = self.rest();
        let first = rest.bytes().next();
        let second = rest.as_bytes().get(1);
        match first {
            None => Ok(Token::End),
            Some(b'0'..=b'9') => self.number(rest),
            Some(b'.') if second.is_some_and(u8::is_ascii_digit) => self.number(rest),
            Some(b'"' | b'\'') => self.text(rest, false),
            Some(b'r' | b'R') if matches!(second, Some(b'"' | b'\'')) => {
                self.at += 1;
                self.text(self.rest(), true)
            }
            Some(b'b' | b'B') if matches!(second, Some(b'"' | b'\'')) => {
                Err(self.fault(start, "bytes are not supported,"))
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => Ok(Token::Word(self.word(rest))),
            Some(_) => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| self.fault(start, "an unexpected character"))?;
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
        }
    }

    fn word(&mut self, rest: &'a str) -> &'a str {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let length = rest.bytes().take_while(|byte| is_part(*byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    #[inline(never)]
    fn number(&mut self, rest: &'a str) -> Result<Token<'a>, CelError> {
        let start = self.at;
        let found = if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
            self.at += 2 + length;
            u64::from_str_radix(digits.get(..length).unwrap_or_default(), 16).ok().map(Token::Whole)
        } else {
            let text = rest.get(..number::length(rest)).unwrap_or_default();
            self.at += text.len();
            let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
            if is_whole { text.parse().ok().map(Token::Whole) } else { Some(Token::Double(number::double(text))) }
        };
        if self.rest().starts_with(['u', 'U']) {
            return Err(self.fault(start, "unsigned numbers are not supported,"));
        }
        found.ok_or_else(|| self.fault(start, "a number that is too large or none"))
    }

    #[inline(never)]
    fn text(&mut self, rest: &'a str, raw: bool) -> Result<Token<'a>, CelError> {
        match text::literal(rest, raw) {
            Ok((text, length)) => {
                self.at += length;
                Ok(Token::Text(text))
            }
            Err(what) => Err(self.fault(self.at, what)),
        }
    }
}
