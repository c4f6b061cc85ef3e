//! What guards an application's port, by a run file.

use crate::bootstrap::{AppHealth, Guard};
use crate::yaml::Fields;
use std::time::Duration;

/// Reads how many requests the application may have, and its health check.
pub(super) fn guard(fields: &mut Fields<'_>) -> Guard {
    let max_concurrency = fields.parsed::<i32>("appMaxConcurrency", "a number of requests, or -1 for no bound");
    let is_on = fields.flag("enableAppHealthCheck");
    let health = health(fields);
    Guard::written(max_concurrency, is_on.then_some(health))
}

fn health(fields: &mut Fields<'_>) -> AppHealth {
    let usual = AppHealth::default();
    let path = fields.text("appHealthCheckPath").map(|path| path.value);
    let interval = number(fields, "appHealthProbeInterval", "a number of seconds above 0");
    let timeout = number(fields, "appHealthProbeTimeout", "a number of milliseconds above 0");
    AppHealth {
        path: path.map_or(usual.path, AppHealth::path_of),
        interval: interval.map_or(usual.interval, |seconds| Duration::from_secs(seconds.into())),
        timeout: timeout.map_or(usual.timeout, |millis| Duration::from_millis(millis.into())),
        threshold: number(fields, "appHealthThreshold", "a number of answers above 0").unwrap_or(usual.threshold),
    }
}

fn number(fields: &mut Fields<'_>, name: &'static str, expected: &str) -> Option<u32> {
    fields.parsed::<std::num::NonZero<u32>>(name, expected).map(std::num::NonZero::get)
}
