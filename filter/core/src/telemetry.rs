//! W3C trace context: which trace a request belongs to, and what is told to the next one.

pub mod baggage;
mod binary;
mod context;
mod edits;
#[cfg(feature = "blocks")]
pub mod meters;
mod sampling;
#[cfg(feature = "blocks")]
pub mod spans;

pub use context::TraceContext;
pub use sampling::Sampling;

use crate::host::Host;
use crate::http::{Headers, Reply};
use std::borrow::Cow;

/// What daprd's delivery header says where there is no trace.
const NO_TRACE: &str = "00-00000000000000000000000000000000-0000000000000000-00";

/// Longest `tracestate`, in bytes, that a delivery passes on; the publisher wrote it, and an application takes only so
/// much of headers. 512 must be possible (W3C Trace Context, 3.3.1.5).
const MAX_STATE: usize = 2048;

/// Fields of an answer.
pub type Told = Vec<(&'static str, Vec<u8>)>;

/// What one request knows of its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    span: Span,
    /// `tracestate` of a valid parent; empty for none.
    state: String,
    /// The span above ours.
    parent: Option<[u8; 8]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    /// Tracing is off: only what came in is passed on.
    Passed(Option<TraceContext>),
    /// A span of ours, below one that came in.
    Child(TraceContext),
    /// The first span of a trace of ours.
    Root(TraceContext),
}

impl Trace {
    /// No trace: nothing is told to anybody, what came in is left as it is.
    pub fn off() -> Self {
        Self { span: Span::Passed(None), state: String::new(), parent: None }
    }

    /// The trace of a request with these headers. A valid `traceparent` is continued by a new span with the same trace
    /// id and flags; without one a new trace is started, sampled by `sampling`. With sampling off nothing is started
    /// and what came in is passed on unchanged.
    ///
    /// Two `traceparent` fields count as none, and `tracestate` counts only beside a valid `traceparent` (W3C Trace
    /// Context, 3.2 and 3.3).
    #[inline(never)]
    pub fn continue_or_start(headers: &Headers, sampling: &Sampling, host: &dyn Host) -> Self {
        let parent = only_parent(headers);
        let state = if parent.is_some() { joined_state(headers) } else { String::new() };
        Self::below(parent, state, sampling, host)
    }

    /// The trace of a request that the callee's side passes on. A valid `traceparent` stays as it came: the caller's side
    /// has made the call's span, and an id that no span has would cut the tree. Without one, as
    /// [`Trace::continue_or_start`].
    #[inline(never)]
    pub fn keep_or_start(headers: &Headers, sampling: &Sampling, host: &dyn Host) -> Self {
        match only_parent(headers) {
            Some(parent) => Self { span: Span::Passed(Some(parent)), state: String::new(), parent: None },
            None => Self::below(None, String::new(), sampling, host),
        }
    }

    /// The trace of a delivery, below the span that an event's envelope names. Same rules.
    #[inline(never)]
    pub fn of_event(traceparent: Option<&str>, tracestate: Option<&str>, sampling: &Sampling, host: &dyn Host) -> Self {
        let parent = traceparent.and_then(|text| TraceContext::parse(text.as_bytes()));
        let is_sound = |text: &&str| text.len() <= MAX_STATE && is_header_text(text.as_bytes());
        let state = tracestate.filter(is_sound).filter(|_| parent.is_some());
        Self::below(parent, state.unwrap_or_default().to_owned(), sampling, host)
    }

    fn below(parent: Option<TraceContext>, state: String, sampling: &Sampling, host: &dyn Host) -> Self {
        let above = parent.map(|context| context.span_id);
        let span = match (parent, sampling) {
            (parent, Sampling::Off) => Span::Passed(parent),
            (Some(parent), _) => Span::Child(parent.child(host)),
            (None, _) => Span::Root(TraceContext::start(sampling, host)),
        };
        Self { span, state, parent: above }
    }

