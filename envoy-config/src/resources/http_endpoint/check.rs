//! What can be said of an endpoint's values once they are known.

use super::{HttpEndpoint, Scheme};
use crate::pem;
use crate::problem::Problems;
use crate::resources::item::{Item, Source};

/// Headers that say how a message is sent, which is the proxy's business.
const PROXYS: &[&str] =
    &["host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"];

/// Tells what is wrong with the values of an endpoint, and never shows them.
pub(in crate::resources) fn check(endpoint: &HttpEndpoint, problems: &Problems) {
    let tell = |item: &Item, what: &str, why: &str| {
        problems.add(&item.place, format!("{}: {what}{} {why}", endpoint.subject(), item.name));
    };
    for item in &endpoint.headers {
        if let Some(why) = wrong_header(item) {
            tell(item, "header ", why);
        }
    }
    let tls = &endpoint.client_tls;
    let parts = [&tls.root_ca, &tls.certificate, &tls.private_key];
    for item in parts.into_iter().flatten() {
        if let Some(why) = wrong_pem(item) {
            tell(item, "clientTLS.", why);
        } else if endpoint.base_url.scheme == Scheme::Http {
            tell(item, "clientTLS.", "has no meaning where baseUrl begins with http://");
        }
    }
    match (&tls.certificate, &tls.private_key) {
        (Some(one), None) => tell(one, "clientTLS.", "needs privateKey beside it"),
        (None, Some(one)) => tell(one, "clientTLS.", "needs certificate beside it"),
        _ => {}
    }
}

fn text(item: &Item) -> Option<&str> {
    match &item.value {
        // One that could not be had is empty, and was told.
        Source::Plain(text) if !text.is_empty() => Some(text),
        Source::Plain(_) | Source::Secret { .. } | Source::Environment(_) => None,
    }
}

fn wrong_header(item: &Item) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = item.name.as_str();
    let value = text(item).unwrap_or_default();
    if !name.bytes().all(is_token) {
        Some("is no name of a header: write letters, digits and -")
    } else if PROXYS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        Some("is set by the proxy; remove it")
    } else if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        Some("has a value with a line end or another control character")
    } else {
        None
    }
}

fn wrong_pem(item: &Item) -> Option<&'static str> {
    let text = text(item)?;
    match item.name.as_str() {
        "privateKey" => pem::flaw_of_key(text),
        _ => pem::flaw_of_certificate(text),
    }
}
