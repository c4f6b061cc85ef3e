//! Where spans go.

use serde::Serialize;

/// How long a request to a collector may take, in milliseconds, unless it is said: OpenTelemetry's own default.
#[cfg(feature = "blocks")]
pub(super) const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// What takes the filter's spans by OpenTelemetry's protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// Name of the Envoy cluster of the collector.
    pub cluster: String,
    /// The requests' `:authority`.
    pub authority: String,
    /// How it is spoken to.
    #[serde(rename = "protocol")]
    pub transport: Transport,
    /// How long a request may take, in milliseconds.
    pub timeout_ms: u32,
}

/// OTLP's two forms, as Dapr names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Protocol buffers by HTTP, to `/v1/traces`.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

impl Transport {
    /// As they are written.
    pub const WORDS: &[&str] = &["http", "grpc"];
}
