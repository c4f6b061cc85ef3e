//! Expressions.

use super::pattern::Pattern;
use std::rc::Rc;

/// An expression.
#[derive(Debug)]
pub(super) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Rc<str>),
    List(Vec<Expr>),
    /// The variable `event`.
    Event,
    /// The variable of a macro, counted from the outermost one.
    Variable(usize),
    /// `operand.name`.
    Field(Box<Expr>, Box<str>),
    /// `has(operand.name)`.
    Has(Box<Expr>, Box<str>),
    /// `operand[index]`.
    Index(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    /// `a && b && …`, or `a || b || …` where the flag is true: the word that decides alone.
    Joined(bool, Vec<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`.
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Size(Box<Expr>),
    /// `text.startsWith(part)` and its like.
    Look(Look, Box<Expr>, Box<Expr>),
    /// `text.matches(pattern)`.
    Matches(Box<Expr>, Pattern),
    /// `range.all(variable, condition)`, or `exists` where the flag is true.
    Each(bool, Box<Expr>, Box<Expr>),
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    /// The operator of a token, and how strongly it binds.
    pub(super) fn of(token: &str) -> Option<(Self, u8)> {
        Some(match token {
            "==" => (Self::Equal, 1),
            "!=" => (Self::Unequal, 1),
            "<" => (Self::Less, 1),
            "<=" => (Self::AtMost, 1),
            ">" => (Self::Greater, 1),
            ">=" => (Self::AtLeast, 1),
            "in" => (Self::In, 1),
            "+" => (Self::Add, 2),
            "-" => (Self::Subtract, 2),
            "*" => (Self::Multiply, 3),
            "/" => (Self::Divide, 3),
            "%" => (Self::Remainder, 3),
            _ => return None,
        })
    }
}

/// A look into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Starts,
    Ends,
    Contains,
}
