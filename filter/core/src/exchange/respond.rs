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

impl Exchange {
    /// An answer's headers are here. `details` asks the proxy for its response code details.
    pub fn response_head(&mut self, headers: &Headers, details: impl FnOnce() -> String) -> ResponseStep {
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
pub(crate) fn returned(
    headers: &Headers,
    app: &str,
    traceparent: Option<String>,
    details: impl FnOnce() -> String,
) -> ResponseStep {
    let status = headers.text(":status").and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
    // The router adds this header to every answer that came from a host; asking for details costs a host call.
    if status >= 400 && headers.get("x-envoy-upstream-service-time").is_none() {
        let details = details();
        if details != FROM_UPSTREAM {
            return ResponseStep::Replace(invoke::failed_upstream(app, status, &details));
        }
    }
    let mut edits = invoke::response_edits(headers);
    if let Some(traceparent) = traceparent {
        edits.set.push(("traceparent", traceparent.into_bytes()));
    }
    if edits == Edits::default() { ResponseStep::Continue } else { ResponseStep::Edit(edits) }
}
