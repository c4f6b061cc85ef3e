//! Service invocation: who is called, and which edits turn the caller's request into the callee's.
//!
//! An invocation is never buffered: its headers are edited and it goes on.

mod error;
mod target;
mod url;

pub use error::{direct_invoke, failed_upstream, no_app_id};
pub use target::{Destination, Named, name_target};
pub(crate) use url::Url;

use crate::api::path;
use crate::config::{AppChannel, PluginConfig, TOKEN_HEADER};
use crate::grpc::{self, GrpcStatus, Refusal};
use crate::http::{Headers, Reply};
use crate::telemetry::{Told, Trace};

/// Changes to the headers of a message that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Fields to remove.
    pub remove: Vec<&'static str>,
    /// Fields to remove that the message itself names.
    pub remove_named: Vec<String>,
    /// Fields to set; other values of the same name go away.
    pub set: Vec<(&'static str, Vec<u8>)>,
    /// Fields to add, of names that are not there: the proxy does it in half the time.
    pub add: Vec<(&'static str, Vec<u8>)>,
}

impl Edits {
    /// Gives a field that value and no other, in whatever way costs least with these headers.
    pub fn put(&mut self, headers: &Headers, name: &'static str, value: Vec<u8>) {
        let mut known = headers.all(name);
        match (known.next(), known.next()) {
            (None, _) => self.add.push((name, value)),
            (Some(only), None) if only == value => {}
            _ => self.set.push((name, value)),
        }
    }
}

/// An invocation that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The id as the caller wrote it, for error messages.
    pub app: String,
    /// Who is asked, for error messages.
    pub authority: String,
    /// Whether no other filter of ours stands before the callee.
    pub is_direct: bool,
    /// Changes to the request.
    pub edits: Edits,
}

/// Headers that belong to one connection (`dapr-api` 1.4). The proxy itself handles `connection`,
/// `transfer-encoding` and `upgrade`.
pub const HOP_BY_HOP: &[&str] =
    &["keep-alive", "proxy-connection", "http2-settings", "te", "trailer", "proxy-authorization", "proxy-authenticate"];

/// Those of them that a gRPC request may hold; it needs `te`.
const HOP_BY_HOP_GRPC: &[&str] = &["proxy-authorization"];

/// Those of them that may stand in an answer and that the proxy does not remove by itself.
const HOP_BY_HOP_ANSWER: [&str; 2] = ["trailer", "proxy-authenticate"];

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
    let named = name_target(headers, path_part).ok_or_else(no_app_id)?;
    let destination = Destination::find(config, &named.app).map_err(|why| direct_invoke(500, &named.app, &why))?;
    let mut sent = path::method_path(&destination.method(&named.method)).map_err(|invalid| {
        direct_invoke(500, &named.app, &format!("invalid method: it holds the character {:#04x}", invalid.byte))
    })?;
    if let Some(query) = query {
        sent.push('?');
        sent.push_str(query);
    }
    let app = named.app.into_owned();
    let mut edits = Edits::default();
    remove_present(headers, HOP_BY_HOP, &mut edits);
    edits.set.push((":path", sent.into_bytes()));
    Ok(forward(config, headers, app, destination, edits, trace))
}

/// Turns a gRPC request into a call of another application. Its path is opaque, so it has to be in the form that
/// access rules judge.
///
/// # Errors
/// A [`Refusal`]: Dapr's own service, no id, an id that cannot be, an unknown application, a path that cannot be sent.
#[inline(never)]
pub fn plan_grpc(config: &PluginConfig, headers: &Headers, trace: &Trace) -> Result<Forward, Refusal> {
    let raw_path = headers.text(":path").unwrap_or_default();
    let app = grpc::target(headers, raw_path)?;
    let destination = Destination::find(config, app).map_err(|why| Refusal {
        status: GrpcStatus::Unknown,
        message: ["failed to invoke, id: ", app, ", err: ", &why].concat(),
    })?;
    if !path::method_path(raw_path).is_ok_and(|path| path == raw_path) {
        let message = ["invalid method: ", raw_path].concat();
        return Err(Refusal { status: GrpcStatus::InvalidArgument, message });
    }
    let mut edits = Edits::default();
    remove_present(headers, HOP_BY_HOP_GRPC, &mut edits);
    Ok(forward(config, headers, app.to_owned(), destination, edits, trace))
}

/// What both kinds of calls have in common.
#[inline(never)]
fn forward(
    config: &PluginConfig,
    headers: &Headers,
    app: String,
    destination: Destination,
    mut edits: Edits,
    trace: &Trace,
) -> Forward {
    edits.put(headers, ":authority", destination.authority.clone().into_bytes());
    let is_told = !destination.is_direct;
    let is_own = destination.is_own();
    let told = |value: &str| is_told.then(|| value.to_owned());
    // Only Weft may set these: what a client wrote goes away.
    let ours = [
        (CLUSTER_HEADER, destination.cluster),
        ("dapr-caller-app-id", told(&config.app_id)),
        ("dapr-caller-namespace", told(&config.namespace)),
        ("dapr-callee-app-id", told(&destination.app_id)),
    ];
    for (name, value) in ours {
        match value {
            Some(value) => edits.put(headers, name, value.into_bytes()),
            None if headers.get(name).is_some() => edits.remove.push(name),
            None => {}
        }
    }
    // Only a call of itself goes to the application past its own filter.
    if is_own {
        tell_token(config, &mut edits);
    }
    trace.edit(headers, &mut edits);
    Forward { app, authority: destination.authority, is_direct: destination.is_direct, edits }
}

/// Gives the application the token by which it knows that its proxy calls, in place of any other. Says whether there is one.
#[inline(never)]
pub fn tell_token(config: &PluginConfig, edits: &mut Edits) -> bool {
    let token = config.app.as_ref().and_then(AppChannel::token_header);
    edits.set.extend(token.map(|(name, token)| (name, token.as_bytes().to_vec())));
    token.is_some()
}

/// Removes what is for this proxy alone.
#[inline(never)]
fn remove_present(headers: &Headers, hop_by_hop: &'static [&'static str], edits: &mut Edits) {
    for (name, _) in headers.iter() {
        let ours = hop_by_hop.iter().chain(&["dapr-app-id", TOKEN_HEADER]).find(|known| **known == name);
        if let Some(known) = ours
            && !edits.remove.contains(known)
        {
            edits.remove.push(known);
        }
    }
}

/// Edits to the callee's answer on its way back. They are made without a look at the answer: to remove what is not
/// there costs the proxy less than to read all of it.
pub fn response_edits(told: Told) -> Edits {
    Edits { remove: HOP_BY_HOP_ANSWER.to_vec(), set: told, ..Edits::default() }
}

/// What an answer's field `connection` names besides itself. Only the filter before the application sees that field.
/// A pseudo header is none of it.
#[inline(never)]
pub fn nominated(connection: &[u8]) -> Vec<String> {
    let names = connection.split(|byte| *byte == b',').filter_map(|name| std::str::from_utf8(name.trim_ascii()).ok());
    let is_named =
        |name: &String| !name.is_empty() && !name.starts_with(':') && name != "close" && name != "keep-alive";
    names.map(str::to_ascii_lowercase).filter(is_named).collect()
}

#[cfg(test)]
mod tests;
