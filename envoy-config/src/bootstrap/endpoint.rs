//! Servers outside of the mesh that applications call by a name of Dapr's `HTTPEndpoint`. Each has a cluster, which adds
//! its headers and its TLS; the module knows its authority and path only.

use super::{Backend, Servers, Tls, clusters};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use weft_core::config;

const CODEC: &str = "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
const MUTATION: &str = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const OPTIONS_NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A server that an application calls by a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The name.
    pub name: String,
    /// Host name or address; one of IP version 6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What goes before every path; empty for nothing.
    pub path: String,
    /// Headers of every request, in place of those of the same name.
    pub headers: Vec<(String, String)>,
    /// Its TLS; absent for plain text.
    pub tls: Option<EndpointTls>,
}

// Not derived: headers hold secrets.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).field("host", &self.host).finish_non_exhaustive()
    }
}

/// TLS to an [`Endpoint`]; its certificate has to name the host.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointTls {
    /// Authorities one of which has to have signed the server's certificate.
    pub authorities: Authorities,
    /// Our own certificate and its key, both PEM.
    pub identity: Option<(String, String)>,
    /// Whether the server may ask to negotiate anew.
    pub renegotiates: bool,
}

/// Certificates of authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// A PEM file.
    File(PathBuf),
    /// PEM.
    Text(String),
}

impl Authorities {
    /// As Envoy's `DataSource`.
    pub(super) fn source(&self) -> Value {
        match self {
            Self::File(file) => json!({"filename": file}),
            Self::Text(text) => json!({"inline_string": text}),
        }
    }
}

impl Endpoint {
    /// Name of the cluster for an application.
    fn cluster_name(&self, app: &str) -> String {
        format!("weft_endpoint_{app}_{}", self.name)
    }

    /// For an application's plugin configuration.
    pub(super) fn target(&self, app: &str) -> config::Endpoint {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let authority = if self.port == usual { host } else { format!("{host}:{}", self.port) };
        let path = (!self.path.is_empty()).then(|| self.path.clone());
        config::Endpoint { cluster: Some(self.cluster_name(app)), authority, path }
    }

    pub(super) fn cluster(&self, app: &str) -> Value {
        let mut cluster = clusters::backend(&Backend {
            cluster: self.cluster_name(app),
            servers: Servers::at(&self.host, self.port),
            http2: false,
            tls: self.tls.as_ref().map(EndpointTls::plain),
            connect_timeout: Duration::from_secs(5),
        });
        if let Some(context) = cluster.pointer_mut("/transport_socket/typed_config")
            && let Some(tls) = &self.tls
        {
            tls.complete(context);
        }
        if let (Some(members), false) = (cluster.as_object_mut(), self.headers.is_empty()) {
            members.insert(
                "typed_extension_protocol_options".to_owned(),
                json!({OPTIONS_NAME: options(&json!({"http_protocol_options": {}}), &self.headers)}),
            );
        }
        cluster
    }
}

/// Options of a cluster that adds these headers, in place of those of the same name. `explicit` is the protocol.
pub(super) fn options(explicit: &Value, headers: &[(String, String)]) -> Value {
    let field = |(name, value): &(String, String)| {
        // Envoy takes `%` for the begin of a command.
        let header = json!({"key": name, "value": value.replace('%', "%%")});
        json!({"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}})
    };
    let mutations = json!({"request_mutations": headers.iter().map(field).collect::<Vec<_>>()});
    json!({
        "@type": OPTIONS,
        "explicit_http_config": explicit,
        "http_filters": [
            {"name": "endpoint_headers", "typed_config": {"@type": MUTATION, "mutations": mutations}},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": CODEC}},
        ],
    })
}

impl EndpointTls {
    fn plain(&self) -> Tls {
        Tls { authorities: Some(self.authorities.clone()), identity: self.identity.clone(), ..Tls::default() }
    }

    fn complete(&self, context: &mut Value) {
        if let (true, Some(members)) = (self.renegotiates, context.as_object_mut()) {
            members.insert("allow_renegotiation".to_owned(), json!(true));
        }
    }
}
