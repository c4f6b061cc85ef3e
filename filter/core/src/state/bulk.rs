//! Reading many values with one request.

#[cfg(feature = "etcd")]
mod together;

use super::block::{Flow, Site};
use super::{Record, StoreError, error};
use crate::app::Request;
use crate::error::DaprError;
use crate::http::Reply;
use crate::json::{self, JsonError, RawObject, RawValue, write_string};
use crate::runtime::{BoxFuture, join_some};
use crate::telemetry::meters::What;
use crate::timestamp::rfc3339;
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

/// How many keys are read at once, at most and if the request does not say.
const AT_ONCE: usize = 100;

/// Keys of one request. A short one takes a few bytes of the body and two hundred here.
const MAX_KEYS: usize = 100_000;

/// Bytes of all values of one answer.
const MAX_VALUES: usize = 32 * 1024 * 1024;

/// `POST /v1.0/state/{store}/bulk`: an array with one object for each key, in the order of the keys.
#[inline(never)]
pub(super) fn get(site: Rc<Site>, request: &Request) -> Flow {
    let Asked { keys, at_once } = read(&site, request)?;
    Ok(Box::pin(async move {
        let course = Course { room: Cell::new(MAX_VALUES), away: Cell::new(false) };
        let start = site.now();
        let entries = get_all(&site, keys, &course, at_once).await;
        site.note(What::BulkGet, start, is_whole(&entries));
        match entries.into_iter().collect::<Option<Vec<_>>>() {
            Some(entries) => answer(&entries),
            None => too_much().reply(),
        }
    }))
}

/// What a request asks for.
struct Asked {
    keys: Vec<Key>,
    at_once: usize,
}

struct Key {
    /// The application's.
    own: String,
    full: String,
}

struct Entry {
    key: String,
    /// What was read, or why nothing was.
    read: Result<Option<Record>, Cow<'static, str>>,
}

/// What the keys of one request have come to so far.
struct Course {
    /// Bytes that may still be read.
    room: Cell<usize>,
    /// The store has failed to answer.
    away: Cell<bool>,
}

#[inline(never)]
fn read(site: &Site, request: &Request) -> Result<Asked, DaprError> {
    let text = json::text(&request.body);
    let unreadable = |why: JsonError| error::unreadable(&why.to_string());
    let (values, at_once) = members(&text).map_err(unreadable)?;
    if values.len() > MAX_KEYS {
        return Err(too_many(values.len()));
    }
    let mut keys = Vec::with_capacity(values.len());
    for value in values {
        let own = own_key(value).map_err(unreadable)?;
        let full = site.full_key(&own)?;
        keys.push(Key { own, full });
    }
    Ok(Asked { keys, at_once })
}

fn members(text: &str) -> Result<(Vec<RawValue<'_>>, usize), JsonError> {
    let fields = RawObject::parse(text)?;
    // Stores that are served here take none; its form is judged as daprd does.
    fields.string_map("metadata")?;
    Ok((fields.array("keys")?, fields.given("parallelism").map_or(Ok(AT_ONCE), parallelism)?))
}

fn own_key(key: RawValue<'_>) -> Result<String, JsonError> {
    if key.is_null() { Ok(String::new()) } else { Ok(json::string(key, "every key")?.into_owned()) }
}

/// A whole number; 0 and less leaves it to us.
fn parallelism(value: RawValue<'_>) -> Result<usize, JsonError> {
    let number = value.get().parse::<i64>().map_err(|_| JsonError::expected("parallelism", "a whole number"))?;
    Ok(usize::try_from(number).ok().filter(|number| *number > 0).map_or(AT_ONCE, |number| number.min(AT_ONCE)))
}

