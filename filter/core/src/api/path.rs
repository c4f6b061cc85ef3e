//! Request paths: cleaning, decoding and encoding, as `dapr-api` 0.2 and 1.2 describe them.

use std::borrow::Cow;

/// Collapses repeated slashes and resolves `.` and `..` segments of an absolute path, without decoding it.
/// A trailing slash goes away. The result begins with `/`.
#[inline(never)]
pub fn clean(path: &str) -> Cow<'_, str> {
    if is_clean(path) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() {
        out.push('/');
    }
    Cow::Owned(out)
}

fn is_clean(path: &str) -> bool {
    path.starts_with('/')
        && (path.len() == 1 || !path.ends_with('/'))
        && path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Splits `:path` into path and query; the query is without its `?`, and `None` if there is no `?`.
pub fn split_query(path: &str) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    }
}

/// Decodes `%XX`; `plus_is_space` also turns `+` into a blank, as in queries. What is no valid escape stays.
#[inline(never)]
pub fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// Decodes a path parameter with query rules; `None` if it is not UTF-8.
pub fn parameter(text: &str) -> Option<String> {
    decoded(text).map(Cow::into_owned)
}

/// The same, borrowed where nothing is to be decoded.
pub fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode(text, true)).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Why a method path cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMethod {
    /// The offending byte.
    pub byte: u8,
}

/// The path that a callee gets: `raw` decoded once, cleaned, then encoded again. Access rules must judge this form.
///
/// # Errors
/// [`InvalidMethod`] if the decoded form holds `#`, `?`, NUL or another control character.
#[inline(never)]
pub fn method_path(raw: &str) -> Result<String, InvalidMethod> {
    if is_plain(raw) {
        return Ok(clean_rooted(raw));
    }
    let decoded = decode(raw, false);
    if let Some(byte) = decoded.iter().find(|byte| matches!(byte, b'#' | b'?' | 0..0x20 | 0x7f)) {
        return Err(InvalidMethod { byte: *byte });
    }
    Ok(encode(&clean_bytes(&decoded)))
}

/// The same for a path that was never encoded: a `%` in it is one.
pub fn encoded(path: &str) -> String {
    encode(&clean_bytes(path.as_bytes()))
}

/// Whether decoding and encoding would change nothing.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| is_path_byte(byte) && byte != b'%')
}

fn clean_rooted(path: &str) -> String {
    if path.starts_with('/') { clean(path).into_owned() } else { clean(&["/", path].concat()).into_owned() }
}

#[inline(never)]
fn clean_bytes(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for segment in kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// Characters that RFC 3986 allows in a path as they are.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

#[inline(never)]
fn encode(path: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| char::from(DIGITS.get(usize::from(value)).copied().unwrap_or(b'0'));
    let mut out = String::with_capacity(path.len());
    for byte in path {
        if is_path_byte(*byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}

#[cfg(test)]
mod tests;
