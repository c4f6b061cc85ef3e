//! The plugin configuration: the JSON text that Envoy hands to each role of the filter.
//!
//! The types live here once; the `weft` CLI writes them, the filter reads them. What a text may hold stands in the
//! tables of `shapes`, from which the reader and the JSON Schema (`filter/plugin-config.schema.json`) are made.

mod access;
mod api_rules;
mod check;
mod form;
mod otlp;
mod problem;
mod read;
mod references;
mod resiliency;
mod schema;
mod shapes;
#[cfg(test)]
mod tests;

pub use access::{AccessControl, Action, Callers, Identity, Operation, Policy};
pub use api_rules::{ApiLists, ApiProtocol, ApiRule, EnvironmentSource};
pub(crate) use check::is_label;
pub use otlp::{Otlp, Transport};
pub use problem::Problem;
pub use resiliency::{CallPolicy, CircuitBreaker, Resiliency, Retry};
#[cfg(feature = "policies")]
pub use resiliency::{ComponentPolicies, ComponentPolicy, ComponentRetry};
pub use schema::schema;

use crate::by_name::ByName;
use serde::Serialize;
use std::collections::BTreeMap;

/// The only value of [`PluginConfig::version`] that this release reads.
pub const VERSION: u32 = 1;

/// Everything one application's filters need to know. One JSON text serves the roles `weft.api` and `weft.inbound`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginConfig {
    /// Schema version, [`VERSION`].
    pub version: u32,
    /// The application's Dapr app id.
    pub app_id: String,
    /// The application's namespace; `default` if absent.
    pub namespace: String,
    /// How the proxy reaches its own application. Absent: no subscriptions, no self-invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppChannel>,
    /// Where other applications are.
    pub invoke: Invoke,
    /// How they are called.
    #[serde(skip_serializing_if = "Resiliency::is_empty")]
    pub resiliency: Resiliency,
    /// The listener that turns streams into TCP connections. Needed by every component that has a `cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkConfig>,
    /// State stores and brokers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// Declarative subscriptions. Those that the application names at `/dapr/subscribe` come on top.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Subscription>,
    /// The token that requests to the API have to bring. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token: Option<EnvironmentSource>,
    /// Which of Dapr's APIs are offered; all unless lists say otherwise.
    #[serde(skip_serializing_if = "ApiLists::is_empty")]
    pub api: ApiLists,
    /// Who may call the application. Absent: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControl>,
    /// How its callers are told apart. Absent: by certificate if access is controlled, else what the caller's proxy says
    /// is taken as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers: Option<Callers>,
    /// Distributed tracing.
    pub tracing: Tracing,
    /// The least severe log line that is written.
    pub log_level: LogLevel,
    /// Bounds on what one request may use.
    pub limits: Limits,
    /// Switches for tests of fault handling. Never set in production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestSwitches>,
}

impl PluginConfig {
    /// Reads the JSON text of a plugin configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it. What only a component can judge, such as its metadata, comes later.
    pub fn read(text: &[u8]) -> Result<Self, Vec<Problem>> {
        let (config, problems) = Self::draft(text);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// What of a text can be read, with everything that is wrong with it, so that others can add what they find.
    pub fn draft(text: &[u8]) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let config = match check::text(text, &mut problems) {
            Some(object) => read::plugin_config(&object),
            None => Self::named(String::new()),
        };
        references::check(&config, &mut problems);
        (config, problems)
    }

    /// The configuration that has nothing but the application's id.
    pub fn named(app_id: String) -> Self {
        Self {
            version: VERSION,
            app_id,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            app: None,
            invoke: Invoke::default(),
            resiliency: Resiliency::default(),
            link: None,
            components: Vec::new(),
            subscriptions: Vec::new(),
            api_token: None,
            api: ApiLists::default(),
            access_control: None,
            callers: None,
            tracing: Tracing::default(),
            log_level: LogLevel::default(),
            limits: Limits::default(),
            test: None,
        }
    }
}

const DEFAULT_NAMESPACE: &str = "default";
const DEFAULT_COMPONENT_VERSION: &str = "v1";
const DEFAULT_SAMPLING: &str = "1";
/// [`CircuitBreaker::timeout_ms`] where nothing is said.
pub const DEFAULT_BREAKER_TIMEOUT_MS: u32 = 60_000;
/// [`CircuitBreaker::cache_size`] where nothing is said.
pub const DEFAULT_BREAKER_CACHE: u32 = 100;
/// The largest [`CircuitBreaker::cache_size`]: all breakers of a target are one value.
pub const LARGEST_BREAKER_CACHE: u32 = 1000;
const DEFAULT_MAX_BODY: u32 = 4 * 1024 * 1024;
/// The largest [`Limits::max_body_bytes`]: one command to a backend has at most 64 MiB, with what is added to a body.
pub const LARGEST_MAX_BODY: u32 = 60 * 1024 * 1024;

