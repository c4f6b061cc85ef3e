//! `kind: HTTPEndpoint`: a server outside of Dapr that applications call by a name.

mod base_url;
mod check;

pub use base_url::{BaseUrl, Scheme};
pub(super) use check::check;

use super::item::{self, Item};
use super::{Head, head, is_for};
use crate::problem::Place;
use crate::yaml::{Fields, Text};

/// An endpoint as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpEndpoint {
    /// Its name.
    pub name: String,
    /// Where it is, and what goes before every path.
    pub base_url: BaseUrl,
    /// Headers of every request, in place of those of the same name. None is there twice.
    pub headers: Vec<Item>,
    /// TLS beyond what `https` asks for.
    pub client_tls: ClientTls,
    /// Where its name is.
    pub place: Place,
    pub(super) secret_store: Option<Text>,
    namespace: Option<String>,
    scopes: Vec<String>,
}

/// TLS of an endpoint; each part is PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Authorities one of which has to have signed the server's certificate; absent for the system's.
    pub root_ca: Option<Item>,
    /// Our own certificate, with those that signed it.
    pub certificate: Option<Item>,
    /// The key of our certificate.
    pub private_key: Option<Item>,
    /// Whether the server may ask to negotiate anew, as often as it likes.
    pub renegotiates: bool,
}

impl HttpEndpoint {
    /// Whether an application has it.
    #[must_use]
    pub fn is_for(&self, app: &str, namespace: &str) -> bool {
        is_for(self.namespace.as_deref(), &self.scopes, app, namespace)
    }

    /// What it is called in problems.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("HTTPEndpoint {:?}", self.name)
    }

    /// Everything that may be a secret, with what it is called in problems.
    pub(super) fn values(&mut self) -> impl Iterator<Item = (&'static str, &mut Item)> {
        let tls = &mut self.client_tls;
        let tls = [&mut tls.root_ca, &mut tls.certificate, &mut tls.private_key].into_iter().flatten();
        self.headers.iter_mut().map(|item| ("header ", item)).chain(tls.map(|item| ("clientTLS.", item)))
    }
}

/// Reads one; what is wrong with it is told, but for its values, which [`check`] looks at when they are known.
pub(super) fn read(mut fields: Fields<'_>) -> Option<HttpEndpoint> {
    let Head { name, namespace, place } = head(&mut fields, "HTTPEndpoint");
    let secret_store = item::secret_store(&mut fields);
    let scopes = fields.texts("scopes").into_iter().map(|scope| scope.value).collect();
    let spec = fields.required_fields("spec");
    fields.finish();
    let mut spec = spec?;
    let base_url = spec.required("baseUrl").and_then(|text| {
        let parsed = BaseUrl::parse(&text.value);
        parsed.map_err(|why| spec.problem(&text.place, "baseUrl", &why)).ok()
    });
    let headers = item::list(&mut spec, "headers");
    let client_tls = spec.fields("clientTLS").map(client_tls).unwrap_or_default();
    spec.finish();
    if name.is_empty() {
        // Told already.
        return None;
    }
    let base_url = base_url?;
    Some(HttpEndpoint { name, base_url, headers, client_tls, place, secret_store, namespace, scopes })
}

fn client_tls(mut fields: Fields<'_>) -> ClientTls {
    let tls = ClientTls {
        root_ca: part(&mut fields, "rootCA"),
        certificate: part(&mut fields, "certificate"),
        private_key: part(&mut fields, "privateKey"),
        renegotiates: renegotiates(&mut fields),
    };
    fields.finish();
    tls
}

fn part(fields: &mut Fields<'_>, name: &'static str) -> Option<Item> {
    let mut part = fields.fields(name)?;
    let item = Item { name: name.to_owned(), place: part.place(), value: item::source(&mut part) };
    part.finish();
    Some(item)
}

fn renegotiates(fields: &mut Fields<'_>) -> bool {
    let Some(text) = fields.text("renegotiation") else { return false };
    match text.value.as_str() {
        "RenegotiateNever" => false,
        "RenegotiateFreelyAsClient" => true,
        other => {
            let why = format!("is {other:?}; write RenegotiateNever or RenegotiateFreelyAsClient, which Envoy knows");
            fields.problem(&text.place, "renegotiation", &why);
            false
        }
    }
}

#[cfg(test)]
mod tests;
