//! TLS in Envoy's configuration.

use serde_json::{Value, json};
use std::path::Path;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/// What both sides need: a certificate with its key, both PEM, and the file of the authority that others are judged by.
#[must_use]
pub fn common((certificate, key): &(String, String), authority: &Path) -> Value {
    json!({
        "tls_certificates": [{"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}}],
        "validation_context": trusted(authority),
    })
}

/// The authority that has to have signed the other's certificate.
#[must_use]
pub fn trusted(authority: &Path) -> Value {
    json!({"trusted_ca": {"inline_string": std::fs::read_to_string(authority).expect("the certificate can be read")}})
}

/// The `transport_socket` of a filter chain that lets nobody in without a certificate.
#[must_use]
pub fn accepts(common: &Value) -> Value {
    let context = json!({"@type": format!("{TLS}.DownstreamTlsContext"),
        "require_client_certificate": true, "common_tls_context": common});
    json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
}

/// The `transport_socket` of a cluster; without a name the server is not told one.
#[must_use]
pub fn connects(common: &Value, name: Option<&str>) -> Value {
    let mut context = json!({"@type": format!("{TLS}.UpstreamTlsContext"), "common_tls_context": common});
    if let Some(name) = name {
        context["sni"] = json!(name);
    }
    json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
}
