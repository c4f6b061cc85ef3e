//! Reading many values with one request.

use super::block::{Flow, Site};
use super::{Record, StoreError, error};
use crate::app::Request;
use crate::error::DaprError;
use crate::http::Reply;
use crate::json::{self, JsonError, RawObject, RawValue, write_string};
use crate::runtime::{BoxFuture, join_some};
use crate::timestamp::rfc3339;
use std::cell::Cell;
use std::rc::Rc;

/// How many keys are read at once, at most and if the request does not say.
const AT_ONCE: usize = 100;

/// Bytes of all values of one answer.
const MAX_VALUES: usize = 32 * 1024 * 1024;

/// `POST /v1.0/state/{store}/bulk`: an array with one object for each key, in the order of the keys.
#[inline(never)]
pub(super) fn get(site: Rc<Site>, request: &Request) -> Flow {
    let Asked { keys, at_once } = read(&site, request)?;
    Ok(Box::pin(async move {
        let room = Cell::new(MAX_VALUES);
        let flows = keys.into_iter().map(|key| one(&site, key, &room));
        let entries = join_some(flows, at_once).await;
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
    read: Result<Option<Record>, StoreError>,
}

#[inline(never)]
fn read(site: &Site, request: &Request) -> Result<Asked, DaprError> {
    let text = json::text(&request.body);
    let (keys, at_once) = members(&text).map_err(|why| error::unreadable(&why.to_string()))?;
    let keys = keys.into_iter().map(|own| site.full_key(&own).map(|full| Key { own, full }));
    Ok(Asked { keys: keys.collect::<Result<_, _>>()?, at_once })
}

fn members(text: &str) -> Result<(Vec<String>, usize), JsonError> {
    let fields = RawObject::parse(text)?;
    // Stores that are served here take none; its form is judged as daprd does.
    fields.string_map("metadata")?;
    let mut keys = Vec::new();
    for key in fields.array("keys")? {
        keys.push(if key.is_null() { String::new() } else { json::string(key, "every key")?.into_owned() });
    }
    Ok((keys, fields.given("parallelism").map_or(Ok(AT_ONCE), parallelism)?))
}

/// A whole number; 0 and less leaves it to us.
fn parallelism(value: RawValue<'_>) -> Result<usize, JsonError> {
    let number = value.get().parse::<i64>().map_err(|_| JsonError::expected("parallelism", "a whole number"))?;
    Ok(usize::try_from(number).ok().filter(|number| *number > 0).map_or(AT_ONCE, |number| number.min(AT_ONCE)))
}

/// Reads one key; `None` if there is no room for more values, then also without asking the store.
fn one<'a>(site: &'a Site, key: Key, room: &'a Cell<usize>) -> BoxFuture<'a, Option<Entry>> {
    Box::pin(async move {
        if room.get() == 0 {
            return None;
        }
        let read = site.store.get(key.full).await;
        let size = read.as_ref().map_or(0, |record| record.as_ref().map_or(0, |record| record.data.len()));
        match room.get().checked_sub(size) {
            Some(left) => room.set(left),
            None => {
                room.set(0);
                return None;
            }
        }
        Some(Entry { key: key.own, read })
    })
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
            Err(why) => member(&mut out, "error", &why.to_string()),
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
