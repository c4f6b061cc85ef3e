//! What istiod generates without any EnvoyFilter, as far as calls by name, TCP to a backend and the callee's side
//! need it. The names are Istio's.

use super::{Parts, Service};
use serde_json::{Value, json};

/// The port of `ISTIO_META_HTTP_PROXY_PORT`.
pub(super) const API: u16 = 3500;
/// Dapr's gRPC port.
pub(super) const GRPC: u16 = 50001;
/// Where iptables leads what comes in.
pub(super) const INBOUND: u16 = 15006;
/// The listener that it leads to.
pub(super) const INBOUND_LISTENER: &str = "virtualInbound";
/// The application's own port.
pub(super) const CONTAINER: u16 = 8080;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const INTERNAL: &str = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener";

/// The pieces that patches apply to.
pub(super) fn parts(services: &[Service]) -> Parts {
    let mut parts = Parts { listeners: vec![api(), inbound()], ..Parts::default() };
    parts.clusters = vec![empty("BlackHoleCluster"), empty("PassthroughCluster"), cluster("inbound|8080||", CONTAINER)];
    for service in services {
        let mut cluster = cluster(&service.cluster(), service.real);
        if let Some(transport) = &service.transport {
            cluster["transport_socket"] = transport.clone();
        }
        parts.clusters.push(cluster);
        let table = parts.routes.entry(service.port.to_string()).or_insert_with(|| table(service.port));
        let hosts = table["virtual_hosts"].as_array_mut().expect("a table has virtual hosts");
        hosts.insert(0, virtual_host(service));
    }
    parts
}

/// Envoy's bootstrap of the pieces.
pub(super) fn bootstrap(parts: &Parts) -> Value {
    json!({
        "node": {"id": "sidecar~127.0.0.1~app.default~default.svc.cluster.local", "cluster": "app.default"},
        "bootstrap_extensions": [{"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": INTERNAL}}],
        "static_resources": {"listeners": parts.listeners, "clusters": parts.clusters},
        "stats_config": stats(&parts.stat_tags),
    })
}

/// What Istio's bootstrap makes labels of, as far as filters can have it, and which statistics it keeps. The inclusion of
/// what begins with `wasm` is pilot-agent's.
fn stats(extra: &[String]) -> Value {
    let extra = extra.iter().map(|tag| json!({"tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)")}));
    let own = [
        json!({"tag_name": "cluster_name", "regex": r"^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)"}),
        json!({"tag_name": "cache", "regex": r"(cache\.(.+?)\.)"}),
        json!({"tag_name": "component", "regex": r"(component\.(.+?)\.)"}),
        json!({"tag_name": "tag", "regex": r"(tag\.(.+?);\.)"}),
        json!({"tag_name": "wasm_filter", "regex": r"(wasm_filter\.(.+?)\.)"}),
    ];
    let tags: Vec<_> = extra.chain(own).collect();
    let kept = ["cluster", "listener_manager", "server", "wasm", "component", "istio"];
    let kept: Vec<_> = kept.iter().map(|prefix| json!({"prefix": prefix})).collect();
    json!({
        "use_all_default_tags": false,
        "stats_tags": tags,
        "stats_matcher": {"inclusion_list": {"patterns": kept}},
    })
}

fn filter(name: &str, kind: &str) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": {"@type": kind}})
}

fn manager(prefix: &str, filters: &[Value]) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": HCM,
            "stat_prefix": prefix,
            "stream_idle_timeout": "0s",
            "normalize_path": true,
            "http_filters": filters,
        },
    })
}

/// Istio's HTTP proxy listener.
fn api() -> Value {
    let filters = [filter("fault", "fault.v3.HTTPFault"), filter("cors", "cors.v3.Cors"), router()];
    let mut manager = manager("outbound_127.0.0.1_3500", &filters);
    manager["typed_config"]["rds"] = json!({"route_config_name": "http_proxy"});
    json!({"name": "127.0.0.1_3500", "address": address(API), "filter_chains": [{"filters": [manager]}]})
}

fn inbound() -> Value {
    let mut manager = manager("inbound_0.0.0.0_8080", &[router()]);
    manager["typed_config"]["route_config"] = json!({"name": "inbound|8080||", "virtual_hosts": [{
        "name": "inbound|http|8080",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "inbound|8080||", "timeout": "0s"}}],
    }]});
    json!({"name": INBOUND_LISTENER, "address": address(INBOUND), "filter_chains": [{"filters": [manager]}]})
}

fn router() -> Value {
    filter("router", "router.v3.Router")
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn empty(name: &str) -> Value {
    json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": []}})
}

fn cluster(name: &str, port: u16) -> Value {
    let endpoint = json!({"endpoint": {"address": address(port)}});
    json!({"name": name, "type": "STATIC", "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}})
}

/// The table of a service port, with Istio's way out for hosts that it does not know.
fn table(port: u16) -> Value {
    json!({"name": port.to_string(), "ignore_port_in_host_matching": true, "virtual_hosts": [{
        "name": "allow_any",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "PassthroughCluster", "timeout": "0s"}}],
    }]})
}

fn virtual_host(service: &Service) -> Value {
    json!({
        "name": format!("{}:{}", service.host(), service.port),
        "domains": service.names,
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": service.cluster(), "timeout": "0s"}}],
    })
}
