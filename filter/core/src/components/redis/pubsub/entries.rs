//! Stream entries from Redis' replies.

use super::super::resp::Reply;
use crate::json;
use std::collections::BTreeMap;
use std::fmt;

/// The id of a stream entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    /// When it was added, in milliseconds since the epoch.
    pub millis: u64,
    /// Its number within that millisecond.
    pub sequence: u64,
}

impl EntryId {
    /// Before every entry.
    pub(super) const FIRST: Self = Self { millis: 0, sequence: 0 };

    /// Reads `<millis>-<sequence>`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (millis, sequence) = std::str::from_utf8(bytes).ok()?.split_once('-')?;
        Some(Self { millis: millis.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

/// One entry of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: EntryId,
    pub content: Content,
}

/// What an entry holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// An event.
    Event {
        data: Vec<u8>,
        /// The text of the field `metadata`, if there is one.
        metadata: Option<Vec<u8>>,
    },
    /// Fields, but not an event's.
    NoEvent,
    /// The stream does not have it any more.
    Vanished,
}

/// Entries by stream, as `XREADGROUP` answers; none for nil.
pub(super) fn by_stream(reply: Reply) -> Option<Vec<(Vec<u8>, Vec<Entry>)>> {
    match reply {
        Reply::Nil => Some(Vec::new()),
        Reply::Array(streams) => streams.into_iter().map(stream).collect(),
        _ => None,
    }
}

fn stream(reply: Reply) -> Option<(Vec<u8>, Vec<Entry>)> {
    let Reply::Array(parts) = reply else {
        return None;
    };
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(Reply::Bulk(name)), Some(Reply::Array(list))) => Some((name, entries(list))),
        _ => None,
    }
}

/// A list of entries. Redis before 7 puts a bare nil for an entry that has vanished; it has no id, so it is left out.
pub(super) fn entries(list: Vec<Reply>) -> Vec<Entry> {
    list.into_iter().filter_map(entry).collect()
}

fn entry(reply: Reply) -> Option<Entry> {
    let Reply::Array(parts) = reply else {
        return None;
    };
    let mut parts = parts.into_iter();
    let Some(Reply::Bulk(id)) = parts.next() else {
        return None;
    };
    let content = match parts.next() {
        Some(Reply::Array(fields)) => content(fields),
        _ => Content::Vanished,
    };
    Some(Entry { id: EntryId::parse(&id)?, content })
}

fn content(fields: Vec<Reply>) -> Content {
    let (mut data, mut metadata) = (None, None);
    let mut fields = fields.into_iter();
    while let (Some(Reply::Bulk(name)), Some(Reply::Bulk(value))) = (fields.next(), fields.next()) {
        match name.as_slice() {
            b"data" => data = Some(value),
            b"metadata" => metadata = Some(value),
            _ => {}
        }
    }
    match data {
        Some(data) => Content::Event { data, metadata },
        None => Content::NoEvent,
    }
}

/// The metadata of an event; `None` if the text is no JSON object of strings.
pub(super) fn metadata(text: Option<&[u8]>) -> Option<BTreeMap<String, String>> {
    match text {
        None | Some(b"" | b"{}" | b"null") => Some(BTreeMap::new()),
        Some(text) => {
            let value = json::only_value(std::str::from_utf8(text).ok()?).ok()?;
            json::string_map(value, "metadata").ok()
        }
    }
}
