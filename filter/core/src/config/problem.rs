//! What is wrong with a plugin configuration.

use std::fmt;

/// One thing that is wrong, where, and what to do about it. No text of it holds a value of a component's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON path of the member at fault, such as `$.components[1].metadata.keyPrefix`; `$` for the whole text.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// At a JSON path: what is wrong there, and what to do.
    #[inline(never)]
    pub fn new(path: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into(), remedy: remedy.into() }
    }

    /// A component needs `link`, and there is none.
    pub(crate) fn no_link() -> Self {
        Self::new("$.link", "is missing", "add it: a component that has a cluster is reached through it")
    }
}

#[cfg(feature = "blocks")]
impl Problem {
    /// At an entry of a component's metadata; the path begins at the component.
    pub(crate) fn in_metadata(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(&[".metadata", &super::check::step(name)].concat(), what, remedy)
    }

    /// The same with `parent` before a path that does not begin at the whole.
    #[must_use]
    pub(crate) fn below(mut self, parent: &str) -> Self {
        if !self.path.starts_with('$') {
            self.path.insert_str(0, parent);
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.path, " ", &self.what, "; ", &self.remedy] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