/// How the proxy reaches its own application.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppChannel {
    /// Name of the Envoy cluster that holds the application's address.
    pub cluster: String,
    /// What the application sees as `Host`, usually `127.0.0.1:<port>`.
    pub authority: String,
    /// The token that the application gets with every request. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token: Option<EnvironmentSource>,
    /// That token itself, once the environment was asked; empty for none.
    #[serde(skip)]
    pub token: Secret,
}

/// A text that must never reach a log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(a secret)")
    }
}

impl AppChannel {
    /// The header that tells the application that its proxy calls, if it wants one.
    pub fn token_header(&self) -> Option<(&'static str, &str)> {
        (!self.token.0.is_empty()).then_some((TOKEN_HEADER, &self.token.0))
    }
}

/// The header that brings a token: an application's to Dapr, or Dapr's to an application.
pub const TOKEN_HEADER: &str = "dapr-api-token";

/// Where other applications are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoke {
    /// Applications by app id. They go before the template.
    #[serde(skip_serializing_if = "ByName::is_empty")]
    pub apps: ByName<Target>,
    /// How to address an id that `apps` does not name. `{app}` and `{namespace}` are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Target>,
    /// Servers outside of the mesh by name. They go before applications.
    #[serde(skip_serializing_if = "ByName::is_empty")]
    pub endpoints: ByName<Endpoint>,
    /// Hosts outside of the mesh that may be called by URL. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// A server outside of the mesh.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// As [`Target::cluster`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The request's `:authority`.
    pub authority: String,
    /// What goes before the path of every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Hosts outside of the mesh that may be called by URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// Names or addresses, IPv6 in brackets; one that begins with a dot stands for all names that end so.
    pub hosts: Vec<String>,
    /// As [`Target::cluster`], for `http` URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_cluster: Option<String>,
    /// As [`Target::cluster`], for `https` URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https_cluster: Option<String>,
}

/// What an invocation is sent to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Put into the request header `x-weft-cluster`, for a route with `cluster_header`. Absent: the proxy's
    /// own routes choose by authority, as Istio's do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The request's `:authority`.
    pub authority: String,
}

/// The internal listener that turns streams into TCP connections.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkConfig {
    /// Name of the Envoy cluster whose endpoint is that listener.
    pub cluster: String,
}

/// A Dapr component, reduced to what the filter needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Name that applications use in paths.
    pub name: String,
    /// Dapr's component type, such as `state.redis`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Component version; `v1` if absent.
    pub version: String,
    /// Name of the Envoy cluster of the backend. Components in memory have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Dapr metadata: names are matched without regard to case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A subscription of the application to a topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Name of the broker component.
    pub pubsubname: String,
    /// Topic at the broker.
    pub topic: String,
    /// Where events go in the application.
    pub routes: Routes,
    /// Where an event goes that the application could not take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Dapr metadata of the subscription, such as `rawPayload`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Whether events come many at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_subscribe: Option<BulkSubscribe>,
}

/// How many events of a subscription come at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkSubscribe {
    /// Whether they come many at a time at all.
    pub enabled: bool,
    /// The most events of one call; 100 if absent or 0, and never more than the broker gives out at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages_count: Option<u32>,
    /// How long the first one waits for others, in milliseconds; 1000 if absent or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_await_duration_ms: Option<u32>,
}

/// Paths in the application that take a subscription's events.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Routes {
    /// Rules, tried in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Path for events that no rule takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// One rule of a subscription's routes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The condition, in CEL over the variable `event`. The empty one always holds.
    #[serde(rename = "match")]
    pub condition: String,
    /// Path in the application.
    pub path: String,
}

/// Distributed tracing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Share of new traces that are sampled, from `"0"` to `"1"`; `"0"` turns tracing off, as in Dapr.
    pub sampling_rate: String,
    /// What takes the filter's own spans. Absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { sampling_rate: DEFAULT_SAMPLING.to_owned(), otlp: None }
    }
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LogLevel {
    /// What a developer of the filter wants to see.
    Debug,
    /// Life events: start, link up and down.
    #[default]
    Info,
    /// Something that an operator may have to mend.
    Warn,
    /// Something that an operator has to mend.
    Error,
}

/// Bounds on what one request may use.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Largest body, in bytes, of a request that the filter itself answers. Invocations are not bounded.
    pub max_body_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_body_bytes: DEFAULT_MAX_BODY }
    }
}

/// Switches for tests of fault handling.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestSwitches {
    /// `GET /weft-test/trap` makes the module panic.
    pub trap: bool,
}
