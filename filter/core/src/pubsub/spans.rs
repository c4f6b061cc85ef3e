//! The spans of events (`dapr-api` 7.2), with OpenTelemetry's own names for messaging beside Dapr's.

use super::block::Inner;
use super::options::{self, Metadata};
use super::publish::PublishRequest;
use super::subscription::Subscription;
use crate::host::Time;
use crate::http::Reply;
use crate::json::{self, RawObject};
use crate::telemetry::Trace;
use crate::telemetry::spans::{Kind, Span};

/// A span of a publish call that has begun.
pub(super) struct Opened {
    trace: Trace,
    start: Time,
    /// The path of the API.
    path: String,
    topic: String,
    size: usize,
    kind: Kind,
}

impl Opened {
    /// The span of one entry of a bulk call.
    pub(super) fn entry(&self, trace: Trace, size: usize) -> Self {
        let (path, topic) = (self.path.clone(), self.topic.clone());
        Self { trace, start: self.start, path, topic, size, kind: Kind::Producer }
    }
}

impl Inner {
    /// Begins the span of a publish call, if one is wanted. `api` is what stands before the broker in the path.
    #[inline(never)]
    pub(super) fn open(&self, request: &PublishRequest, api: &str) -> Option<Opened> {
        self.spans.take(&request.trace).then(|| Opened {
            trace: request.trace.clone(),
            start: self.runtime.host().now(),
            path: [api, &request.pubsub, "/", &request.topic].concat(),
            topic: request.topic.clone(),
            size: request.body.len(),
            kind: Kind::Client,
        })
    }

    /// Ends the span of a publish call with its answer.
    #[inline(never)]
    pub(super) fn answered(&self, span: Option<Opened>, reply: &Reply) {
        let Some(span) = span else { return };
        let error = (reply.status >= 400).then(|| std::str::from_utf8(&reply.body).unwrap_or_default());
        self.published(&span, &reply.status.to_string(), error);
    }

    /// Ends the span of an event that was published, or was not and why.
    #[inline(never)]
    pub(super) fn published(&self, span: &Opened, status: &str, error: Option<&str>) {
        let api = ["POST ", &span.path].concat();
        let mut texts = vec![
            ("dapr.api", api.as_str()),
            ("dapr.protocol", "http"),
            ("http.request.method", "POST"),
            ("messaging.system", "pubsub"),
            ("messaging.destination.name", &span.topic),
            ("messaging.operation.type", "send"),
            ("messaging.operation.name", "publish"),
        ];
        if !status.is_empty() {
            texts.push(("dapr.status_code", status));
        }
        self.spans.record(&Span {
            trace: &span.trace,
            name: &span.path,
            kind: span.kind,
            start: span.start,
            texts: &texts,
            numbers: &[("messaging.message.body.size", span.size)],
            error,
        });
    }

    /// Records the delivery of an event that ends now. `status` is the application's.
    #[inline(never)]
    pub(super) fn delivered(
        &self,
        to: &Subscription,
        trace: &Trace,
        begun: (Time, usize),
        status: u16,
        error: Option<&str>,
    ) {
        if !self.spans.take(trace) {
            return;
        }
        let (status, (start, size)) = (status.to_string(), begun);
        self.spans.record(&Span {
            trace,
            name: &["pubsub/", &to.topic].concat(),
            kind: Kind::Client,
            start,
            texts: &[
                ("dapr.protocol", "http"),
                ("dapr.status_code", &status),
                ("http.request.method", "POST"),
                ("messaging.system", "pubsub"),
                ("messaging.destination.name", &to.topic),
                ("messaging.operation.type", "process"),
                ("messaging.operation.name", "deliver"),
            ],
            numbers: &[("messaging.message.body.size", size)],
            error,
        });
    }

    /// Where a publish call brought no trace, the event's own word for it counts.
    #[inline(never)]
    pub(super) fn follow_event(&self, request: &mut PublishRequest, raw: bool) {
        if !request.trace.is_root() {
            return;
        }
        let host = self.runtime.host();
        let metadata = &request.metadata;
        let named = |name: &str| match raw {
            true => metadata.get(name).map(String::as_str),
            false => options::cloud_event(metadata, name),
        };
        let mut own = [named("traceparent").or_else(|| named("traceid")), named("tracestate")].map(own);
        let is_event = !raw && super::envelope::is_cloud_event(&request.content_type);
        if let (None, true) = (&own[0], is_event) {
            let text = json::text(&request.body);
            if let Ok(object) = RawObject::parse(&text) {
                let of = |name: &str| object.string(name).ok().flatten().filter(|text| !text.is_empty());
                let found = [of("traceid").or_else(|| of("traceparent")), of("tracestate")];
                own = found.map(|text| text.map(|text| text.into_owned()));
            }
        }
        let [Some(parent), state] = own else { return };
        request.trace = Trace::of_event(Some(&parent), state.as_deref(), &self.sampling, host);
    }
}

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Puts the trace of a raw event, which has no envelope, beside it, unless its publisher has.
pub(super) fn carry(metadata: &mut Metadata, trace: &Trace) {
    let Some(context) = trace.context() else { return };
    if metadata.contains_key("traceparent") || metadata.contains_key("traceid") {
        return;
    }
    metadata.insert("traceparent".to_owned(), context.to_string());
    if !trace.tracestate().is_empty() {
        metadata.insert("tracestate".to_owned(), trace.tracestate().to_owned());
    }
}
