//! Backends of several servers, whose addresses the filter learns while it runs: Redis Cluster, and Sentinel's masters. A
//! cluster of Envoy's kind "dynamic forward proxy" leads to the address, a name or a number, that stands in the header
//! [`HEADER`] of each stream. A cluster of the kind `ORIGINAL_DST` would do for numbers only, and servers with TLS announce
//! names.

use super::{Backend, Proxy, Servers};
use serde_json::{Value, json};

const CLUSTER: &str = "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
const FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
const FILTER_NAME: &str = "envoy.filters.http.dynamic_forward_proxy";
const HEADER: &str = "x-weft-node";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const OPTIONS_NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const ROUTE: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// The addresses that are known. One that no new connection was made to for that long is forgotten; connections that are
/// there stay.
fn cache() -> Value {
    json!({"name": "weft_nodes", "dns_lookup_family": "V4_PREFERRED", "host_ttl": "86400s"})
}

/// The filter that resolves a stream's server, if any backend needs it. Streams to others pass it.
pub(super) fn filter(proxy: &Proxy) -> Option<Value> {
    let is_needed = proxy.backends.iter().any(|backend| backend.servers == Servers::AsAsked);
    let config = || json!({"@type": FILTER, "dns_cache_config": cache()});
    is_needed.then(|| json!({"name": FILTER_NAME, "typed_config": config()}))
}

/// What a route to such a backend says to the filter.
pub(super) fn of_route() -> Value {
    json!({FILTER_NAME: {"@type": ROUTE, "host_rewrite_header": HEADER}})
}

/// The cluster of such a backend.
pub(super) fn cluster(backend: &Backend) -> Value {
    let authorities = backend.tls.as_ref().and_then(|tls| tls.authorities.as_ref());
    // A certificate has to name the server that is asked for, where it is looked at.
    let verified = json!({"auto_sni": true, "auto_san_validation": backend.tls.is_none() || authorities.is_some()});
    let options = json!({
        "@type": OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "upstream_http_protocol_options": verified,
    });
    let kind = json!({"@type": CLUSTER, "dns_cache_config": cache(), "allow_insecure_cluster_options": true});
    let mut cluster = json!({
        "name": backend.cluster,
        "connect_timeout": format!("{}s", backend.connect_timeout.as_secs_f64()),
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": kind},
        "typed_extension_protocol_options": {OPTIONS_NAME: options},
    });
    if let (Some(members), Some(tls)) = (cluster.as_object_mut(), &backend.tls) {
        let mut common = serde_json::Map::new();
        if let Some(authorities) = authorities {
            common.insert("validation_context".to_owned(), json!({"trusted_ca": authorities.source()}));
        }
        if let Some((certificate, key)) = &tls.identity {
            let pair =
                json!({"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}});
            common.insert("tls_certificates".to_owned(), json!([pair]));
        }
        let context = json!({"@type": TLS, "common_tls_context": common});
        members.insert(
            "transport_socket".to_owned(),
            json!({"name": "envoy.transport_sockets.tls", "typed_config": context}),
        );
    }
    cluster
}
