//! Who may use the API, and which parts of it.

use serde::Serialize;

/// A text that is kept in the proxy's environment, out of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvironmentSource {
    /// Name of the variable.
    pub env: String,
}

/// Which of Dapr's APIs are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ApiLists {
    /// Only these, if there are any of a protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<ApiRule>,
    /// Not these, whatever is allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<ApiRule>,
}

impl ApiLists {
    /// Whether everything is offered.
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.denied.is_empty()
    }
}

/// One API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiRule {
    /// One of [`ApiRule::NAMES`].
    pub name: String,
    /// One of [`ApiRule::VERSIONS`].
    pub version: String,
    /// How it is asked.
    pub protocol: ApiProtocol,
}

impl ApiRule {
    /// Dapr's names of its APIs.
    pub const NAMES: &[&str] = &[
        "invoke",
        "state",
        "publish",
        "subscribe",
        "bindings",
        "secrets",
        "actors",
        "metadata",
        "configuration",
        "lock",
        "unlock",
        "crypto",
        "subtlecrypto",
        "workflows",
        "jobs",
        "shutdown",
        "conversation",
    ];
    /// Versions that they have: of HTTP in paths, of gRPC without a dot.
    pub const VERSIONS: &[&str] =
        &["v1.0", "v1.0-alpha1", "v1.0-alpha2", "v1.0-beta1", "v1", "v1alpha1", "v1alpha2", "v1beta1"];
}

/// How an API is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiProtocol {
    /// HTTP.
    Http,
    /// gRPC.
    Grpc,
}

impl ApiProtocol {
    /// Their words.
    pub const WORDS: &[&str] = &["http", "grpc"];
}