/// Reads the keys, each with a call of its own or some with one, as the store likes.
fn get_all<'a>(
    site: &'a Site,
    keys: Vec<Key>,
    course: &'a Course,
    at_once: usize,
) -> BoxFuture<'a, Vec<Option<Entry>>> {
    #[cfg(feature = "etcd")]
    if site.store.at_a_time().min(at_once) > 1 {
        return together::get_all(site, keys, course, at_once);
    }
    let flows = keys.into_iter().map(move |key| one(site, key, course));
    Box::pin(join_some(flows, at_once))
}

/// Reads one key; `None` if there is no room for more values. Once that is so, or the store is away, the store is not
/// asked any more.
fn one<'a>(site: &'a Site, key: Key, course: &'a Course) -> BoxFuture<'a, Option<Entry>> {
    Box::pin(async move {
        let Key { own: key, full } = key;
        match course.way() {
            Way::Full => None,
            Way::Away => Some(not_tried(key)),
            Way::Open => course.entry(key, site.store.get(full).await),
        }
    })
}

/// Whether the store is to be asked.
enum Way {
    Open,
    /// There is no room for more values.
    Full,
    Away,
}

fn not_tried(key: String) -> Entry {
    Entry { key, read: Err(Cow::Borrowed("not tried: the store did not answer for another key")) }
}

impl Course {
    fn way(&self) -> Way {
        match (self.room.get(), self.away.get()) {
            (0, _) => Way::Full,
            (_, true) => Way::Away,
            (_, false) => Way::Open,
        }
    }

    /// `None` if there is no room for what was read.
    fn entry(&self, key: String, read: Result<Option<Record>, StoreError>) -> Option<Entry> {
        self.note(&read)?;
        Some(Entry { key, read: read.map_err(|why| Cow::Owned(why.to_string())) })
    }

    /// `None` if there is no room for what was read.
    fn note(&self, read: &Result<Option<Record>, StoreError>) -> Option<()> {
        let size = match read {
            Ok(record) => record.as_ref().map_or(0, |record| record.data.len()),
            Err(why) => {
                self.away.set(self.away.get() || why.is_outage());
                0
            }
        };
        let left = self.room.get().checked_sub(size);
        self.room.set(left.unwrap_or(0));
        left.map(|_| ())
    }
}

/// Whether every key was read.
fn is_whole(entries: &[Option<Entry>]) -> bool {
    entries.iter().all(|entry| entry.as_ref().is_some_and(|entry| entry.read.is_ok()))
}

#[inline(never)]
fn too_many(count: usize) -> DaprError {
    error::bulk_get_failed(format!("{count} keys are more than {MAX_KEYS}; ask for fewer keys at once"))
}

#[inline(never)]
fn too_much() -> DaprError {
    error::bulk_get_failed(format!(
        "the values are larger than {MAX_VALUES} bytes together; ask for fewer keys at once"
    ))
}

#[inline(never)]
fn answer(entries: &[Entry]) -> Reply {
    let mut out = vec![b'['];
    for (at, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"key\":" } else { b",{\"key\":" });
        write_string(&mut out, &entry.key);
        match &entry.read {
            Ok(None) => {}
            Ok(Some(record)) => write_record(&mut out, record),
            Err(why) => member(&mut out, "error", why),
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]\n");
    Reply::json(200, out)
}

fn write_record(out: &mut Vec<u8>, record: &Record) {
    match json_text(&record.data) {
        Some(text) => {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(text.as_bytes());
        }
        // daprd would answer nothing at all.
        None => member(out, "error", "the stored value is not JSON and cannot stand here: get it by its own request"),
    }
    if let Some(etag) = &record.etag {
        member(out, "etag", etag);
    }
    if let Some(time) = record.expires.and_then(rfc3339) {
        out.extend_from_slice(b",\"metadata\":{\"ttlExpireTime\":");
        write_string(out, &time);
        out.push(b'}');
    }
}

/// The bytes, if they are exactly one JSON value.
fn json_text(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok()?.trim_matches([' ', '\t', '\r', '\n']);
    let value = json::value(text).ok()?;
    (value.get().len() == text.len()).then_some(text)
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
    write_string(out, value);
}
