//! `/v1.0/metadata` and `/v1.0/healthz`.

use crate::blocks::Blocks;
use crate::config::{Component, PluginConfig};
use crate::error::DaprError;
use crate::http::Reply;
use crate::json::{Members, write_array, write_string};

/// The release of daprd whose HTTP API this module follows.
const DAPR_API_VERSION: &str = "1.18.3";

/// `GET /v1.0/metadata`: the members of daprd's answer that mean something here; empty ones are left out, as there.
#[inline(never)]
pub(super) fn reply(config: &PluginConfig, blocks: &Blocks) -> Reply {
    let mut body = Members::default();
    body.string("id", &config.app_id);
    body.string("runtimeVersion", DAPR_API_VERSION);
    let components: Vec<Vec<u8>> = config.components.iter().map(|it| component(it, blocks)).collect();
    if !components.is_empty() {
        body.raw("components", &write_array(&components));
    }
    let mut extended = Members::default();
    extended.string("daprRuntimeVersion", DAPR_API_VERSION);
    extended.string("weftVersion", env!("CARGO_PKG_VERSION"));
    body.raw("extended", &extended.end());
    let subscriptions = blocks.subscriptions();
    if !subscriptions.is_empty() {
        body.raw("subscriptions", &write_array(&subscriptions));
    }
    if let Some(channel) = app_channel(config) {
        body.raw("appConnectionProperties", &channel);
    }
    Reply::json(200, body.end())
}

fn component(component: &Component, blocks: &Blocks) -> Vec<u8> {
    let capabilities = blocks.capabilities(&component.name, &component.kind).iter().map(|name| {
        let mut text = Vec::new();
        write_string(&mut text, name);
        text
    });
    let mut entry = Members::default();
    entry.string("name", &component.name);
    entry.string("type", &component.kind);
    entry.string("version", &component.version);
    entry.raw("capabilities", &write_array(&capabilities.collect::<Vec<_>>()));
    entry.end()
}

/// `None` without an application, or with one whose authority has no port.
fn app_channel(config: &PluginConfig) -> Option<Vec<u8>> {
    let authority = &config.app.as_ref()?.authority;
    let (host, port) = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok())?;
    let mut channel = Members::default();
    channel.raw("port", port.as_bytes());
    channel.string("protocol", "http");
    channel.string("channelAddress", host);
    Some(channel.end())
}

#[inline(never)]
pub(super) fn wrong_app_id() -> Reply {
    DaprError::new(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match".to_owned()).reply()
}

#[inline(never)]
pub(super) fn not_ready(waits_for: &[String]) -> Reply {
    let message = ["dapr is not ready: [", &waits_for.join(", "), "]"].concat();
    DaprError::new(500, "ERR_HEALTH_NOT_READY", message).reply()
}
