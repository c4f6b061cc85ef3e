//! Envoy's bootstrap for a test: N applications on one proxy, as `weft run` sets them up.

use serde_json::{Value, json};

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const TEXT: &str = "type.googleapis.com/google.protobuf.StringValue";
const INTERNAL: &str = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
const INTERNAL_UPSTREAM: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport";
const RAW_BUFFER: &str = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

/// One application of the proxy.
#[derive(Debug, Clone)]
pub struct AppPorts {
    /// App id.
    pub id: String,
    /// Dapr's HTTP port.
    pub http: u16,
    /// Dapr's gRPC port.
    pub grpc: u16,
    /// The application's own port.
    pub app: u16,
    /// The plugin configuration.
    pub plugin: Value,
}

/// A backend that is reached over TCP.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Envoy's cluster.
    pub cluster: String,
    /// Port on 127.0.0.1.
    pub port: u16,
}

/// What the bootstrap is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Path of the module.
    pub module: String,
    /// Applications.
    pub apps: Vec<AppPorts>,
    /// Backends.
    pub backends: Vec<Backend>,
    /// Largest body of a request that the filter answers itself.
    pub max_body: u32,
    /// Threads that serve requests.
    pub workers: u32,
}

/// The bootstrap of a plan.
#[must_use]
pub fn bootstrap(plan: &Plan) -> Value {
    let mut listeners = vec![link_listener(plan)];
    let mut clusters = vec![internal_cluster("weft_link", "weft_link")];
    for app in &plan.apps {
        listeners.push(api_listener(plan, app, &format!("weft_api_{}", app.id), app.http));
        listeners.push(api_listener(plan, app, &format!("weft_grpc_{}", app.id), app.grpc));
        listeners.push(inbound_listener(plan, app));
        clusters.push(tcp_cluster(&format!("weft_app_{}", app.id), app.app));
        clusters.push(internal_cluster(&format!("weft_invoke_{}", app.id), &format!("weft_inbound_{}", app.id)));
        clusters.push(self_cluster(plan, app));
    }
    clusters.extend(plan.backends.iter().map(|it| tcp_cluster(&it.cluster, it.port)));
    json!({
        "static_resources": {"listeners": listeners, "clusters": clusters},
        "bootstrap_extensions": [{"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": INTERNAL}}],
    })
}

fn wasm(plan: &Plan, root: &str, configuration: Option<&Value>) -> Value {
    let mut config = json!({
        "name": root,
        "root_id": root,
        "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": true,
        "vm_config": {
            "vm_id": "weft",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": plan.module}},
        },
    });
    if let Some(value) = configuration {
        config["configuration"] = json!({"@type": TEXT, "value": value.to_string()});
    }
    json!({"name": root, "typed_config": {"@type": WASM, "config": config}})
}

fn router() -> Value {
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}})
}

fn manager(prefix: &str, idle: &str, filter: Value, routes: Value) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": HCM,
            "stat_prefix": prefix,
            "codec_type": "AUTO",
            "stream_idle_timeout": idle,
            "http_filters": [filter, router()],
            "route_config": {"name": prefix, "virtual_hosts": [{"name": prefix, "domains": ["*"], "routes": routes}]},
        },
    })
}

fn api_listener(plan: &Plan, app: &AppPorts, name: &str, port: u16) -> Value {
    let routes = json!([
        {
            "match": {"prefix": "/", "headers": [{"name": "x-weft-cluster", "present_match": true}]},
            "route": {"cluster_header": "x-weft-cluster", "timeout": "0s", "idle_timeout": "0s"},
            "request_headers_to_remove": ["x-weft-cluster"],
        },
        {"match": {"prefix": "/"}, "direct_response": {"status": 404}},
    ]);
    let mut chain = manager(name, "15s", wasm(plan, "weft.api", Some(&app.plugin)), routes);
    chain["typed_config"]["local_reply_config"] = json!({"mappers": [{
        "filter": {"response_flag_filter": {"flags": ["SI"]}},
        "status_code": 500,
        "body_format_override": {"json_format": {
            "errorCode": "ERR_DIRECT_INVOKE",
            "message": "the request was not answered in time",
        }},
    }]});
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "per_connection_buffer_limit_bytes": plan.max_body + 1024 * 1024,
        "filter_chains": [{"filters": [chain]}],
    })
}

fn inbound_listener(plan: &Plan, app: &AppPorts) -> Value {
    let name = format!("weft_inbound_{}", app.id);
    let routes = json!([{
        "match": {"prefix": "/"},
        "route": {"cluster": format!("weft_app_{}", app.id), "timeout": "0s"},
    }]);
    let chain = manager(&name, "0s", wasm(plan, "weft.inbound", Some(&app.plugin)), routes);
    json!({"name": name, "internal_listener": {}, "filter_chains": [{"filters": [chain]}]})
}

fn link_listener(plan: &Plan) -> Value {
    let mut routes = vec![json!({
        "match": {"path": "/weft.probe/worker"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    })];
    routes.extend(plan.backends.iter().map(|it| {
        json!({
            "match": {"prefix": format!("/weft.tcp/{}", it.cluster)},
            "route": {
                "cluster": it.cluster,
                "timeout": "0s",
                "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {"allow_post": true}}],
            },
        })
    }));
    let chain = manager("weft_link", "0s", wasm(plan, "weft.tcp", None), Value::Array(routes));
    json!({"name": "weft_link", "internal_listener": {}, "filter_chains": [{"filters": [chain]}]})
}

fn endpoints(name: &str, address: &Value) -> Value {
    json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]})
}

fn tcp_cluster(name: &str, port: u16) -> Value {
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": endpoints(name, &address)})
}

fn internal_cluster(name: &str, listener: &str) -> Value {
    let address = json!({"envoy_internal_address": {"server_listener_name": listener}});
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": endpoints(name, &address),
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {
                "@type": INTERNAL_UPSTREAM,
                "transport_socket": {
                    "name": "envoy.transport_sockets.raw_buffer",
                    "typed_config": {"@type": RAW_BUFFER},
                },
            },
        },
    })
}

fn self_cluster(plan: &Plan, app: &AppPorts) -> Value {
    let mut cluster = tcp_cluster(&format!("weft_self_{}", app.id), app.http);
    let interval = f64::max(0.5, 2.0 / f64::from(plan.workers));
    cluster["health_checks"] = json!([{
        "timeout": "2s",
        "interval": format!("{interval}s"),
        "no_traffic_interval": format!("{interval}s"),
        "reuse_connection": false,
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        "http_health_check": {
            "path": "/v1.0/healthz/outbound",
            "expected_statuses": [{"start": 200, "end": 600}],
        },
    }]);
    cluster
}
