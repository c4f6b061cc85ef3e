//! The listeners.

use super::filters::{Role, manager};
use super::spans::{self, Side};
use super::{App, Backend, Proxy, Servers, clusters, names, nodes};
use serde_json::{Value, json};
use weft_core::config::PluginConfig;

/// How long a request may stand still that the filter holds. It ends those that were held when a module's instance
/// stopped, which nobody answers any more; invocations are exempt.
const HELD: &str = "15s";
/// No bound.
const NEVER: &str = "0s";

/// All listeners of an application: its two Dapr ports, and what stands before it.
pub(super) fn of_app(proxy: &Proxy, app: &App) -> Vec<Value> {
    let plugin = proxy.plugin(app);
    let mut listeners = vec![api(proxy, app, &plugin, Side::Http), api(proxy, app, &plugin, Side::Grpc)];
    if app.port.is_some() {
        listeners.push(inbound(proxy, app, &plugin));
    }
    listeners
}

fn api(proxy: &Proxy, app: &App, plugin: &PluginConfig, side: Side) -> Value {
    let (name, port) = match side {
        Side::Grpc => (format!("weft_grpc_{}", app.id), app.grpc),
        _ => (format!("weft_api_{}", app.id), app.http),
    };
    let mut routes = app.rules.routes(plugin);
    if app.collector.is_some() {
        routes.push(spans::untraced_health());
    }
    routes.push(json!({"match": {"prefix": "/"}, "direct_response": {"status": 404}}));
    let mut chain = manager(proxy, &name, HELD, Role::Api(plugin), Value::Array(routes));
    trace(app, side, &mut chain);
    if let Some(config) = chain.pointer_mut("/typed_config").and_then(Value::as_object_mut) {
        config.insert("local_reply_config".to_owned(), held_too_long());
    }
    json!({
        "name": name,
        "address": clusters::loopback(port),
        // The filter's own bound comes first and answers Dapr's error.
        "per_connection_buffer_limit_bytes": plugin.limits.max_body_bytes.saturating_add(1024 * 1024),
        "filter_chains": [{"filters": [chain]}],
    })
}

fn trace(app: &App, side: Side, manager: &mut Value) {
    if let Some(collector) = &app.collector {
        collector.trace(&app.id, &app.tracing, side, manager);
    }
}

/// Dapr's error body for a request that [`HELD`] has ended.
fn held_too_long() -> Value {
    json!({"mappers": [{
        "filter": {"response_flag_filter": {"flags": ["SI"]}},
        "status_code": 500,
        "body_format_override": {"json_format": {
            "errorCode": "ERR_DIRECT_INVOKE",
            "message": "the request was not answered in time",
        }},
    }]})
}

fn inbound(proxy: &Proxy, app: &App, plugin: &PluginConfig) -> Value {
    let name = names::inbound(&app.id);
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": names::app(&app.id), "timeout": NEVER}}]);
    let mut chain = manager(proxy, &name, NEVER, Role::Inbound(plugin), routes);
    trace(app, Side::Callee, &mut chain);
    json!({"name": name, "internal_listener": {}, "filter_chains": [{"filters": [chain]}]})
}

/// The listener that turns a stream to `/weft.tcp/<cluster>` into a TCP connection to that cluster.
pub(super) fn link(proxy: &Proxy) -> Value {
    let mut routes = vec![json!({
        "match": {"path": "/weft.probe/worker"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    })];
    routes.extend(proxy.backends.iter().map(tunnel));
    let mut chain = manager(proxy, names::LINK, NEVER, Role::Tcp, Value::Array(routes));
    let filters = chain.pointer_mut("/typed_config/http_filters").and_then(Value::as_array_mut);
    if let (Some(filters), Some(filter)) = (filters, nodes::filter(proxy)) {
        filters.insert(filters.len().saturating_sub(1), filter);
    }
    json!({"name": names::LINK, "internal_listener": {}, "filter_chains": [{"filters": [chain]}]})
}

fn tunnel(backend: &Backend) -> Value {
    let mut route = json!({
        "match": {"path": format!("/weft.tcp/{}", backend.cluster)},
        "route": {
            "cluster": backend.cluster,
            "timeout": NEVER,
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {"allow_post": true}}],
        },
    });
    if let (Some(members), Servers::AsAsked) = (route.as_object_mut(), &backend.servers) {
        members.insert("typed_per_filter_config".to_owned(), nodes::of_route());
    }
    route
}
