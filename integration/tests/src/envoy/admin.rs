//! Envoy's admin interface.

use crate::client;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// A client of one Envoy's admin interface.
#[derive(Debug, Default)]
pub struct Admin {
    address: Mutex<String>,
}

impl Admin {
    pub(super) fn set(&self, address: &str) {
        address.trim().clone_into(&mut self.address.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether all listeners take connections.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        client::get(&self.address(), "/ready").try_send().is_ok_and(|answer| answer.status == 200)
    }

    /// A counter or gauge; 0 if Envoy has none of that name.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        self.stats(name).iter().find(|(found, _)| found == name).map_or(0, |(_, value)| *value)
    }

    /// All counters and gauges whose names contain `part`.
    #[must_use]
    pub fn stats(&self, part: &str) -> Vec<(String, u64)> {
        let path = format!("/stats?format=json&type=Counters&filter={part}");
        let mut found = self.read(&path);
        found.extend(self.read(&format!("/stats?format=json&type=Gauges&filter={part}")));
        found
    }

    /// Sets how much a part of Envoy logs, such as `wasm` and `debug`.
    pub fn log_level(&self, part: &str, level: &str) {
        let _ = client::Call::new(hyper::Method::POST, &self.address(), &format!("/logging?{part}={level}"))
            .send()
            .expect(200);
    }

    fn read(&self, path: &str) -> Vec<(String, u64)> {
        let answer = client::get(&self.address(), path).send();
        let json: Value = serde_json::from_slice(&answer.body).expect("statistics are JSON");
        let list = json["stats"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|it| Some((it["name"].as_str()?.to_owned(), it["value"].as_u64()?))).collect()
    }
}
