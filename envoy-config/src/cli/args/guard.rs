//! Flags about what guards the application's port.

use clap::Args;
use std::time::Duration;
use weft::bootstrap::{AppHealth, Guard};

#[derive(Debug, Args)]
pub struct GuardOptions {
    /// How many requests the application has at a time, calls and events together; the others wait [default: any
    /// number].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub app_max_concurrency: Option<i32>,
    /// Asks the application whether it is healthy, and calls it only while it is.
    #[arg(long)]
    pub enable_app_health_check: bool,
    /// What it is asked; any status from 200 to 299 is good.
    #[arg(long, value_name = "PATH", default_value = AppHealth::PATH)]
    pub app_health_check_path: String,
    /// Seconds from one question to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = AppHealth::INTERVAL_SECONDS, value_parser = above_zero())]
    pub app_health_probe_interval: u32,
    /// Milliseconds that the application may take for an answer.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = AppHealth::TIMEOUT_MILLIS, value_parser = above_zero())]
    pub app_health_probe_timeout: u32,
    /// How many bad answers in a row make it unhealthy.
    #[arg(long, value_name = "N", default_value_t = AppHealth::THRESHOLD, value_parser = above_zero())]
    pub app_health_threshold: u32,
}

fn above_zero() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

impl GuardOptions {
    /// The names, as clap knows them.
    pub const NAMES: [&str; 6] = [
        "app_max_concurrency",
        "enable_app_health_check",
        "app_health_check_path",
        "app_health_probe_interval",
        "app_health_probe_timeout",
        "app_health_threshold",
    ];

    /// What they say.
    pub fn guard(&self) -> Guard {
        let health = AppHealth {
            path: AppHealth::path_of(self.app_health_check_path.clone()),
            interval: Duration::from_secs(self.app_health_probe_interval.into()),
            timeout: Duration::from_millis(self.app_health_probe_timeout.into()),
            threshold: self.app_health_threshold,
        };
        Guard::written(self.app_max_concurrency, self.enable_app_health_check.then_some(health))
    }
}
