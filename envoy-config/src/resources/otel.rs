//! `spec.tracing.otel` of a `Configuration`: what takes an application's spans.

use super::item::{self, Source};
use crate::bootstrap::Transport;
use crate::problem::Place;
use crate::redis::host_and_port;
use crate::yaml::{Fields, Text};
use std::time::Duration;
use weft_core::duration::parse_component_duration;

/// OpenTelemetry's own default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A collector as it was written.
#[derive(Clone, PartialEq)]
pub struct Otel {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
    /// Whether by TLS.
    pub is_secure: bool,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// Where its address is.
    pub place: Place,
}

// Not derived: headers hold secrets.
impl std::fmt::Debug for Otel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Otel").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Reads one; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>) -> Option<Otel> {
    let address = fields.required("endpointAddress");
    let transport = transport(&mut fields);
    let is_secure = fields.parsed("isSecure", "true or false").unwrap_or(true);
    let headers = headers(&mut fields);
    let timeout = timeout(&mut fields);
    let found = address.and_then(|address| {
        let (host, port) = split(&fields, &address)?;
        Some(Otel { host, port, transport: transport?, is_secure, headers, timeout, place: address.place })
    });
    fields.finish();
    found
}

fn split(fields: &Fields<'_>, address: &Text) -> Option<(String, u16)> {
    let text = address.value.as_str();
    let found = if text.contains(['/', '@', ',']) { None } else { host_and_port(text) };
    if found.is_none() {
        let why = format!("is {text:?}, which is not <host>:<port>; isSecure says whether there is TLS");
        fields.problem(&address.place, "endpointAddress", &why);
    }
    found
}

fn transport(fields: &mut Fields<'_>) -> Option<Transport> {
    let text = fields.required("protocol")?;
    let known = match text.value.as_str() {
        "grpc" => Some(Transport::Grpc),
        "http" => Some(Transport::Http),
        _ => None,
    };
    if known.is_none() {
        fields.problem(&text.place, "protocol", &format!("is {:?}; write grpc or http", text.value));
    }
    known
}

fn timeout(fields: &mut Fields<'_>) -> Duration {
    let Some(text) = fields.text("timeout") else { return TIMEOUT };
    match parse_component_duration(&text.value).filter(|time| !time.is_zero()) {
        Some(time) => time,
        None => {
            let why = format!("is {:?}, which is not a duration above 0, such as \"10s\"", text.value);
            fields.problem(&text.place, "timeout", &why);
            TIMEOUT
        }
    }
}

fn headers(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for item in item::list(fields, "headers") {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match item.value {
            Source::Plain(value) if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') => {
                fields.problem(&item.place, "headers", &format!("gives {} a value with a line end", item.name));
            }
            Source::Plain(_) if !item.name.bytes().all(is_token) => {
                let why = format!("names {:?}, which is no header: write letters, digits and -", item.name);
                fields.problem(&item.place, "headers", &why);
            }
            Source::Plain(value) => headers.push((item.name, value)),
            Source::Secret { .. } | Source::Environment(_) => {
                let why = format!("gives {} by reference, which this release does not follow here", item.name);
                fields.problem(&item.place, "headers", &why);
            }
        }
    }
    headers
}
