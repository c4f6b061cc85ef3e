//! The answer to an invocation on its way back.

use super::{Exchange, Stage, Watched};
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
    /// The address that was asked last; `None` if none was.
    fn host(&self) -> Option<String>;
    /// How often the request was sent; 0 if never.
    fn tries(&self) -> u32;
}

impl Exchange {
    /// An answer's headers are here. The application's own answer goes on verbatim, one that the proxy made up becomes
    /// Dapr's error; told apart by the proxy's details, never by status alone.
    pub fn response_head(&mut self, answer: &dyn AnswerHead) -> ResponseStep {
        match std::mem::replace(&mut self.stage, Stage::Settled) {
            Stage::Forwarded { app, authority, is_direct, told, watched } => {
                if let Some(watched) = watched {
                    self.heard(watched, answer);
                }
                match made_up(answer, &app, &authority) {
                    Some(error) => ResponseStep::Replace(error.with_all(told)),
                    None => {
                        let mut edits = invoke::response_edits(told);
                        if is_direct {
                            edits.remove_named = named_by_connection(answer);
                        }
                        ResponseStep::Edit(edits)
                    }
                }
            }
            other => {
                self.stage = other;
                ResponseStep::Continue
            }
        }
    }
}

impl Exchange {
    /// Tells a circuit breaker how the call ended, as far as it is known now: a gRPC call may end with its trailers.
    #[inline(never)]
    fn heard(&mut self, mut watched: Box<Watched>, answer: &dyn AnswerHead) {
        watched.tries = answer.tries();
        let succeeded = if watched.is_grpc {
            match answer.value("grpc-status") {
                Some(status) => status == b"0",
                None => return self.stage = Stage::Trailing(watched),
            }
        } else {
            let status = answer.value(":status").as_deref().and_then(http::status).unwrap_or(0);
            (200..400).contains(&status)
        };
        watched.watch.ended(self.app.host(), watched.tries, succeeded);
    }

    /// An answer's trailers are here; `value` gives the first value of a field.
    pub fn response_trailers(&mut self, value: impl FnOnce(&str) -> Option<Vec<u8>>) {
        if !matches!(self.stage, Stage::Trailing(_)) {
            return;
        }
        if let Stage::Trailing(watched) = std::mem::replace(&mut self.stage, Stage::Settled) {
            let succeeded = value("grpc-status").is_some_and(|status| status == b"0");
            watched.watch.ended(self.app.host(), watched.tries, succeeded);
        }
    }
}

/// Fields that the answer itself says are its connection's.
pub(crate) fn named_by_connection(answer: &dyn AnswerHead) -> Vec<String> {
    answer.value("connection").map(|names| invoke::nominated(&names)).unwrap_or_default()
}

/// Dapr's error in place of an answer that the proxy made up; `None` for one that came from the application. `authority`
/// is named where nobody was asked.
pub(crate) fn made_up(answer: &dyn AnswerHead, app: &str, authority: &str) -> Option<Reply> {
    let status = answer.value(":status").as_deref().and_then(http::status).unwrap_or(0);
    // The router adds this header to every answer that came from a host; asking for details costs more.
    if status < 400 || answer.value("x-envoy-upstream-service-time").is_some() {
        return None;
    }
    let details = answer.details();
    let host = || answer.host().unwrap_or_else(|| authority.to_owned());
    (details != FROM_UPSTREAM).then(|| invoke::failed_upstream(app, &host(), status, &details))
}
