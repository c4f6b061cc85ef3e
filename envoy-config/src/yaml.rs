//! YAML as a tree that knows its lines.

mod build;
mod fields;

pub use fields::{Fields, Text};

use crate::problem::{Place, Problems};
use std::path::Path;
use std::sync::Arc;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line, from 1.
    pub line: usize,
    /// What is there.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text as it was written, also of numbers and `true`.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A name in a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name.
    pub name: String,
    /// Its line.
    pub line: usize,
}

impl Value {
    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A document of a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file.
    pub file: Arc<Path>,
    /// The outermost value; never [`Value::Null`].
    pub root: Node,
}

/// Reads a file's documents; empty ones are left out. What cannot be read is a problem.
pub fn read_file(path: &Path, problems: &Problems) -> Vec<Document> {
    let file: Arc<Path> = Arc::from(path);
    let whole = Place { file: Arc::clone(&file), line: 0 };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.add(&whole, format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => read(&file, &text, problems),
        Err(_) => {
            problems.add(&whole, "is not UTF-8");
            Vec::new()
        }
    }
}

/// As [`read_file`], of a text that is named `file` in problems.
pub fn read(file: &Arc<Path>, text: &str, problems: &Problems) -> Vec<Document> {
    match build::documents(text) {
        Ok(roots) => roots.into_iter().map(|root| Document { file: Arc::clone(file), root }).collect(),
        Err((line, why)) => {
            problems.add(&Place { file: Arc::clone(file), line }, format!("not valid YAML: {why}"));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
