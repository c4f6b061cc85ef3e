//! HTTP messages as bytes: header values need not be UTF-8.

/// Header fields in order. Names are lower case; repeated names are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a field; a field of the same name stays.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Same as [`Headers::push`], for building in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.push(name, value);
        self
    }

    /// The first value of that (lower-case) name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Same as [`Headers::get`], if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of that (lower-case) name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

impl From<Vec<(String, Vec<u8>)>> for Headers {
    fn from(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }
}

/// A status from the decimal text of `:status`; `None` if it is none.
pub fn status(text: &[u8]) -> Option<u16> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An answer that the filter gives by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields without pseudo headers and without `content-length`.
    pub headers: Headers,
    /// Body; may be empty.
    pub body: Vec<u8>,
}

impl Reply {
    /// `204 No Content`.
    pub fn no_content() -> Self {
        Self { status: 204, headers: Headers::new(), body: Vec::new() }
    }

    /// A JSON body with that status.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Headers::new().with("content-type", "application/json"), body: body.into() }
    }

    /// Appends a header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Appends several.
    #[must_use]
    pub fn with_all(mut self, fields: Vec<(&str, Vec<u8>)>) -> Self {
        for (name, value) in fields {
            self.headers.push(name, value);
        }
        self
    }
}