    /// Another span below this one's, for one part of the request. Without a span of ours it is the same.
    #[must_use]
    pub fn child(&self, host: &dyn Host) -> Self {
        let span = match &self.span {
            Span::Passed(context) => Span::Passed(*context),
            Span::Child(context) | Span::Root(context) => Span::Child(context.child(host)),
        };
        let parent = self.context().map(|context| context.span_id);
        Self { span, state: self.state.clone(), parent }
    }

    /// Whether a span of ours is to be recorded.
    pub fn is_recorded(&self) -> bool {
        match &self.span {
            Span::Passed(_) => false,
            Span::Child(context) | Span::Root(context) => context.sampled(),
        }
    }

    /// Whether nobody is above our span.
    pub fn is_root(&self) -> bool {
        matches!(self.span, Span::Root(_))
    }

    /// The number of the span above ours.
    pub fn parent(&self) -> Option<[u8; 8]> {
        self.parent
    }

    /// The span that the next one is told about.
    pub fn context(&self) -> Option<&TraceContext> {
        match &self.span {
            Span::Passed(context) => context.as_ref(),
            Span::Child(context) | Span::Root(context) => Some(context),
        }
    }

    /// `traceparent` as an event's envelope has it: empty if there is no trace.
    pub fn traceparent(&self) -> String {
        self.context().map(TraceContext::to_string).unwrap_or_default()
    }

    /// `tracestate`; empty if there is none.
    pub fn tracestate(&self) -> &str {
        &self.state
    }

    /// `traceparent` for the answer to a caller; `None` if there is no span of ours.
    pub fn response_header(&self) -> Option<Vec<u8>> {
        match &self.span {
            Span::Passed(_) => None,
            Span::Child(context) | Span::Root(context) => Some(context.text().to_vec()),
        }
    }

    /// Adds [`Trace::response_header`] to an answer.
    #[must_use]
    pub fn answer(&self, reply: Reply) -> Reply {
        match self.response_header() {
            Some(traceparent) => reply.with("traceparent", traceparent),
            None => reply,
        }
    }

    /// What the answer to a caller tells of its trace: the span, `tracestate` and `baggage`, in that order. `headers` are
    /// the request's. Nothing, if there is no span of ours.
    #[inline(never)]
    pub fn told(&self, headers: &Headers) -> Told {
        let Some(traceparent) = self.response_header() else { return Told::new() };
        let mut told = vec![("traceparent", traceparent)];
        if !self.state.is_empty() {
            told.push(("tracestate", self.state.clone().into_bytes()));
        }
        let baggage: Vec<&[u8]> = headers.all("baggage").filter(|value| !value.is_empty()).collect();
        if !baggage.is_empty() {
            told.push(("baggage", baggage.join(&b',')));
        }
        told
    }

    /// Whether `baggage` is looked at.
    pub fn is_on(&self) -> bool {
        !matches!(self.span, Span::Passed(_))
    }

    /// `traceparent` of a delivery; without a trace, daprd's zeros. `tracestate` goes beside it if there is one.
    pub fn delivery_header(&self) -> Cow<'static, str> {
        match self.context() {
            Some(context) => Cow::Owned(context.to_string()),
            None => Cow::Borrowed(NO_TRACE),
        }
    }
}

/// The context that a request came with, if it came with exactly one.
fn only_parent(headers: &Headers) -> Option<TraceContext> {
    let mut all = headers.all("traceparent");
    match (all.next(), all.next()) {
        (Some(only), None) => TraceContext::parse(only),
        _ => None,
    }
}

/// All `tracestate` fields as one list; empty if one of them is not text that a header may hold.
fn joined_state(headers: &Headers) -> String {
    let mut joined = Vec::new();
    for value in headers.all("tracestate").filter(|value| !value.is_empty()) {
        if !joined.is_empty() {
            joined.push(b',');
        }
        joined.extend_from_slice(value);
    }
    String::from_utf8(joined).ok().filter(|text| is_header_text(text.as_bytes())).unwrap_or_default()
}

fn is_header_text(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests;
