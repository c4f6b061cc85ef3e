//! Publishing: from a request to the broker, and the broker's word back as Dapr's answer.

mod bulk;

use super::block::{Inner, Site};
use super::envelope::{self, Event};
use super::options::{self, Metadata};
use super::{Message, error, spans};
use crate::config::LogLevel;
use crate::error::DaprError;
use crate::http::Reply;
use crate::runtime::BoxFuture;
use crate::telemetry::Trace;
use crate::telemetry::meters::What;
use std::rc::Rc;

/// One event to publish, or the body of a bulk request.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// Name of the broker component.
    pub pubsub: String,
    /// Topic, as the application names it.
    pub topic: String,
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's `content-type` as it was sent; empty for none.
    pub content_type: String,
    /// `metadata.*` of the query, without that prefix.
    pub metadata: Metadata,
    /// The request's trace.
    pub trace: Trace,
}

/// See [`super::PubSub::publish`].
pub(super) fn publish(inner: Rc<Inner>, mut request: PublishRequest) -> BoxFuture<'static, Reply> {
    let raw = options::raw_payload(&request.metadata);
    inner.follow_event(&mut request, raw == Ok(true));
    let span = inner.open(&request, "/v1.0/publish/");
    let trace = request.trace.clone();
    let prepared = prepare(&inner, request, raw);
    Box::pin(async move {
        let published = match prepared {
            Ok((pubsub, message)) => inner.hand_over(What::Egress, &pubsub, message).await,
            Err(error) => Err(error),
        };
        let reply = published.map_or_else(|error| error.reply(), |()| Reply::no_content());
        inner.answered(span, &reply);
        trace.answer(reply)
    })
}

/// See [`super::PubSub::publish_bulk`].
pub(super) fn publish_bulk(inner: Rc<Inner>, request: PublishRequest) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let trace = request.trace.clone();
        let span = inner.open(&request, "/v1.0/publish/bulk/");
        let reply = bulk::publish(&inner, request, span.as_ref()).await;
        inner.answered(span, &reply);
        trace.answer(reply)
    })
}

#[inline(never)]
fn prepare(inner: &Inner, request: PublishRequest, raw: Result<bool, String>) -> Result<(String, Message), DaprError> {
    let PublishRequest { pubsub, topic, body, content_type, mut metadata, trace } = request;
    let site = inner.publishing(&pubsub, &topic)?;
    let data = if raw.map_err(|why| error::bad_metadata(&pubsub, &why))? {
        spans::carry(&mut metadata, &trace);
        body
    } else {
        enclose(
            inner,
            site,
            &Addressed { pubsub: &pubsub, topic: &topic, trace: &trace },
            &body,
            &content_type,
            &metadata,
        )?
    };
    Ok((pubsub, Message { topic, data, metadata }))
}

/// Where events go, and on whose behalf.
struct Addressed<'a> {
    pubsub: &'a str,
    topic: &'a str,
    trace: &'a Trace,
}

/// The bytes to store for an event that travels in an envelope.
fn enclose(
    inner: &Inner,
    site: &Site,
    to: &Addressed<'_>,
    body: &[u8],
    content_type: &str,
    metadata: &Metadata,
) -> Result<Vec<u8>, DaprError> {
    let event = Event {
        app_id: &inner.app_id,
        pubsub: to.pubsub,
        topic: to.topic,
        content_type,
        body,
        metadata,
        trace: to.trace,
        broker_has_ttl: site.has_ttl,
    };
    if !event.is_cloud_event() {
        return Ok(envelope::wrap(&event, inner.runtime.host()));
    }
    envelope::complete(&event, inner.runtime.host()).map_err(|why| {
        inner.log(LogLevel::Debug, "a CloudEvent was refused", &why.to_string());
        error::bad_cloud_event(to.pubsub)
    })
}

#[cfg(test)]
mod tests;
