//! JSON as daprd reads and writes it (`dapr-api` 0.3).
//!
//! Names match without regard to case, the last of two members of one name counts, unknown ones are ignored, `null`
//! stands for "not given", and bytes after the first value are ignored. Values stay as they were written.

mod write;

pub use write::write_string;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
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
    fn syntax(error: &serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// The text of a body. As Go does, bytes that are not UTF-8 become U+FFFD; they can stand in strings only.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// The members of a JSON object in their order, each value as it was written.
#[derive(Debug, Default)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> RawObject<'a> {
    /// The first JSON value of a text, which must be an object or `null` (no members). What follows it is ignored.
    ///
    /// # Errors
    /// No such value; the message has the place.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        if starts_with_null(text) { Ok(Self::default()) } else { first_value(text) }
    }

    /// A value that must be an object or `null`. `field` names it in the error.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn of(value: &'a RawValue, field: &str) -> Result<Self, JsonError> {
        Self::parse(value.get()).map_err(|_| JsonError::expected(field, "an object"))
    }

    /// The value of a member, `null` included; name without regard to ASCII case, the last one counts.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Every member, repeated ones too, in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// Same as [`RawObject::get`], but `null` counts as not given.
    pub fn given(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| !is_null(value))
    }

    /// A member that is a string.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn string(&self, name: &str) -> Result<Option<Cow<'a, str>>, JsonError> {
        self.given(name).map(|value| string(value, name)).transpose()
    }

    /// A member that is `true` or `false`.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, JsonError> {
        match self.given(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(JsonError::expected(name, "true or false")),
        }
    }

    /// A member that is an object.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn object(&self, name: &str) -> Result<Option<RawObject<'a>>, JsonError> {
        self.given(name).map(|value| RawObject::of(value, name)).transpose()
    }

    /// A member that is an object of strings; a `null` in it is an empty string.
    ///
    /// # Errors
    /// Another kind of value, or another kind of value in it.
    pub fn string_map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, JsonError> {
        self.given(name).map(|value| string_map(value, name)).transpose()
    }

    /// A member that is an array; none if it is not there.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn array(&self, name: &str) -> Result<Vec<&'a RawValue>, JsonError> {
        match self.given(name) {
            None => Ok(Vec::new()),
            Some(value) => array(value.get()).map_err(|_| JsonError::expected(name, "an array")),
        }
    }
}

/// Whether a value is `null`.
pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// The elements of the first JSON value of a text, which must be an array or `null` (none). What follows is ignored.
///
/// # Errors
/// No such value; the message has the place.
pub fn array(text: &str) -> Result<Vec<&RawValue>, JsonError> {
    if starts_with_null(text) {
        return Ok(Vec::new());
    }
    first_value::<RawArray<'_>>(text).map(|array| array.0)
}

/// The first JSON value of a text, whatever it is. What follows it is ignored.
///
/// # Errors
/// No value; the message has the place.
pub fn value(text: &str) -> Result<&RawValue, JsonError> {
    first_value(text)
}

/// A value that must be a string; `field` names it in the error.
///
/// # Errors
/// Another kind of value.
pub fn string<'a>(value: &'a RawValue, field: &str) -> Result<Cow<'a, str>, JsonError> {
    let wrong = || JsonError::expected(field, "a string");
    let inner = value.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    first_value::<Text<'_>>(value.get()).map(|text| text.0).map_err(|_| wrong())
}

/// A value that must be an object of strings; a `null` in it is an empty string.
///
/// # Errors
/// Another kind of value, or another kind of value in it.
#[inline(never)]
pub fn string_map(value: &RawValue, field: &str) -> Result<BTreeMap<String, String>, JsonError> {
    let mut map = BTreeMap::new();
    for (name, value) in RawObject::of(value, field)?.members() {
        let text = if is_null(value) { Cow::Borrowed("") } else { string(value, &format!("{field}.{name}"))? };
        map.insert(name.to_owned(), text.into_owned());
    }
    Ok(map)
}

/// Whether the first JSON value of a text is `null`.
fn starts_with_null(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with("null")
}

fn first_value<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    T::deserialize(&mut reader).map_err(|error| JsonError::syntax(&error))
}

/// A string that is borrowed from the text unless it holds escapes.
struct Text<'a>(Cow<'a, str>);

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(TextVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = RawObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push((name.0, value));
        }
        Ok(RawObject(members))
    }
}

impl<'de> Deserialize<'de> for RawObject<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(ObjectVisitor)
    }
}

struct RawArray<'a>(Vec<&'a RawValue>);

struct ArrayVisitor;

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = RawArray<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element::<&'de RawValue>()? {
            elements.push(element);
        }
        Ok(RawArray(elements))
    }
}

impl<'de> Deserialize<'de> for RawArray<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_seq(ArrayVisitor)
    }
}

#[cfg(test)]
mod tests;
