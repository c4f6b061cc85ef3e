//! Conditions of routing rules: a part of the Common Expression Language, over one map named `event`.
//!
//! What the part has not is refused by name when a condition is read. Numbers of JSON are doubles, as in Go. An
//! evaluation does a bounded amount of work, whatever the condition and the event are.

mod equal;
mod eval;
mod lex;
mod number;
mod operate;
mod parse;
mod pattern;
mod syntax;
mod text;
mod value;

use crate::json::RawObject;
use eval::Scope;
use std::fmt;
use std::rc::Rc;
use syntax::Expr;
use value::Value;

/// Why a condition cannot be used, or has no answer for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelError(String);

impl CelError {
    #[inline(never)]
    fn new(parts: &[&str]) -> Self {
        Self(parts.concat())
    }
}

impl fmt::Display for CelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CelError {}

/// A condition that can be asked of events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Condition {
    text: Rc<str>,
    expr: Rc<Expr>,
}

/// Two conditions are equal if their texts are.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// It is no expression, or uses what is not supported; the message says where and what.
    #[inline(never)]
    pub fn parse(text: &str) -> Result<Self, CelError> {
        Ok(Self { text: text.into(), expr: Rc::new(parse::expression(text)?) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for an event: its JSON text, and the members that were read from it.
    ///
    /// # Errors
    /// The expression cannot be evaluated, such as for want of a member, or gives no boolean.
    #[inline(never)]
    pub fn holds(&self, event: &str, members: &RawObject<'_>) -> Result<bool, CelError> {
        match Scope::new(event, members).value(&self.expr)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(CelError::new(&["the condition gives ", other.kind(), ", not true or false"])),
        }
    }
}

#[cfg(test)]
mod tests;
