//! Asking whether an application's proxy can be used.

use std::time::Duration;

/// Asks the Dapr HTTP port at `127.0.0.1`.
pub fn is_usable(port: u16) -> bool {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        // Not through a proxy that the environment names.
        .proxy(None)
        .build()
        .into();
    let answer = agent.get(format!("http://127.0.0.1:{port}/v1.0/healthz/outbound")).call();
    answer.is_ok_and(|answer| answer.status() == 204)
}
