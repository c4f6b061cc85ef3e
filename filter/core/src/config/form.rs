//! What the value of a member has to be.

/// The kind of value that a member takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Any string.
    Text,
    /// A string that is not empty.
    Name,
    /// Letters, digits, `-` and `_`: what can stand before and after the dot of `<app id>.<namespace>`.
    Label,
    /// Visible ASCII characters: what can stand in a header.
    Word,
    /// A path in the application: visible ASCII characters without `#`.
    Path,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A condition of a routing rule; empty for the one that always holds.
    Condition,
    /// A circuit breaker's condition.
    Trip,
    /// A decimal fraction from 0 to 1, in a string.
    Share,
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds.
    Number(u32, u32),
    /// The size of a request's body, up to this.
    BodySize(u32),
    /// An array of strings, each of visible ASCII characters.
    Words,
    /// An object with any members whose values are strings.
    Texts,
    /// An object.
    Object(&'static Shape),
    /// An object with any members whose values are such objects.
    Map(&'static Shape),
    /// An array of such objects.
    List(&'static Shape),
}

/// What stands for a member that is absent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Absent {
    /// It must be there.
    Refused,
    /// Nothing.
    Nothing,
    /// That string.
    Text(&'static str),
    /// That number.
    Number(u32),
}

/// One member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) absent: Absent,
    /// For the schema; empty without the feature `schema`.
    pub(super) about: &'static str,
}

/// What an object may hold.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) members: &'static [Member],
}

impl Member {
    /// A member that must be there.
    pub(super) const fn needed(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, absent: Absent::Refused, about: kept(about) }
    }

    /// A member that may be absent.
    pub(super) const fn optional(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, absent: Absent::Nothing, about: kept(about) }
    }

    /// The same member with the value that stands for it where it is absent.
    pub(super) const fn or(self, absent: Absent) -> Self {
        Self { absent, ..self }
    }
}

/// Only a schema needs descriptions; a module carries none.
const fn kept(about: &'static str) -> &'static str {
    if cfg!(any(test, feature = "schema")) { about } else { "" }
}
