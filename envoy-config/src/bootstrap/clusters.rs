//! The clusters.

use super::{App, Backend, Proxy, Servers, Tls, names, nodes, protocol};
use serde_json::{Value, json};
use std::net::IpAddr;

const INTERNAL_UPSTREAM: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport";
const RAW_BUFFER: &str = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// A port of this machine.
pub(super) fn loopback(port: u16) -> Value {
    socket("127.0.0.1", port)
}

fn socket(host: &str, port: u16) -> Value {
    json!({"socket_address": {"address": host, "port_value": port}})
}

/// All clusters of an application.
pub(super) fn of_app(proxy: &Proxy, app: &App) -> Vec<Value> {
    let mut clusters = Vec::new();
    if let Some(port) = app.port {
        clusters.push(application(app, port, proxy.workers));
        clusters.push(invoked(app));
    }
    clusters.extend(app.endpoints.iter().map(|endpoint| endpoint.cluster(&app.id)));
    clusters.extend(app.collector.iter().map(|collector| collector.cluster(&app.id)));
    if app.has_pump() {
        clusters.push(itself(proxy, app));
    }
    clusters
}

/// The application itself.
fn application(app: &App, port: u16, workers: u32) -> Value {
    let name = names::app(&app.id);
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": endpoint(&name, &loopback(port)),
        "typed_extension_protocol_options": app.protocol.options(),
    });
    if let Some(members) = cluster.as_object_mut() {
        if let Some(transport) = app.protocol.transport() {
            members.insert("transport_socket".to_owned(), transport);
        }
        app.guard.apply(members, app.protocol, workers);
    }
    cluster
}

/// What stands before the application.
fn invoked(app: &App) -> Value {
    let mut cluster = internal(&names::invoke(&app.id), &names::inbound(&app.id));
    if let Some(members) = cluster.as_object_mut() {
        members.insert("typed_extension_protocol_options".to_owned(), protocol::same_as_request());
    }
    cluster
}

fn endpoint(name: &str, address: &Value) -> Value {
    json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]})
}

/// A cluster that leads to an internal listener.
pub(super) fn internal(name: &str, listener: &str) -> Value {
    let plain = json!({"name": "envoy.transport_sockets.raw_buffer", "typed_config": {"@type": RAW_BUFFER}});
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": endpoint(name, &json!({"envoy_internal_address": {"server_listener_name": listener}})),
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {"@type": INTERNAL_UPSTREAM, "transport_socket": plain},
        },
    })
}

/// A module's instance that stopped is replaced when a request comes. This cluster's health checks are such requests
/// where nothing else is, so that an idle pump comes back. They reach workers at random, hence the interval.
fn itself(proxy: &Proxy, app: &App) -> Value {
    let name = names::itself(&app.id);
    let interval = format!("{}s", f64::max(0.5, 2.0 / f64::from(proxy.workers.max(1))));
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": endpoint(&name, &loopback(app.http)),
        "health_checks": [{
            "timeout": "2s",
            "interval": interval,
            "no_traffic_interval": interval,
            "reuse_connection": false,
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "http_health_check": {
                "path": "/v1.0/healthz/outbound",
                "expected_statuses": [{"start": 200, "end": 600}],
            },
        }],
    })
}

/// The cluster of a backend.
pub(super) fn backend(backend: &Backend) -> Value {
    match &backend.servers {
        Servers::At(hosts) => known(backend, hosts),
        Servers::AsAsked => nodes::cluster(backend),
    }
}

fn known(backend: &Backend, hosts: &[(String, u16)]) -> Value {
    let are_addresses = hosts.iter().all(|(host, _)| host.parse::<IpAddr>().is_ok());
    let kind = if are_addresses { "STATIC" } else { "STRICT_DNS" };
    let endpoint = |(host, port): &(String, u16)| json!({"endpoint": {"address": socket(host, *port)}});
    let endpoints = json!([{"lb_endpoints": hosts.iter().map(endpoint).collect::<Vec<_>>()}]);
    let mut cluster = json!({
        "name": backend.cluster,
        "type": kind,
        "connect_timeout": format!("{}s", backend.connect_timeout.as_secs_f64()),
        "load_assignment": {"cluster_name": backend.cluster, "endpoints": endpoints},
    });
    if let Some(members) = cluster.as_object_mut() {
        if backend.http2 {
            members.insert("typed_extension_protocol_options".to_owned(), protocol::http2());
        }
        if hosts.len() > 1 {
            members.insert("outlier_detection".to_owned(), unreachable_hosts());
        }
        if kind == "STRICT_DNS" {
            // `localhost` has both, and servers on a developer's machine often listen on the first only.
            members.insert("dns_lookup_family".to_owned(), json!("V4_PREFERRED"));
        }
        if let Some(tls) = &backend.tls {
            members.insert("transport_socket".to_owned(), transport(tls, hosts));
        }
    }
    cluster
}

/// Leaves out a host for a while once no connection to it could be made twice in a row; what it answers does not count.
fn unreachable_hosts() -> Value {
    json!({
        "split_external_local_origin_errors": true,
        "consecutive_local_origin_failure": 2,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_time": "5s",
        "max_ejection_percent": 99,
    })
}

/// The certificate of each host may name any of them; the first one is named in the handshake.
fn transport(tls: &Tls, hosts: &[(String, u16)]) -> Value {
    let is_address = |host: &str| host.parse::<IpAddr>().is_ok();
    let mut common = serde_json::Map::new();
    if let Some(authorities) = &tls.authorities {
        let name = |(host, _): &(String, u16)| {
            let kind = if is_address(host) { "IP_ADDRESS" } else { "DNS" };
            json!({"san_type": kind, "matcher": {"exact": host}})
        };
        let names: Vec<_> = hosts.iter().map(name).collect();
        let mut validation = json!({"trusted_ca": authorities.source()});
        if let (false, Some(members)) = (tls.any_name, validation.as_object_mut()) {
            members.insert("match_typed_subject_alt_names".to_owned(), json!(names));
        }
        common.insert("validation_context".to_owned(), validation);
    }
    if let Some((certificate, key)) = &tls.identity {
        let pair = json!({"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}});
        common.insert("tls_certificates".to_owned(), json!([pair]));
    }
    // A server's name in the handshake is never an address (RFC 6066, 3), and servers may refuse one.
    let sni = hosts.first().map(|(host, _)| host.as_str()).filter(|host| !is_address(host)).unwrap_or_default();
    if let Some(protocol) = tls.alpn {
        common.insert("alpn_protocols".to_owned(), json!([protocol]));
    }
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": TLS, "sni": sni, "common_tls_context": common},
    })
}
