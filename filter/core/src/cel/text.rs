//! Literals of texts.

/// The text of the literal that a text begins with, and the literal's length.
///
/// # Errors
/// It does not end, or has an unknown escape.
#[inline(never)]
pub(super) fn literal(source: &str, raw: bool) -> Result<(String, usize), &'static str> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| source.starts_with(quote)).unwrap_or("'");
    let mut text = String::new();
    let mut rest = source.get(quote.len()..).unwrap_or_default();
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok((text, source.len() - after.len()));
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some('\\') if raw => {
                // The character after it is taken as it is, so that it does not end the literal.
                text.push('\\');
                text.push(chars.next().ok_or("a text without an end")?);
                rest = chars.as_str();
            }
            Some('\\') => {
                let (character, after) = escape(chars.as_str()).ok_or("an unknown escape in a text")?;
                text.push(character);
                rest = after;
            }
            Some('\n' | '\r') if quote.len() == 1 => return Err("a text that goes over a line's end"),
            Some(other) => {
                text.push(other);
                rest = chars.as_str();
            }
            None => return Err("a text without an end"),
        }
    }
}

/// The character of an escape whose backslash was read, and what follows.
fn escape(escaped: &str) -> Option<(char, &str)> {
    let (letter, rest) = escaped.split_at_checked(1)?;
    let character = match letter {
        "a" => '\u{7}',
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "v" => '\u{b}',
        "\\" | "?" | "\"" | "'" | "`" => letter.chars().next()?,
        "x" | "X" => return code(rest, 2, 16),
        "u" => return code(rest, 4, 16),
        "U" => return code(rest, 8, 16),
        "0" | "1" | "2" | "3" => return code(escaped, 3, 8),
        _ => return None,
    };
    Some((character, rest))
}

fn code(digits: &str, length: usize, radix: u32) -> Option<(char, &str)> {
    let (digits, rest) = digits.split_at_checked(length)?;
    let is_digit = |byte: u8| char::from(byte).is_digit(radix);
    let number = digits.bytes().all(is_digit).then(|| u32::from_str_radix(digits, radix).ok())??;
    Some((char::from_u32(number)?, rest))
}
