//! Values of expressions.

use super::number;
use crate::json::RawValue;
use std::borrow::Cow;

/// A value. Lists and objects of the event stay as they are written there.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// Of the expression itself.
    List(Vec<Value<'a>>),
    /// An array of the event.
    Array(RawValue<'a>),
    /// An object of the event.
    Map(RawValue<'a>),
}

impl<'a> Value<'a> {
    /// What stands in an event.
    #[inline(never)]
    pub(super) fn of(json: RawValue<'a>) -> Self {
        match json.get().as_bytes().first() {
            Some(b'{') => Self::Map(json),
            Some(b'[') => Self::Array(json),
            Some(b'"') => Self::Text(json.string().unwrap_or_default()),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Double(number::double(json.get())),
        }
    }

    /// What it is called in errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Double(_) => "a double",
            Self::Text(_) => "a text",
            Self::List(_) | Self::Array(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// How many bytes one has to look at to know it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Array(raw) | Self::Map(raw) => raw.get().len(),
            Self::List(list) => list.len(),
            _ => 0,
        }
    }
}
