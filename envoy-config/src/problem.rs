//! What is wrong with the files that a person wrote, all of it at once.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<Path>,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, with the name of the thing and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Collects problems and, apart from them, remarks: what is read but has no effect here.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Vec<Problem>>,
    remarks: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Adds a problem, unless it is known.
    pub fn add(&self, place: &Place, what: impl Into<String>) {
        insert(&self.found, place, what.into());
    }

    /// Adds a problem if there is no other.
    pub fn add_if_none(&self, place: &Place, what: impl Into<String>) {
        if self.found.borrow().is_empty() {
            self.add(place, what);
        }
    }

    /// Adds a remark, unless it is known.
    pub fn remark(&self, place: &Place, what: impl Into<String>) {
        insert(&self.remarks, place, what.into());
    }

    /// The remarks, by file and line.
    #[must_use]
    pub fn remarks(&self) -> Vec<Problem> {
        self.remarks.borrow().clone()
    }

    /// Gives `value` if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was, by file and line.
    pub fn check<T>(&self, value: T) -> Result<T, Vec<Problem>> {
        let found = self.found.borrow();
        if found.is_empty() { Ok(value) } else { Err(found.clone()) }
    }
}

fn insert(list: &RefCell<Vec<Problem>>, place: &Place, what: String) {
    let mut list = list.borrow_mut();
    let problem = Problem { place: place.clone(), what };
    if let Err(at) = list.binary_search(&problem) {
        list.insert(at, problem);
    }
}
