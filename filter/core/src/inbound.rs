//! The callee's side: what stands before an application and says who calls.

use crate::config::PluginConfig;
use crate::exchange::{AnswerHead, ResponseStep, made_up};
use crate::http::Headers;
use crate::invoke::Edits;
use crate::telemetry::Trace;

/// Header fields of a request that come from the caller's side and must be there at most once.
const CALLER: &[&str] = &["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"];

/// Changes to a request that reaches the application: whose it is, who calls (as the caller's proxy says), the trace.
pub fn request_edits(config: &PluginConfig, headers: &Headers, trace: &Trace) -> Edits {
    let mut edits = Edits::default();
    for name in CALLER {
        let mut values = headers.all(name);
        // Two values mean that somebody besides the caller's proxy wrote one.
        if values.next().is_some() && values.next().is_some() {
            edits.remove.push(name);
        }
    }
    if headers.get("dapr-api-token").is_some() {
        edits.remove.push("dapr-api-token");
    }
    if headers.get("dapr-caller-app-id").is_some() {
        edits.put(headers, "dapr-callee-app-id", config.app_id.clone().into_bytes());
        // An application sees its own address; other requests than Dapr's keep theirs.
        if let Some(app) = &config.app {
            edits.put(headers, ":authority", app.authority.clone().into_bytes());
        }
    }
    trace.edit(headers, &mut edits);
    edits
}

/// What is done with the application's answer, or with what the proxy made up in its place. Fields of one connection
/// are left to the caller's side.
pub fn response_step(config: &PluginConfig, answer: &dyn AnswerHead) -> ResponseStep {
    made_up(answer, &config.app_id).map_or(ResponseStep::Continue, ResponseStep::Replace)
}
