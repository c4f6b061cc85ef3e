//! Dapr's errors for invocation.

use crate::error::DaprError;
use crate::http::Reply;

/// `ERR_DIRECT_INVOKE` for an application that could not be called.
#[inline(never)]
pub fn direct_invoke(status: u16, app: &str, why: &str) -> Reply {
    DaprError::new(status, "ERR_DIRECT_INVOKE", format!("failed to invoke, id: {app}, err: {why}")).reply()
}

/// No id in path, header or credentials.
#[inline(never)]
pub fn no_app_id() -> Reply {
    let message = "failed getting app id either from the URL path or the header dapr-app-id";
    DaprError::new(404, "ERR_DIRECT_INVOKE", message.to_owned()).reply()
}

/// What the caller gets in place of an answer that the proxy made up. `details` are Envoy's response code details,
/// `host` is who was asked.
#[inline(never)]
pub fn failed_upstream(app: &str, host: &str, status: u16, details: &str) -> Reply {
    let what = match details {
        d if ["cluster_not_found", "route_not_found", "direct_response"].iter().any(|it| d.starts_with(it)) => {
            "no route to the application"
        }
        d if d.starts_with("no_healthy_upstream") => "no healthy host",
        d if holds(d, "connection_failure") => "connection refused or lost",
        d if holds(d, "timeout") => "timeout",
        d if holds(d, "overflow") => "too many requests wait",
        d if holds(d, "protocol_error") => "the answer is no HTTP",
        d if holds(d, "reset") || holds(d, "termination") => "the connection was reset before an answer came",
        _ => "the proxy could not get an answer",
    };
    direct_invoke(500, app, &format!("{what}, host {host} (the proxy answered {status}: {details})"))
}

/// The library's search for a text in a text takes a module two kilobytes.
fn holds(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}
