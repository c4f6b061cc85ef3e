//! Bulk publish (`dapr-api` 2.1): many events in one request, each published by itself.

use super::super::block::{Inner, Site};
use super::super::envelope::{is, media_type};
use super::super::options::{self, Metadata};
use super::super::spans::{self, Opened};
use super::super::{Message, error};
use super::{Addressed, PublishRequest, enclose};
use crate::base64;
use crate::error::DaprError;
use crate::http::Reply;
use crate::json::{self, JsonError, RawObject, RawValue, write_string};
use crate::runtime::{BoxFuture, join_some};
use crate::telemetry::meters::{Ended, What};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How many entries are with the broker at once.
const AT_ONCE: usize = 100;

/// Bytes of all events and metadata of one request. The metadata of the query goes with every entry, so a small
/// body can ask for far more memory than it has.
const MAX_EVENTS: usize = 64 * 1024 * 1024;

/// Longest list of failed entries, in bytes, that is also given as a header.
const MAX_HEADER: usize = 8 * 1024;

struct Entry {
    id: String,
    message: Message,
    span: Option<Opened>,
}

struct Failed {
    id: String,
    why: String,
}

pub(super) async fn publish(inner: &Inner, request: PublishRequest, span: Option<&Opened>) -> Reply {
    let entries = match read(inner, &request, span) {
        Ok(entries) => entries,
        Err(error) => return error.reply(),
    };
    let start = inner.runtime.host().now();
    let flows = entries.into_iter().map(|entry| one(inner, &request.pubsub, entry));
    let failed: Vec<_> = join_some(flows, AT_ONCE).await.into_iter().flatten().collect();
    inner.note(&request.pubsub, &request.topic, (What::EgressBulk, Some(start)), Ended::of(failed.is_empty()));
    if failed.is_empty() { Reply::no_content() } else { failed_reply(&failed) }
}

fn one<'a>(inner: &'a Inner, pubsub: &'a str, entry: Entry) -> BoxFuture<'a, Option<Failed>> {
    Box::pin(async move {
        let published = inner.hand_over(What::EgressBulkEvent, pubsub, entry.message).await;
        if let Some(span) = &entry.span {
            inner.published(span, "", published.as_ref().err().map(|error| error.message.as_str()));
        }
        published.err().map(|error| Failed { id: entry.id, why: error.message })
    })
}

/// Every entry as the message to store. Nothing is published unless all of them can be.
#[inline(never)]
fn read(inner: &Inner, request: &PublishRequest, span: Option<&Opened>) -> Result<Vec<Entry>, DaprError> {
    let (pubsub, topic) = (&*request.pubsub, &*request.topic);
    let site = inner.publishing(pubsub, topic)?;
    let raw = options::raw_payload(&request.metadata).map_err(|why| error::bad_metadata(pubsub, &why))?;
    let text = json::text(&request.body);
    let all = read_fields(&text).map_err(|why| error::unreadable_entries(pubsub, topic, &why.to_string()))?;
    let bad = |why: String| error::bad_entry(pubsub, topic, &why);
    check_ids(&all).map_err(bad)?;
    let mut room = MAX_EVENTS;
    let mut entries = Vec::with_capacity(all.len());
    for fields in all {
        let entry = prepare(inner, site, request, (raw, span), fields)?;
        room = room.checked_sub(size(&entry.message)).ok_or_else(|| bad(too_much()))?;
        entries.push(entry);
    }
    Ok(entries)
}

fn size(message: &Message) -> usize {
    message.data.len() + message.metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

#[inline(never)]
fn too_much() -> String {
    format!("the events and their metadata are larger than {MAX_EVENTS} bytes together; publish fewer at once")
}

#[inline(never)]
fn read_fields(text: &str) -> Result<Vec<Fields<'_>>, JsonError> {
    json::array(text)?.into_iter().map(Fields::read).collect()
}

#[inline(never)]
fn check_ids(all: &[Fields<'_>]) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    match all.iter().find(|fields| fields.id.is_empty() || !ids.insert(&fields.id)) {
        Some(fields) => Err(format!("entryId is duplicated or not present for entry: {}", fields.id)),
        None => Ok(()),
    }
}

