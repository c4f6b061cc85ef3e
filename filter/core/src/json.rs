//! JSON as daprd reads and writes it (`dapr-api` 0.3).
//!
//! Names match without regard to case, the last of two members of one name counts, unknown ones are ignored, `null`
//! stands for "not given", and bytes after the first value are ignored. Values stay as they were written.

mod object;
mod scan;
mod write;

pub use object::RawObject;
pub use scan::RawValue;
pub use write::{Members, write_array, write_string, write_string_map};

use scan::Scanner;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Why a text is not what was asked for; says which member and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

impl JsonError {
    /// The member `field` is not `expected` (such as "a string").
    #[inline(never)]
    pub fn expected(field: &str, expected: &str) -> Self {
        Self(format!("{field} must be {expected}"))
    }

    #[inline(never)]
    fn at(what: &str, line: usize, column: usize) -> Self {
        Self(format!("{what} at line {line} column {column}"))
    }
}

/// The text of a body. As Go does, bytes that are not UTF-8 become U+FFFD; they can stand in strings only.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// The elements of the first JSON value of a text, which must be an array or `null` (none). What follows is ignored.
///
/// # Errors
/// No such value; the message has the place.
#[inline(never)]
pub fn array(text: &str) -> Result<Vec<RawValue<'_>>, JsonError> {
    if starts_with_null(text) {
        return Ok(Vec::new());
    }
    let elements = Scanner::new(text).children(b'[')?;
    Ok(elements.into_iter().map(|(_, element)| element).collect())
}

/// The first JSON value of a text, whatever it is. What follows it is ignored.
///
/// # Errors
/// No value; the message has the place.
pub fn value(text: &str) -> Result<RawValue<'_>, JsonError> {
    Scanner::new(text).value()
}

/// The only JSON value of a text.
///
/// # Errors
/// No value, or something after it; the message has the place.
pub fn only_value(text: &str) -> Result<RawValue<'_>, JsonError> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

/// A value that must be a string; `field` names it in the error.
///
/// # Errors
/// Another kind of value.
pub fn string<'a>(value: RawValue<'a>, field: &str) -> Result<Cow<'a, str>, JsonError> {
    value.string().ok_or_else(|| JsonError::expected(field, "a string"))
}

/// A value that must be an object of strings; a `null` in it is an empty string.
///
/// # Errors
/// Another kind of value, or another kind of value in it.
#[inline(never)]
pub fn string_map(value: RawValue<'_>, field: &str) -> Result<BTreeMap<String, String>, JsonError> {
    let mut map = BTreeMap::new();
    for (name, value) in RawObject::of(value, field)?.members() {
        let text = if value.is_null() { Cow::Borrowed("") } else { string(value, &format!("{field}.{name}"))? };
        map.insert(name.to_owned(), text.into_owned());
    }
    Ok(map)
}

/// Whether the first JSON value of a text is `null`.
fn starts_with_null(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with("null")
}

#[cfg(test)]
mod tests;
