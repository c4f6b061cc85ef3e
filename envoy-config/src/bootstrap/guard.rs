//! What guards an application's port, all of it done by Envoy in the application's cluster: its token, whether it is
//! healthy, how many requests it has at a time.

use super::protocol::{OPTIONS_NAME, Protocol};
use serde_json::{Map, Value, json};
use std::time::Duration;

const CODEC: &str = "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
const MUTATION: &str = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
/// No bound.
const ANY: u32 = u32::MAX;

/// What every request to an application meets, an invocation as well as an event.
#[derive(Clone, Default, PartialEq)]
pub struct Guard {
    /// What the application gets as `dapr-api-token`, by which it knows that its proxy calls.
    pub token: Option<String>,
    /// How it is found out whether the application is healthy; absent for not at all.
    pub health: Option<AppHealth>,
    /// How many requests it has at a time; the others wait. Absent: any number.
    pub max_concurrency: Option<u32>,
}

/// Questions whether an application is healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppHealth {
    /// What is read; any status from 200 to 299 is good.
    pub path: String,
    /// Time from one question to the next.
    pub interval: Duration,
    /// How long the application may take.
    pub timeout: Duration,
    /// How many bad answers in a row make it unhealthy. One good answer ends that.
    pub threshold: u32,
}

impl Default for AppHealth {
    fn default() -> Self {
        Self {
            path: Self::PATH.to_owned(),
            interval: Duration::from_secs(Self::INTERVAL_SECONDS.into()),
            timeout: Duration::from_millis(Self::TIMEOUT_MILLIS.into()),
            threshold: Self::THRESHOLD,
        }
    }
}

impl AppHealth {
    /// daprd's defaults.
    pub const PATH: &str = "/healthz";
    /// As above.
    pub const INTERVAL_SECONDS: u32 = 5;
    /// As above.
    pub const TIMEOUT_MILLIS: u32 = 500;
    /// As above.
    pub const THRESHOLD: u32 = 3;

    /// A path as people write it, with or without its first slash.
    pub fn path_of(mut written: String) -> String {
        if !written.starts_with('/') {
            written.insert(0, '/');
        }
        written
    }
}

// Not derived: the token must never reach a log.
impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("Guard");
        text.field("health", &self.health).field("max_concurrency", &self.max_concurrency).finish_non_exhaustive()
    }
}

impl Guard {
    /// As people write it; the token comes from the environment. 0 requests at a time and fewer are no bound, as in daprd.
    pub fn written(max_concurrency: Option<i32>, health: Option<AppHealth>) -> Self {
        let max_concurrency = max_concurrency.and_then(|number| u32::try_from(number).ok());
        Self { token: None, health, max_concurrency: max_concurrency.filter(|number| *number > 0) }
    }

    /// Adds what it takes to the application's cluster.
    pub(super) fn apply(&self, cluster: &mut Map<String, Value>, protocol: Protocol, workers: u32) {
        if let Some(token) = &self.token {
            let filters = json!([
                {"name": "app_token", "typed_config": {"@type": MUTATION, "mutations": {"request_mutations": [{"append": field(token)}]}}},
                {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": CODEC}},
            ]);
            add_option(cluster, "http_filters", filters);
        }
        if let Some(limit) = self.max_concurrency {
            self.bound(limit, cluster, protocol, workers);
        }
        if let Some(health) = &self.health {
            cluster.insert("health_checks".to_owned(), json!([self.check(health, protocol)]));
            // Otherwise Envoy would call an unhealthy application too where there is no other.
            cluster.insert("common_lb_config".to_owned(), json!({"healthy_panic_threshold": {"value": 0.0}}));
        }
    }

    /// One request on a connection, and so many connections. Workers count them together, but each may always have one:
    /// with that, all of them have no more than `limit`, if there are no more workers than that. One that waits is not
    /// told when another gives room, so several workers may use less than `limit`.
    fn bound(&self, limit: u32, cluster: &mut Map<String, Value>, protocol: Protocol, workers: u32) {
        let others = workers.saturating_sub(1);
        let threshold = json!({
            "max_connections": limit.saturating_sub(others).max(1),
            "max_pending_requests": ANY,
            "max_requests": ANY,
        });
        cluster.insert("circuit_breakers".to_owned(), json!({"thresholds": [threshold]}));
        let (member, versions) = protocol.versions(&json!({"max_concurrent_streams": 1}));
        add_option(cluster, member, versions);
        if others > 0 {
            // A connection that one worker keeps for later is one that the others do not have.
            add_option(cluster, "common_http_protocol_options", json!({"max_requests_per_connection": 1}));
        }
    }

    fn check(&self, health: &AppHealth, protocol: Protocol) -> Value {
        let seconds = |time: Duration| format!("{}s", time.as_secs_f64());
        let headers: Vec<Value> = self.token.iter().map(|token| field(token)).collect();
        let mut check = json!({
            "timeout": seconds(health.timeout),
            "interval": seconds(health.interval),
            "no_traffic_interval": seconds(health.interval),
            "unhealthy_threshold": health.threshold,
            "healthy_threshold": 1,
            "http_health_check": {
                "path": health.path,
                "expected_statuses": [{"start": 200, "end": 300}],
                // Envoy would otherwise take any other bad status for the end of the matter at once.
                "retriable_statuses": [{"start": 100, "end": 200}, {"start": 300, "end": 600}],
                "request_headers_to_add": headers,
                "codec_client_type": if protocol.is_http2() { "HTTP2" } else { "HTTP1" },
            },
        });
        if let (Protocol::Https, Some(members)) = (protocol, check.as_object_mut()) {
            // The question is in one version, so no other may be agreed on.
            members.insert("tls_options".to_owned(), json!({"alpn_protocols": ["http/1.1"]}));
        }
        check
    }
}

/// Envoy takes `%` for the beginning of a variable.
fn field(token: &str) -> Value {
    let header = json!({"key": "dapr-api-token", "value": token.replace('%', "%%")});
    json!({"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}

/// Adds to the HTTP options of the cluster, which every application's has.
fn add_option(cluster: &mut Map<String, Value>, name: &str, value: Value) {
    let options = cluster.get_mut("typed_extension_protocol_options").and_then(|all| all.get_mut(OPTIONS_NAME));
    if let Some(options) = options.and_then(Value::as_object_mut) {
        options.insert(name.to_owned(), value);
    }
}
