//! The CloudEvents 1.0 envelope of a published event (`dapr-api` 2.3 to 2.5).

mod ready;

use super::options::{self, Metadata};
use crate::base64;
use crate::host::{Host, Time};
use crate::json::{self, write_string};
use crate::telemetry::Trace;
use crate::timestamp::rfc3339;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Builder;

pub(crate) use ready::complete;

/// `type` of an event whose publisher gave none.
const EVENT_TYPE: &str = "com.dapr.event.sent";
/// `source` of an event that has no other.
const NO_SOURCE: &str = "Dapr";

/// What an envelope is made from.
pub(crate) struct Event<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) pubsub: &'a str,
    /// Without a namespace in front.
    pub(crate) topic: &'a str,
    /// As it was sent; may be empty.
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) metadata: &'a Metadata,
    pub(crate) trace: &'a Trace,
    /// Whether the broker itself lets messages expire.
    pub(crate) broker_has_ttl: bool,
}

impl Event<'_> {
    /// Whether the body is a CloudEvent already.
    pub(crate) fn is_cloud_event(&self) -> bool {
        is_cloud_event(self.content_type)
    }

    fn expiration(&self, now: Time) -> Option<String> {
        if self.broker_has_ttl {
            return None;
        }
        let ttl = options::ttl(self.metadata)?;
        // Whole seconds, rounded up so that nothing expires early.
        let up = if ttl.is_zero() { Duration::ZERO } else { Duration::from_nanos(999_999_999) };
        now.checked_add(ttl)?.checked_add(up).and_then(rfc3339)
    }
}

/// Whether a body of that content type is a CloudEvent.
pub(crate) fn is_cloud_event(content_type: &str) -> bool {
    is(media_type(content_type), "application/cloudevents+json")
}

/// Wraps a body in a new envelope. Attributes are in bytewise order, as Go writes maps.
#[inline(never)]
pub(crate) fn wrap(event: &Event<'_>, host: &dyn Host) -> Vec<u8> {
    let now = host.now();
    let traceparent = event.trace.traceparent();
    let overridden = |name| options::cloud_event(event.metadata, name);
    // One value for both attributes, as in daprd.
    let trace = overridden("traceparent").or_else(|| overridden("traceid")).unwrap_or(&traceparent);
    let mut out = Writer::new(event.body.len() + 512);
    write_data(&mut out, event);
    out.text("datacontenttype", if event.content_type.is_empty() { "text/plain" } else { event.content_type });
    if let Some(expiration) = event.expiration(now) {
        out.text("expiration", &expiration);
    }
    match overridden("id") {
        Some(id) => out.text("id", id),
        None => out.text("id", &new_id(host)),
    }
    out.text("pubsubname", event.pubsub);
    let source = if event.app_id.is_empty() { NO_SOURCE } else { event.app_id };
    out.text("source", overridden("source").unwrap_or(source));
    out.text("specversion", "1.0");
    if let Some(subject) = overridden("subject") {
        out.text("subject", subject);
    }
    out.text("time", &rfc3339(now).unwrap_or_default());
    out.text("topic", event.topic);
    out.text("traceid", trace);
    out.text("traceparent", trace);
    out.text("tracestate", overridden("tracestate").unwrap_or(event.trace.tracestate()));
    out.text("type", overridden("type").unwrap_or(EVENT_TYPE));
    out.end()
}

/// Wraps stored bytes for a subscription that asked for raw events. Nothing is known of them but what the message's
/// metadata says of the trace.
#[inline(never)]
pub(crate) fn wrap_raw(pubsub: &str, topic: &str, data: &[u8], metadata: &Metadata, host: &dyn Host) -> Vec<u8> {
    let mut out = Writer::new(data.len() / 3 * 4 + 256);
    out.base64(data);
    out.text("datacontenttype", "application/octet-stream");
    out.text("id", &new_id(host));
    out.text("pubsubname", pubsub);
    out.text("source", NO_SOURCE);
    out.text("specversion", "1.0");
    out.text("topic", topic);
    for name in ["traceid", "traceparent", "tracestate"] {
        if let Some(value) = metadata.get(name) {
            out.text(name, value);
        }
    }
    out.text("type", EVENT_TYPE);
    out.end()
}

fn write_data(out: &mut Writer, event: &Event<'_>) {
    let media_type = media_type(event.content_type);
    if is(media_type, "application/json") {
        let text = json::text(event.body);
        match json::value(&text) {
            Ok(value) => out.raw("data", value.get()),
            Err(_) => out.text("data", &text),
        }
        return;
    }
    let binary = ["application/octet-stream", "application/cloudevents+protobuf", "application/x-protobuf"];
    match std::str::from_utf8(event.body) {
        Ok(text) if !binary.iter().any(|known| is(media_type, known)) => out.text("data", text),
        // Also what claims to be text and is no UTF-8: a JSON string would damage it.
        _ => out.base64(event.body),
    }
}

/// What stands before the parameters of a content type.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a media type is that (lower-case) one.
pub(crate) fn is(media_type: &str, known: &str) -> bool {
    media_type.eq_ignore_ascii_case(known)
}

/// A random UUID.
pub(crate) fn new_id(host: &dyn Host) -> String {
    let mut bytes = [0; 16];
    host.fill_random(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
}

/// The value of an attribute.
enum Value<'a> {
    /// JSON text.
    Raw(&'a str),
    Text(Cow<'a, str>),
}

/// A JSON object under way.
struct Writer(Vec<u8>);

impl Writer {
    fn new(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write_string(&mut self.0, name);
        self.0.push(b':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        write_string(&mut self.0, value);
    }

    fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.extend_from_slice(value.as_bytes());
    }

    fn value(&mut self, name: &str, value: &Value<'_>) {
        match value {
            Value::Raw(value) => self.raw(name, value),
            Value::Text(value) => self.text(name, value),
        }
    }

    fn base64(&mut self, data: &[u8]) {
        self.name("data_base64");
        self.0.push(b'"');
        base64::encode(&mut self.0, data);
        self.0.push(b'"');
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(if self.0.is_empty() { b"{}" } else { b"}" });
        self.0
    }
}

#[cfg(test)]
mod tests;
