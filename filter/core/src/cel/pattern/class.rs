//! Sets of characters.

use super::{Read, Reader, Step};

/// Ranges, and whether what is outside of them is meant.
type Ranges = (Vec<(char, char)>, bool);

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORDS: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const BLANKS: &[(char, char)] = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];

/// What stands for itself after a backslash.
const PUNCTUATION: &str = "\\.+*?()|[]{}^$-/\"'`~!@#%&=:;<>, _";

/// Reads what follows a backslash.
#[inline(never)]
pub(super) fn escape(reader: &mut Reader<'_>) -> Read<Ranges> {
    let letter = reader.take().ok_or("a backslash at the end")?;
    let one = match letter {
        'd' | 'D' => return Ok((DIGITS.to_vec(), letter == 'D')),
        'w' | 'W' => return Ok((WORDS.to_vec(), letter == 'W')),
        's' | 'S' => return Ok((BLANKS.to_vec(), letter == 'S')),
        'a' => '\u{7}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => code(reader).ok_or("an unknown character code")?,
        'p' | 'P' => return Err("classes of Unicode are not supported"),
        other if PUNCTUATION.contains(other) => other,
        _ => return Err("an unknown escape"),
    };
    Ok((vec![(one, one)], false))
}

/// The character of `\xHH` or `\x{H…}`, whose `\x` was read.
fn code(reader: &mut Reader<'_>) -> Option<char> {
    let (digits, rest) = match reader.rest.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => reader.rest.split_at_checked(2)?,
    };
    let is_sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    reader.rest = rest;
    char::from_u32(is_sound.then(|| u32::from_str_radix(digits, 16).ok())??)
}

/// Reads a set whose `[` was read.
#[inline(never)]
pub(super) fn set(reader: &mut Reader<'_>) -> Read<Step> {
    let is_negated = reader.takes("^");
    let mut ranges = Vec::new();
    let mut is_first = true;
    while is_first || !reader.takes("]") {
        is_first = false;
        let (mut part, is_class) = member(reader)?;
        // A `-` before the end stands for itself.
        let is_range = !is_class && reader.rest.starts_with('-') && !reader.rest.starts_with("-]");
        if let (true, [(low, high)]) = (is_range, part.as_mut_slice()) {
            reader.take();
            let (last, is_class) = member(reader)?;
            match last.as_slice() {
                [(end, _)] if !is_class && *end >= *low => *high = *end,
                _ => return Err("a range that is none"),
            }
        }
        ranges.append(&mut part);
    }
    Ok(Step::Set(ranges.into(), is_negated))
}

/// One member of a set, and whether it is a class such as `\d`.
fn member(reader: &mut Reader<'_>) -> Read<(Vec<(char, char)>, bool)> {
    if reader.rest.starts_with("[:") {
        return Err("classes of POSIX are not supported");
    }
    match reader.take() {
        None => Err("a `[` without its `]`"),
        Some('\\') => match escape(reader)? {
            (_, true) => Err("a class like `\\D` within `[]` is not supported"),
            (ranges, false) => {
                let is_class = ranges.len() > 1 || ranges == DIGITS;
                Ok((ranges, is_class))
            }
        },
        Some(plain) => Ok((vec![(plain, plain)], false)),
    }
}
