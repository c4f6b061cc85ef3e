//! The answer to an invocation on its way back.

use super::{Exchange, Stage};
use crate::http::{Headers, Reply};
use crate::invoke::{self, Edits};

/// What the shell does with an answer's headers.
#[derive(Debug, PartialEq, Eq)]
pub enum ResponseStep {
    /// Let it go on as it is.
    Continue,
    /// Change the headers, then let it go on.
    Edit(Edits),
    /// Answer with this instead.
    Replace(Reply),
}

/// What Envoy calls an answer that came from the other side.
const FROM_UPSTREAM: &str = "via_upstream";

/// The headers of an answer, read one by one: most answers need no more than their status, and reading all of them
/// costs the proxy more than anything else here.
pub trait AnswerHead {
    /// The first value of a field.
    fn value(&self, name: &str) -> Option<Vec<u8>>;
    /// How the answer came about, in the proxy's words.
    fn details(&self) -> String;
}

impl Exchange {
    /// An answer's headers are here. `details` asks the proxy for its response code details.
    pub fn response_head(&mut self, headers: &Headers, details: impl Fn() -> String) -> ResponseStep {
        match std::mem::replace(&mut self.stage, Stage::Settled) {
            Stage::Forwarded { app, traceparent } => returned(headers, &app, traceparent, details),
            other => {
                self.stage = other;
                ResponseStep::Continue
            }
        }
    }
}

/// Judges an answer to a call of `app`: the application's own goes on verbatim, one that the proxy made up becomes
/// Dapr's error. Told apart by the proxy's details, never by status alone.
fn returned(headers: &Headers, app: &str, traceparent: Option<String>, details: impl Fn() -> String) -> ResponseStep {
    if let Some(error) = made_up(&All { headers, details }, app) {
        return ResponseStep::Replace(error);
    }
    let mut edits = invoke::response_edits(headers);
    if let Some(traceparent) = traceparent {
        edits.set.push(("traceparent", traceparent.into_bytes()));
    }
    if edits == Edits::default() { ResponseStep::Continue } else { ResponseStep::Edit(edits) }
}

/// Headers that were read already.
struct All<'a, F> {
    headers: &'a Headers,
    details: F,
}

impl<F: Fn() -> String> AnswerHead for All<'_, F> {
    fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.headers.get(name).map(<[u8]>::to_vec)
    }

    fn details(&self) -> String {
        (self.details)()
    }
}

/// Dapr's error in place of an answer that the proxy made up; `None` for one that came from the application.
pub(crate) fn made_up(answer: &dyn AnswerHead, app: &str) -> Option<Reply> {
    let status = answer.value(":status");
    let status = status.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<u16>().ok()).unwrap_or(0);
    // The router adds this header to every answer that came from a host; asking for details costs more.
    if status < 400 || answer.value("x-envoy-upstream-service-time").is_some() {
        return None;
    }
    let details = answer.details();
    (details != FROM_UPSTREAM).then(|| invoke::failed_upstream(app, status, &details))
}
