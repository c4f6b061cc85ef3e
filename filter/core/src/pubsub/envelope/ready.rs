//! A body that is a CloudEvent already: kept, and completed where something is missing (`dapr-api` 2.4).

use super::{EVENT_TYPE, Event, NO_SOURCE, Value, Writer};
use crate::host::Host;
use crate::json::{self, JsonError, RawObject};
use crate::timestamp::rfc3339;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The envelope with what daprd adds to it. `id` and the data stay as they are, given or not.
///
/// # Errors
/// The body is no JSON object.
#[inline(never)]
pub(crate) fn complete(event: &Event<'_>, host: &dyn Host) -> Result<Vec<u8>, JsonError> {
    let text = json::text(event.body);
    let object = RawObject::parse(&text)?;
    if !text.trim_start().starts_with('{') {
        return Err(JsonError::expected("the event", "an object"));
    }
    let mut attributes = BTreeMap::new();
    for (name, value) in object.members() {
        attributes.insert(name, Value::Raw(value.get()));
    }
    // `null` is JSON for "not given" (CloudEvents JSON format, 2.1).
    let ours = ["source", "type", "specversion", "time", "traceid", "tracestate"];
    attributes.retain(|name, value| !(ours.contains(name) && matches!(value, Value::Raw("null"))));
    add(&mut attributes, event, host);
    let mut out = Writer::new(event.body.len() + 512);
    for (name, value) in &attributes {
        out.value(name, value);
    }
    Ok(out.end())
}

fn add<'a>(attributes: &mut BTreeMap<&'a str, Value<'a>>, event: &Event<'a>, host: &dyn Host) {
    let now = host.now();
    let borrowed = |text: &'a str| Value::Text(Cow::Borrowed(text));
    attributes.insert("topic", borrowed(event.topic));
    attributes.insert("pubsubname", borrowed(event.pubsub));
    if !attributes.contains_key("traceid") {
        // Both of them, even over a `traceparent` of the publisher, as daprd does.
        attributes.insert("traceid", Value::Text(Cow::Owned(event.trace.traceparent())));
        attributes.insert("traceparent", Value::Text(Cow::Owned(event.trace.traceparent())));
    }
    if let Some(expiration) = event.expiration(now) {
        attributes.insert("expiration", Value::Text(Cow::Owned(expiration)));
    }
    if let (false, Some(time)) = (attributes.contains_key("time"), rfc3339(now)) {
        attributes.insert("time", Value::Text(Cow::Owned(time)));
    }
    let defaults =
        [("tracestate", event.trace.tracestate()), ("source", NO_SOURCE), ("type", EVENT_TYPE), ("specversion", "1.0")];
    for (name, value) in defaults {
        attributes.entry(name).or_insert_with(|| borrowed(value));
    }
}