#[inline(never)]
fn prepare(
    inner: &Inner,
    site: &Site,
    request: &PublishRequest,
    (raw, span): (bool, Option<&Opened>),
    fields: Fields<'_>,
) -> Result<Entry, DaprError> {
    let (pubsub, topic) = (&*request.pubsub, &*request.topic);
    let Fields { id, event, content_type, metadata } = fields;
    let mut metadata = merged(&request.metadata, metadata);
    let body = event_bytes(event, &content_type)
        .map_err(|why| error::bad_entry(pubsub, topic, &format!("entry {id}: {why}")))?;
    // Each entry has a span of its own.
    let trace = request.trace.child(inner.runtime.host());
    let data = if raw {
        spans::carry(&mut metadata, &trace);
        body.into_owned()
    } else {
        enclose(inner, site, &Addressed { pubsub, topic, trace: &trace }, &body, &content_type, &metadata)?
    };
    let span = span.map(|span| span.entry(trace, data.len()));
    Ok(Entry { id, span, message: Message { topic: topic.to_owned(), data, metadata } })
}

/// An entry as it was sent.
struct Fields<'a> {
    id: String,
    event: Option<RawValue<'a>>,
    content_type: Cow<'a, str>,
    metadata: Option<Metadata>,
}

impl<'a> Fields<'a> {
    #[inline(never)]
    fn read(value: RawValue<'a>) -> Result<Self, JsonError> {
        let fields = RawObject::of(value, "an entry")?;
        Ok(Self {
            id: fields.string("entryId")?.unwrap_or_default().into_owned(),
            event: fields.get("event"),
            content_type: fields.string("contentType")?.unwrap_or_default(),
            metadata: fields.string_map("metadata")?,
        })
    }
}

/// The request's metadata reaches only entries that have some of their own, which then goes first, as in daprd.
fn merged(of_request: &Metadata, own: Option<Metadata>) -> Metadata {
    let Some(own) = own else { return Metadata::new() };
    let mut all = of_request.clone();
    all.extend(own);
    all
}

/// The bytes that an entry's event stands for.
#[inline(never)]
fn event_bytes<'a>(event: Option<RawValue<'a>>, content_type: &str) -> Result<Cow<'a, [u8]>, String> {
    let media_type = media_type(content_type);
    let event = event.ok_or("it has no event")?;
    let text = || json::string(event, "event").map_err(|why| why.to_string());
    if is(media_type, "application/json") || is(media_type, "application/cloudevents+json") {
        return Ok(Cow::Borrowed(event.get().as_bytes()));
    }
    if is(media_type, "application/octet-stream") {
        let text = text()?;
        return base64::decode(text.as_bytes()).map(Cow::Owned).ok_or_else(|| "event is no base64".to_owned());
    }
    let is_text = media_type.get(..5).is_some_and(|start| is(start, "text/"));
    if is_text || is(media_type, "application/xml") {
        return Ok(match text()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        });
    }
    Err(format!("contentType {content_type:?} is not supported"))
}

#[inline(never)]
fn failed_reply(failed: &[Failed]) -> Reply {
    let mut out = b"{\"failedEntries\":[".to_vec();
    for (at, entry) in failed.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"entryId\":" } else { b",{\"entryId\":" });
        write_string(&mut out, &entry.id);
        out.extend_from_slice(b",\"error\":");
        write_string(&mut out, &entry.why);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"errorCode\":\"ERR_PUBSUB_PUBLISH_MESSAGE\"}");
    let mut reply = Reply::json(500, out.clone());
    if let Some(first) = failed.first() {
        let why = first.why.replace(|c: char| c.is_control(), " ");
        let end = why.floor_char_boundary(MAX_HEADER);
        reply = reply.with("metadata.error", why.get(..end).unwrap_or_default());
    }
    let fits = out.len() <= MAX_HEADER && !out.contains(&0x7f);
    if fits { reply.with("metadata.responsedata", out) } else { reply }
}
