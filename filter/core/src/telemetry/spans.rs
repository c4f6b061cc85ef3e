//! Spans that only the filter knows of, on their way to a collector by OpenTelemetry's protocol (OTLP).
//!
//! A span is written as soon as it has ended; what is written goes out together. No request waits for a collector: while
//! one does not take them spans are dropped, and counted.

#[cfg(test)]
mod tests;

use super::Trace;
use crate::config::{LogLevel, Otlp, Transport};
use crate::host::{CallOutcome, HttpCall, Metric, Time};
use crate::log_line::Line;
use crate::protobuf::Message;
use crate::runtime::{Runtime, Signal};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How long a span waits for others.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of spans that go out at once.
const ENOUGH: usize = 128 * 1024;
/// Most bytes of spans that wait; those above are dropped.
const MOST: usize = 1024 * 1024;
/// Longest text of a span, in bytes.
const LONGEST: usize = 1024;

/// What a span is of, by OTLP's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody is asked.
    Client = 3,
    /// A message is sent.
    Producer = 4,
}

/// A span that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// Its ids, and its parent's.
    pub trace: &'a Trace,
    /// Its name.
    pub name: &'a str,
    /// What it is of.
    pub kind: Kind,
    /// When it began.
    pub start: Time,
    /// Attributes that are texts.
    pub texts: &'a [(&'a str, &'a str)],
    /// Attributes that are numbers.
    pub numbers: &'a [(&'a str, usize)],
    /// What went wrong, if anything did.
    pub error: Option<&'a str>,
}

/// Spans that wait.
#[derive(Default)]
struct Batch {
    /// The fields `spans` of a `ScopeSpans`.
    bytes: Message,
    count: u32,
}

struct Inner {
    runtime: Runtime,
    to: Otlp,
    /// The fields of `ResourceSpans` and `ScopeSpans` that are the same for all: who made the spans.
    resource: Vec<u8>,
    scope: Vec<u8>,
    waiting: RefCell<Batch>,
    /// How many spans are on their way.
    sent: Cell<u32>,
    /// Raised when there are enough of them.
    enough: Signal,
    /// Whether the flow that sends them runs.
    runs: Cell<bool>,
    /// Whether the collector did not take the last ones.
    fails: Cell<bool>,
}

/// The spans of one application. Cheap to clone.
#[derive(Clone)]
pub struct Spans(Option<Rc<Inner>>);

impl Spans {
    /// To that collector; without one there are none.
    #[inline(never)]
    pub fn new(to: Option<&Otlp>, app_id: &str, runtime: &Runtime) -> Self {
        let Some(to) = to else { return Self(None) };
        let mut resource = Message::default();
        attribute(&mut resource, 1, "service.name", Value::Text(app_id));
        let mut scope = Message::default();
        scope.bytes(1, b"weft");
        scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
        Self(Some(Rc::new(Inner {
            runtime: runtime.clone(),
            to: to.clone(),
            resource: resource.0,
            scope: scope.0,
            waiting: RefCell::default(),
            sent: Cell::new(0),
            enough: Signal::default(),
            runs: Cell::new(false),
            fails: Cell::new(false),
        })))
    }

    /// Whether a span of this trace would be kept.
    pub fn take(&self, trace: &Trace) -> bool {
        self.0.is_some() && trace.is_recorded()
    }

    /// How many are not with the collector yet.
    pub fn pending(&self) -> usize {
        let count = |inner: &Rc<Inner>| inner.waiting.borrow().count + inner.sent.get();
        self.0.as_ref().map_or(0, |inner| usize::try_from(count(inner)).unwrap_or(usize::MAX))
    }

    /// Sends what waits now.
    pub fn flush(&self) {
        if let Some(inner) = &self.0 {
            inner.enough.raise();
        }
    }

    /// Keeps a span that ends now, if its trace is sampled.
    #[inline(never)]
    pub fn record(&self, span: &Span<'_>) {
        let Some(inner) = self.0.as_ref().filter(|_| span.trace.is_recorded()) else { return };
        let mut waiting = inner.waiting.borrow_mut();
        if waiting.bytes.0.len() >= MOST {
            inner.runtime.host().count(Metric::SpansDropped, 1);
            return;
        }
        write(&mut waiting.bytes, span, inner.runtime.host().now());
        waiting.count += 1;
        if waiting.bytes.0.len() >= ENOUGH {
            inner.enough.raise();
        }
        drop(waiting);
        if !inner.runs.replace(true) {
            inner.runtime.spawn(Box::pin(Rc::clone(inner).send_all()));
        }
    }
}

impl Inner {
    /// Sends spans as long as there are some.
    async fn send_all(self: Rc<Self>) {
        loop {
            let pause = self.runtime.sleep(PAUSE);
            self.enough.clone().raised_or(pause).await;
            let batch = self.waiting.take();
            if batch.count == 0 {
                break;
            }
            self.sent.set(batch.count);
            let outcome = self.call(&batch.bytes.0);
            let failed = match outcome {
                Ok(call) => self.refused(call.await),
                Err(why) => Some(why),
            };
            self.sent.set(0);
            self.tell(batch.count, failed);
        }
        self.runs.set(false);
    }

