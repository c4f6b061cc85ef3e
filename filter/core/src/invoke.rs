//! Service invocation: who is called, and which edits turn the caller's request into the callee's.
//!
//! An invocation is never buffered: its headers are edited and it goes on.

mod error;
mod target;

pub use error::{direct_invoke, failed_upstream};
pub use target::{Destination, Named, name_target};

use crate::api::path;
use crate::config::PluginConfig;
use crate::http::{Headers, Reply};
use crate::telemetry::Trace;

/// Changes to the headers of a message that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Fields to remove.
    pub remove: Vec<&'static str>,
    /// Fields to set; other values of the same name go away.
    pub set: Vec<(&'static str, Vec<u8>)>,
}

/// An invocation that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The id as the caller wrote it, for error messages.
    pub app: String,
    /// Changes to the request.
    pub edits: Edits,
}

/// Headers that belong to one connection (`dapr-api` 1.4). The proxy itself handles `connection`,
/// `transfer-encoding` and `upgrade`.
pub const HOP_BY_HOP: &[&str] =
    &["keep-alive", "proxy-connection", "http2-settings", "te", "trailer", "proxy-authorization", "proxy-authenticate"];

/// Headers that only Weft may set.
const OURS: &[&str] = &["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id", "x-weft-cluster"];

/// The header that a route with `cluster_header` reads.
pub const CLUSTER_HEADER: &str = "x-weft-cluster";

/// Turns a request into a call of another application.
///
/// # Errors
/// Dapr's `ERR_DIRECT_INVOKE` as a [`Reply`]: no id, an id that cannot be, an unknown application, a path that
/// cannot be sent.
#[inline(never)]
pub fn plan(config: &PluginConfig, headers: &Headers, raw_path: &str, trace: &Trace) -> Result<Forward, Reply> {
    let (path_part, query) = path::split_query(raw_path);
    let named = name_target(headers, path_part).ok_or_else(error::no_app_id)?;
    let destination = Destination::find(config, &named.app).map_err(|why| direct_invoke(500, &named.app, &why))?;
    let mut sent = path::method_path(&named.method).map_err(|invalid| {
        direct_invoke(500, &named.app, &format!("invalid method: it holds the character {:#04x}", invalid.byte))
    })?;
    if let Some(query) = query {
        sent.push('?');
        sent.push_str(query);
    }
    let mut edits = Edits::default();
    remove_present(headers, &mut edits);
    edits.set.push((":path", sent.into_bytes()));
    edits.set.push((":authority", destination.authority.into_bytes()));
    if let Some(cluster) = destination.cluster {
        edits.set.push((CLUSTER_HEADER, cluster.into_bytes()));
    }
    if !destination.is_self {
        edits.set.push(("dapr-caller-app-id", config.app_id.clone().into_bytes()));
        edits.set.push(("dapr-caller-namespace", config.namespace.clone().into_bytes()));
        edits.set.push(("dapr-callee-app-id", destination.app_id.into_bytes()));
    }
    trace.edit(headers, &mut edits);
    Ok(Forward { app: named.app, edits })
}

/// A set replaces every value of a name, so only what is not set again has to be removed.
#[inline(never)]
fn remove_present(headers: &Headers, edits: &mut Edits) {
    for (name, _) in headers.iter() {
        let ours =
            OURS.iter().chain(HOP_BY_HOP).chain(&["dapr-app-id", "dapr-api-token"]).find(|known| **known == name);
        if let Some(known) = ours
            && !edits.remove.contains(known)
        {
            edits.remove.push(known);
        }
    }
}

/// Edits to the callee's answer on its way back.
#[inline(never)]
pub fn response_edits(headers: &Headers) -> Edits {
    let mut edits = Edits::default();
    for (name, _) in headers.iter() {
        if let Some(known) = HOP_BY_HOP.iter().find(|known| **known == name)
            && !edits.remove.contains(known)
        {
            edits.remove.push(known);
        }
    }
    edits
}

#[cfg(test)]
mod tests;
