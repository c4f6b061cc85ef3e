//! How an application is spoken to.

use serde_json::{Value, json};
use std::str::FromStr;

const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// The protocol of an application's port, as `--app-protocol` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 or HTTP/1.1 over TLS, as the application likes.
    Https,
    /// HTTP/2 without TLS.
    H2c,
    /// gRPC without TLS.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

impl Protocol {
    const NAMES: [(&str, Self); 5] = [
        ("http", Self::Http),
        ("https", Self::Https),
        ("h2c", Self::H2c),
        ("grpc", Self::Grpc),
        ("grpcs", Self::Grpcs),
    ];

    /// Whether it is HTTP/2.
    pub(super) fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::Grpc | Self::Grpcs)
    }

    /// What Envoy's cluster of the application needs to speak it.
    pub(super) fn options(self) -> Value {
        let (member, value) = self.versions(&json!({}));
        json!({OPTIONS_NAME: {"@type": OPTIONS, member: value}})
    }

    /// The member of the HTTP options that says which versions of HTTP there are, with these settings for HTTP/2.
    pub(super) fn versions(self, http2: &Value) -> (&'static str, Value) {
        match self {
            Self::Http => ("explicit_http_config", json!({"http_protocol_options": http1()})),
            // By what the application says in the handshake, so that it can be called by gRPC too.
            Self::Https => ("auto_config", json!({"http_protocol_options": http1(), "http2_protocol_options": http2})),
            Self::H2c | Self::Grpc | Self::Grpcs => ("explicit_http_config", json!({"http2_protocol_options": http2})),
        }
    }

    /// TLS to the application, if it has any. As Dapr, any certificate will do: the port is this machine's own.
    pub(super) fn transport(self) -> Option<Value> {
        let common = match self {
            // Envoy offers what the options say.
            Self::Https => json!({}),
            Self::Grpcs => json!({"alpn_protocols": ["h2"]}),
            Self::Http | Self::H2c | Self::Grpc => return None,
        };
        let context = json!({"@type": TLS, "common_tls_context": common});
        Some(json!({"name": "envoy.transport_sockets.tls", "typed_config": context}))
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, protocol)| *protocol).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            format!("there are {names}")
        })
    }
}

/// Where a cluster has these options.
pub(super) const OPTIONS_NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// HTTP/1.1, with the trailers of chunked bodies, which Envoy otherwise drops.
pub(super) fn http1() -> Value {
    json!({"enable_trailers": true})
}

/// HTTP/2 only. A request on a connection from which nothing has come for a while asks for a sign of life, without which
/// the connection is given up: a host that went away without a word would else swallow requests for minutes. Asked more
/// often, or without a request, servers of gRPC feel pestered.
pub(super) fn http2() -> Value {
    let keepalive = json!({"connection_idle_interval": "5s", "timeout": "2s"});
    let http2 = json!({"http2_protocol_options": {"connection_keepalive": keepalive}});
    json!({OPTIONS_NAME: {"@type": OPTIONS, "explicit_http_config": http2}})
}

/// The protocol that the request came in, as it goes to the next listener of this proxy.
pub(super) fn same_as_request() -> Value {
    let both = json!({"http_protocol_options": http1(), "http2_protocol_options": {}});
    json!({OPTIONS_NAME: {"@type": OPTIONS, "use_downstream_protocol_config": both}})
}
