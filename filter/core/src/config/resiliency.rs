//! How calls of other applications are tried again, cut short and held back.

use crate::by_name::ByName;
use crate::invoke::Url;
use serde::Serialize;

/// What Dapr's `Resiliency` says of applications, compiled to what the proxy's router understands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resiliency {
    /// By the name that callers use: an app id, an endpoint's name or a URL.
    #[serde(skip_serializing_if = "ByName::is_empty")]
    pub apps: ByName<CallPolicy>,
    /// For all that `apps` does not name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<CallPolicy>,
    /// Of components, by name.
    #[cfg(feature = "policies")]
    #[serde(skip_serializing_if = "ByName::is_empty")]
    pub components: ByName<ComponentPolicies>,
}

impl Resiliency {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        #[cfg(feature = "policies")]
        if !self.components.is_empty() {
            return false;
        }
        self.apps.is_empty() && self.others.is_none()
    }

    /// The policy of a target by the name that a caller wrote, with the name under which it stands: that name, for an app
    /// id also without its namespace, for a URL in any spelling, or none for all others.
    #[inline(never)]
    pub fn of<'a>(&'a self, written: &'a str, is_app: bool) -> Option<(&'a str, &'a CallPolicy)> {
        let app = || written.split_once('.').filter(|_| is_app).and_then(|(app, _)| self.apps.entry(app));
        let others = || self.others.as_ref().map(|policy| ("", policy));
        self.apps.entry(written).or_else(|| self.of_url(written)).or_else(app).or_else(others)
    }

    /// The policy of a URL: spellings of one are many.
    #[inline(never)]
    fn of_url<'a>(&'a self, written: &str) -> Option<(&'a str, &'a CallPolicy)> {
        let url = Url::read(written)?.ok()?;
        let is_same = |known: &str| Url::read(known).is_some_and(|other| other.is_ok_and(|other| other.is_same(&url)));
        self.apps.iter().find(|(known, _)| is_same(known))
    }
}

/// How calls of one target are made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallPolicy {
    /// How long one try may wait for its answer to begin, in milliseconds, from the end of the request on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// When a call is tried again. Absent: as the proxy's routes say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// When calls are held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// When a call is tried again: values of Envoy's request headers (`docs/configuration/http/http_filters/router_filter`).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Tries after the first one.
    pub max_retries: u32,
    /// `x-envoy-retry-on` of an HTTP call.
    pub on: String,
    /// `x-envoy-retriable-status-codes` of an HTTP call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_codes: Option<String>,
    /// `x-envoy-retry-on` of a gRPC call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_on: Option<String>,
    /// `x-envoy-retry-grpc-on` of a gRPC call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_statuses: Option<String>,
}

/// When calls of a target are held back, as Dapr's `circuitBreakers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// When it opens: a condition over `requests`, `totalSuccesses`, `totalFailures`, `consecutiveSuccesses` and
    /// `consecutiveFailures`.
    pub trip: String,
    /// How many calls go through while it is half open; as many have to succeed in a row.
    pub max_requests: u32,
    /// After how many milliseconds a closed one forgets what it has counted; 0 for never.
    pub interval_ms: u32,
    /// How many milliseconds it stays open.
    pub timeout_ms: u32,
    /// For how many hosts of this target it counts; of more, the one that was called longest ago is forgotten.
    pub cache_size: u32,
}

/// What holds for a component.
#[cfg(feature = "policies")]
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentPolicies {
    /// For its events on their way to the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound: Option<ComponentPolicy>,
    /// For what is asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound: Option<ComponentPolicy>,
}

/// How operations of a component are done.
#[cfg(feature = "policies")]
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentPolicy {
    /// How long one try may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// When one is tried again. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<ComponentRetry>,
    /// When none is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// When an operation of a component is tried again.
#[cfg(feature = "policies")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentRetry {
    /// Tries after the first one; absent for no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// The pause before the next try, or with `max_pause_ms` the first one, in milliseconds.
    pub pause_ms: u32,
    /// Each pause is half as long again as the one before, up to this; in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pause_ms: Option<u32>,
}
