//! Writing JSON.

use std::collections::BTreeMap;

/// An object that is written member by member; the caller answers for the names being different.
pub struct Members(Vec<u8>);

impl Default for Members {
    fn default() -> Self {
        Self(vec![b'{'])
    }
}

impl Members {
    /// Begins a member, whose value the caller appends.
    #[inline(never)]
    pub fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        write_string(&mut self.0, name);
        self.0.push(b':');
        &mut self.0
    }

    /// A member that is a string.
    pub fn string(&mut self, name: &str, value: &str) {
        write_string(self.name(name), value);
    }

    /// A member whose JSON text is there.
    pub fn raw(&mut self, name: &str, value: &[u8]) {
        self.name(name).extend_from_slice(value);
    }

    /// The object's text.
    pub fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// The text of an array of values whose texts are there.
#[inline(never)]
pub fn write_array(values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![b'['];
    out.extend_from_slice(&values.join(&b','));
    out.push(b']');
    out
}

/// The text of an object of strings.
#[inline(never)]
pub fn write_string_map(map: &BTreeMap<String, String>) -> Vec<u8> {
    let mut members = Members::default();
    for (name, value) in map {
        members.string(name, value);
    }
    members.end()
}

/// Appends a JSON string with its quotes. As Go's encoder does, `<`, `>`, `&`, U+2028 and U+2029 are escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' => Escape::Short(b'"'),
            b'\\' => Escape::Short(b'\\'),
            b'\n' => Escape::Short(b'n'),
            b'\r' => Escape::Short(b'r'),
            b'\t' => Escape::Short(b't'),
            0x08 => Escape::Short(b'b'),
            0x0c => Escape::Short(b'f'),
            0..0x20 | b'<' | b'>' | b'&' => Escape::Byte(*byte),
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            0xe2 => match bytes.get(at + 1..at + 3) {
                Some([0x80, last @ (0xa8 | 0xa9)]) => Escape::LineEnd(*last),
                _ => continue,
            },
            _ => continue,
        };
        out.extend_from_slice(bytes.get(written..at).unwrap_or_default());
        written = at + escape.write(out);
    }
    out.extend_from_slice(bytes.get(written..).unwrap_or_default());
    out.push(b'"');
}

enum Escape {
    Short(u8),
    Byte(u8),
    LineEnd(u8),
}

impl Escape {
    /// Writes the escape; gives how many bytes of the text it stands for.
    #[inline(never)]
    fn write(self, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Short(letter) => {
                out.extend_from_slice(&[b'\\', letter]);
                1
            }
            Self::Byte(byte) => {
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                1
            }
            Self::LineEnd(last) => {
                out.extend_from_slice(if last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                3
            }
        }
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_could_end_a_script_or_a_line_is_escaped() {
        assert_eq!(written("<a>&\u{2028}\u{2029}"), r#""\u003ca\u003e\u0026\u2028\u2029""#);
        assert_eq!(written("\u{2027}\u{202a}é€😀\u{7f}"), "\"\u{2027}\u{202a}é€😀\u{7f}\"");
    }

    #[test]
    fn quotes_and_control_characters_are_escaped() {
        assert_eq!(written("\"\\\n\r\t\u{8}\u{c}\0\u{1f}"), r#""\"\\\n\r\t\b\f\u0000\u001f""#);
        assert_eq!(written(""), "\"\"");
    }

    #[test]
    fn every_string_is_read_back_as_it_was() {
        for text in ["", "plain", "a<b", "\u{2028}", "x\u{2029}y\u{e2}", "\u{0}\u{1}\"\\/", "ends with \u{e2}"] {
            let read: String = serde_json::from_str(&written(text)).unwrap();
            assert_eq!(read, text);
        }
    }
}
