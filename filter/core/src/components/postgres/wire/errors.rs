//! What PostgreSQL says when it does not do something.

use std::fmt;

/// An error of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Five characters that name the kind of error (`SQLSTATE`).
    pub code: String,
    message: String,
    /// Whether it ends the connection.
    pub is_fatal: bool,
}

impl Refusal {
    /// From the message's fields.
    #[inline(never)]
    pub(crate) fn read(body: &[u8]) -> Self {
        let field = |name: u8| {
            let found = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&name));
            String::from_utf8_lossy(found.and_then(|field| field.get(1..)).unwrap_or_default()).into_owned()
        };
        // Not translated; servers before 9.6 have the other only.
        let severity = [field(b'V'), field(b'S')].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        Self { code: field(b'C'), message: field(b'M'), is_fatal: matches!(severity.as_str(), "FATAL" | "PANIC") }
    }

    /// Whether a table or column is not there, or the schema that it should be in.
    pub(crate) fn is_missing_table(&self) -> bool {
        matches!(self.code.as_str(), "42P01" | "42703" | "3F000")
    }

    /// Whether the user is not let in, or not to this database.
    pub(crate) fn is_about_the_login(&self) -> bool {
        self.code.starts_with("28") || self.code.starts_with("3D")
    }

    /// Whether it was only in the way of another transaction: it may be tried again.
    pub(crate) fn is_collision(&self) -> bool {
        matches!(self.code.as_str(), "40001" | "40P01")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}
