//! HTTP connection managers and the filters in them.

use super::{Proxy, protocol};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weft_core::config::PluginConfig;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const TEXT: &str = "type.googleapis.com/google.protobuf.StringValue";

/// The filter's role, which is its `root_id`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role<'a> {
    /// Answers an application's calls.
    Api(&'a PluginConfig),
    /// Stands before an application.
    Inbound(&'a PluginConfig),
    /// Turns streams into TCP connections.
    Tcp,
}

impl Role<'_> {
    fn root_id(self) -> &'static str {
        match self {
            Self::Api(_) => "weft.api",
            Self::Inbound(_) => "weft.inbound",
            Self::Tcp => "weft.tcp",
        }
    }

    fn configuration(self) -> Option<Value> {
        match self {
            Self::Api(plugin) | Self::Inbound(plugin) => {
                // Cannot fail: every key of the configuration is text.
                let text = serde_json::to_string(plugin).unwrap_or_default();
                Some(json!({"@type": TEXT, "value": text}))
            }
            Self::Tcp => None,
        }
    }
}

/// An HTTP connection manager with the filter in it. `idle`: how long a stream may stand still.
pub(super) fn manager(proxy: &Proxy, name: &str, idle: &str, role: Role<'_>, routes: Value) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": HCM,
            "stat_prefix": name,
            "codec_type": "AUTO",
            "http_protocol_options": protocol::http1(),
            "stream_idle_timeout": idle,
            "http_filters": [
                wasm(proxy, role),
                {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}},
            ],
            "route_config": {"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        },
    })
}

fn wasm(proxy: &Proxy, role: Role<'_>) -> Value {
    let root = role.root_id();
    let mut config = json!({
        "name": root,
        "root_id": root,
        "failure_policy": "FAIL_RELOAD",
        // Without it a request could not be held until its body is here.
        "allow_on_headers_stop_iteration": true,
        "vm_config": {
            "vm_id": "weft",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": proxy.module}},
        },
    });
    if let (Some(members), Some(configuration)) = (config.as_object_mut(), role.configuration()) {
        members.insert("configuration".to_owned(), configuration);
    }
    // One VM serves all roles, so what one filter may read all have to name.
    let names: BTreeSet<&str> =
        proxy.apps.iter().filter_map(|app| Some(app.api_token.as_ref()?.env.as_str())).collect();
    if let (false, Some(vm)) = (names.is_empty(), config.get_mut("vm_config").and_then(Value::as_object_mut)) {
        vm.insert("environment_variables".to_owned(), json!({"host_env_keys": names}));
    }
    json!({"name": root, "typed_config": {"@type": WASM, "config": config}})
}
