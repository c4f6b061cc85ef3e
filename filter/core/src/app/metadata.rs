//! `/v1.0/metadata` and `/v1.0/healthz`.

use crate::blocks::Blocks;
use crate::config::PluginConfig;
use crate::error::DaprError;
use crate::http::Reply;
use serde_json::{Map, Value, json};

/// The release of daprd whose HTTP API this module follows.
const DAPR_API_VERSION: &str = "1.18.3";

/// `GET /v1.0/metadata`: the members of daprd's answer that mean something here; empty ones are left out, as there.
#[inline(never)]
pub(super) fn reply(config: &PluginConfig, blocks: &Blocks) -> Reply {
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(config.app_id));
    body.insert("runtimeVersion".to_owned(), json!(DAPR_API_VERSION));
    let components = components(config, blocks);
    if !components.is_empty() {
        body.insert("components".to_owned(), Value::Array(components));
    }
    let extended = json!({"daprRuntimeVersion": DAPR_API_VERSION, "weftVersion": env!("CARGO_PKG_VERSION")});
    body.insert("extended".to_owned(), extended);
    let subscriptions = blocks.subscriptions();
    if !subscriptions.is_empty() {
        body.insert("subscriptions".to_owned(), Value::Array(subscriptions));
    }
    if let Some(channel) = app_channel(config) {
        body.insert("appConnectionProperties".to_owned(), channel);
    }
    Reply::json(200, Value::Object(body).to_string())
}

#[inline(never)]
fn components(config: &PluginConfig, blocks: &Blocks) -> Vec<Value> {
    let one = |component: &crate::config::Component| {
        let capabilities = blocks.capabilities(&component.name, &component.kind);
        json!({"name": component.name, "type": component.kind, "version": component.version, "capabilities": capabilities})
    };
    config.components.iter().map(one).collect()
}

#[inline(never)]
fn app_channel(config: &PluginConfig) -> Option<Value> {
    let authority = &config.app.as_ref()?.authority;
    let (host, port) = authority.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(json!({"port": port, "protocol": "http", "channelAddress": host}))
}

#[inline(never)]
pub(super) fn wrong_app_id() -> Reply {
    DaprError::new(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match".to_owned()).reply()
}

#[inline(never)]
pub(super) fn not_ready() -> Reply {
    DaprError::new(500, "ERR_HEALTH_NOT_READY", "dapr is not ready: [app]".to_owned()).reply()
}