    #[inline(never)]
    fn call(&self, spans: &[u8]) -> Result<crate::runtime::Call, String> {
        let is_grpc = self.to.transport == Transport::Grpc;
        let body = self.request(spans, is_grpc);
        let (path, kind) = if is_grpc {
            ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc")
        } else {
            ("/v1/traces", "application/x-protobuf")
        };
        let mut headers =
            vec![(":method", "POST"), (":path", path), (":authority", &self.to.authority), ("content-type", kind)];
        if is_grpc {
            headers.push(("te", "trailers"));
        }
        let timeout = Duration::from_millis(self.to.timeout_ms.into());
        let call = HttpCall { cluster: &self.to.cluster, headers, body: &body, timeout };
        self.runtime.call(call).map_err(|why| why.to_string())
    }

    /// `ExportTraceServiceRequest`, for gRPC with its five bytes before it.
    #[inline(never)]
    fn request(&self, spans: &[u8], is_grpc: bool) -> Vec<u8> {
        let mut of_scope = Message::default();
        of_scope.bytes(1, &self.scope);
        let mut of_resource = Message::default();
        of_resource.bytes(1, &self.resource);
        of_resource.length(2, of_scope.0.len() + spans.len());
        let mut head = Message::default();
        head.length(1, of_resource.0.len() + of_scope.0.len() + spans.len());
        let length = head.0.len() + of_resource.0.len() + of_scope.0.len() + spans.len();
        let mut body = Vec::with_capacity(length + 5);
        if is_grpc {
            body.push(0);
            body.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
        for part in [&head.0, &of_resource.0, &of_scope.0, spans] {
            body.extend_from_slice(part);
        }
        body
    }

    /// Why the collector did not take what it was sent. A gRPC error has no message, a success always has one.
    #[inline(never)]
    fn refused(&self, outcome: CallOutcome) -> Option<String> {
        match outcome {
            CallOutcome::Answered { status: 200..=299, body }
                if self.to.transport != Transport::Grpc || !body.is_empty() =>
            {
                None
            }
            CallOutcome::Answered { status: 200, .. } => Some("it answered with a gRPC error".to_owned()),
            CallOutcome::Answered { status, .. } => Some(format!("it answered {status}")),
            CallOutcome::Failed { status } => Some(format!("it cannot be reached (the proxy says {status})")),
        }
    }

    /// Counts; the log tells only of changes.
    #[inline(never)]
    fn tell(&self, count: u32, failed: Option<String>) {
        let metric = if failed.is_some() { Metric::SpansDropped } else { Metric::SpansSent };
        self.runtime.host().count(metric, count);
        let fails = failed.is_some();
        if self.fails.replace(fails) == fails {
            return;
        }
        let about = [("cluster", self.to.cluster.as_str())];
        let line = |what, why| Line { component: "tracing", about: &about, what, why };
        match failed {
            Some(why) => {
                self.runtime.log(LogLevel::Warn, &line("the collector takes no spans, they are dropped", &why))
            }
            None => self.runtime.log(LogLevel::Info, &line("the collector takes spans again", "")),
        }
    }
}

enum Value<'a> {
    Text(&'a str),
    Number(usize),
}

/// One element of `ScopeSpans.spans`.
#[inline(never)]
fn write(out: &mut Message, span: &Span<'_>, end: Time) {
    let Some(context) = span.trace.context() else { return };
    let at = out.begin(2);
    out.bytes(1, &context.trace_id);
    out.bytes(2, &context.span_id);
    if !span.trace.tracestate().is_empty() {
        out.bytes(3, span.trace.tracestate().as_bytes());
    }
    if let Some(parent) = span.trace.parent() {
        out.bytes(4, &parent);
    }
    out.bytes(5, short(span.name));
    out.number(6, span.kind as u64);
    out.fixed64(7, nanos(span.start));
    out.fixed64(8, nanos(end.max(span.start)));
    for (name, text) in span.texts {
        attribute(out, 9, name, Value::Text(text));
    }
    for (name, number) in span.numbers {
        attribute(out, 9, name, Value::Number(*number));
    }
    if let Some(error) = span.error {
        let status = out.begin(15);
        out.bytes(2, short(error));
        out.number(3, 2);
        out.end(status);
    }
    out.fixed32(16, 1);
    out.end(at);
}

/// A `KeyValue`.
#[inline(never)]
fn attribute(out: &mut Message, field: u32, name: &str, value: Value<'_>) {
    let at = out.begin(field);
    out.bytes(1, name.as_bytes());
    let inner = out.begin(2);
    match value {
        Value::Text(text) => out.bytes(1, short(text)),
        Value::Number(number) => out.number(3, u64::try_from(number).unwrap_or(u64::MAX)),
    }
    out.end(inner);
    out.end(at);
}

fn short(text: &str) -> &[u8] {
    let end = text.floor_char_boundary(LONGEST);
    text.as_bytes().get(..end).unwrap_or_default()
}

fn nanos(time: Time) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}
