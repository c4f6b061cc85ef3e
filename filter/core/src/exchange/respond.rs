//! The answer to an invocation on its way back.

use super::{Exchange, Stage};
use crate::http::{self, Reply};
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
    /// An answer's headers are here. The application's own answer goes on verbatim, one that the proxy made up becomes
    /// Dapr's error; told apart by the proxy's details, never by status alone.
    pub fn response_head(&mut self, answer: &dyn AnswerHead) -> ResponseStep {
        match std::mem::replace(&mut self.stage, Stage::Settled) {
            Stage::Forwarded { app, traceparent } => match made_up(answer, &app) {
                Some(error) => ResponseStep::Replace(error),
                None => ResponseStep::Edit(invoke::response_edits(traceparent)),
            },
            other => {
                self.stage = other;
                ResponseStep::Continue
            }
        }
    }
}

/// Dapr's error in place of an answer that the proxy made up; `None` for one that came from the application.
pub(crate) fn made_up(answer: &dyn AnswerHead, app: &str) -> Option<Reply> {
    let status = answer.value(":status").as_deref().and_then(http::status).unwrap_or(0);
    // The router adds this header to every answer that came from a host; asking for details costs more.
    if status < 400 || answer.value("x-envoy-upstream-service-time").is_some() {
        return None;
    }
    let details = answer.details();
    (details != FROM_UPSTREAM).then(|| invoke::failed_upstream(app, status, &details))
}
