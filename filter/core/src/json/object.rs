//! Objects whose members stay as they were written.

use super::{JsonError, RawValue, Scanner, array, starts_with_null, string, string_map};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The members of a JSON object in their order, each value as it was written.
#[derive(Debug, Default)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, RawValue<'a>)>);

impl<'a> RawObject<'a> {
    /// The first JSON value of a text, which must be an object or `null` (no members). What follows it is ignored.
    ///
    /// # Errors
    /// No such value; the message has the place.
    #[inline(never)]
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        if starts_with_null(text) {
            return Ok(Self::default());
        }
        let members = Scanner::new(text).children(b'{')?;
        Ok(Self(members.into_iter().map(|(name, value)| (name.string().unwrap_or_default(), value)).collect()))
    }

    /// A value that must be an object or `null`. `field` names it in the error.
    ///
    /// # Errors
    /// Another kind of value.
    pub fn of(value: RawValue<'a>, field: &str) -> Result<Self, JsonError> {
        Self::parse(value.get()).map_err(|_| JsonError::expected(field, "an object"))
    }

    /// The value of a member, `null` included; name without regard to ASCII case, the last one counts.
    pub fn get(&self, name: &str) -> Option<RawValue<'a>> {
        self.0.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value of a member, `null` included, whose name is exactly that; the last one counts.
    #[cfg(feature = "blocks")]
    pub(crate) fn exactly(&self, name: &str) -> Option<RawValue<'a>> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Every member, repeated ones too, in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, RawValue<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// Same as [`RawObject::get`], but `null` counts as not given.
    pub fn given(&self, name: &str) -> Option<RawValue<'a>> {
        self.get(name).filter(|value| !value.is_null())
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
    pub fn array(&self, name: &str) -> Result<Vec<RawValue<'a>>, JsonError> {
        match self.given(name) {
            None => Ok(Vec::new()),
            Some(value) => array(value.get()).map_err(|_| JsonError::expected(name, "an array")),
        }
    }
}
