//! Who calls, from what the mesh says of it.

use crate::config::{Callers, Identity};
use crate::http::Headers;

/// An application that calls, as the mesh has verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The trust domain of its certificate. Absent where the proxy itself vouches for it: then it fits any.
    pub trust_domain: Option<&'a str>,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its app id.
    pub app_id: &'a str,
}

/// The header that a proxy writes which has ended TLS.
const FORWARDED: &str = "x-forwarded-client-cert";
/// Linkerd's.
const LINKERD: &str = "l5d-client-id";

impl Callers {
    /// The name of the other end, in whatever form the mesh has for it. `certificate` gives the one of this connection.
    #[inline(never)]
    pub fn identity(&self, headers: &Headers, certificate: impl FnOnce() -> Option<Vec<u8>>) -> Option<String> {
        let bytes = match self.identity {
            Identity::Certificate => certificate()?,
            Identity::ForwardedCertificate => last_forwarded(headers.all(FORWARDED).last()?)?.to_vec(),
            Identity::Linkerd => only(headers, LINKERD)?.to_vec(),
            Identity::SameProxy => return None,
        };
        String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
    }

    /// The application that has this name in the mesh; the headers count only where the same proxy has written them.
    #[inline(never)]
    pub fn caller<'a>(&'a self, headers: &'a Headers, identity: Option<&'a str>) -> Option<Caller<'a>> {
        if self.identity == Identity::SameProxy {
            let text = |name| std::str::from_utf8(only(headers, name)?).ok();
            let (app_id, namespace) = (text("dapr-caller-app-id")?, text("dapr-caller-namespace")?);
            return Some(Caller { trust_domain: None, namespace, app_id });
        }
        let identity = identity?;
        let (trust_domain, namespace, name) = spiffe(identity).or_else(|| linkerd(identity))?;
        let app_id = match name {
            Name::App(app_id) => app_id,
            Name::Account(account) => self.app_of(namespace, account)?,
        };
        Some(Caller { trust_domain: Some(trust_domain), namespace, app_id })
    }

    fn app_of<'a>(&'a self, namespace: &str, account: &'a str) -> Option<&'a str> {
        if self.service_accounts.is_empty() {
            return Some(account);
        }
        self.service_accounts.get(&[namespace, "/", account].concat()).map(String::as_str)
    }
}

/// The last part of an identity.
enum Name<'a> {
    App(&'a str),
    Account(&'a str),
}

/// Istio's `spiffe://<trust domain>/ns/<namespace>/sa/<account>` and Dapr's `spiffe://<trust domain>/ns/<namespace>/<app id>`.
#[inline(never)]
fn spiffe(identity: &str) -> Option<(&str, &str, Name<'_>)> {
    let mut parts = identity.strip_prefix("spiffe://")?.split('/');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (domain, ns, namespace, fourth, fifth) = (next()?, next()?, next()?, next()?, next());
    let name = match fifth {
        Some(account) if fourth == "sa" => Name::Account(account),
        Some(_) => return None,
        None => Name::App(fourth),
    };
    // An empty part ends the walk as well; then something is left of the text, or it ends with a slash.
    let is_whole = parts.next().is_none() && !identity.ends_with('/');
    (is_whole && ns == "ns").then_some((domain, namespace, name))
}

/// Linkerd's `<account>.<namespace>.serviceaccount.identity.<control plane's namespace>.<trust domain>`. An account's name
/// may hold dots, a namespace none; what the mesh has added is at the end.
#[inline(never)]
fn linkerd(identity: &str) -> Option<(&str, &str, Name<'_>)> {
    const MARK: &[u8] = b".serviceaccount.identity.";
    // Not `rsplit_once`: the library's search for texts takes a module two kilobytes.
    let at = identity.as_bytes().windows(MARK.len()).rposition(|part| part == MARK)?;
    let (account, namespace) = identity.get(..at)?.rsplit_once('.')?;
    let (_, domain) = identity.get(at + MARK.len()..)?.split_once('.')?;
    let is_whole = [account, namespace, domain].iter().all(|part| !part.is_empty());
    is_whole.then_some((domain, namespace, Name::Account(account)))
}

/// The value of a field that stands there once. Two mean that somebody besides the proxy wrote one.
fn only<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a [u8]> {
    let mut values = headers.all(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The `URI` of the last element: `By=…;Hash=…;URI=…,By=…`. Values may be quoted, with separators in them.
#[inline(never)]
fn last_forwarded(value: &[u8]) -> Option<&[u8]> {
    let (mut is_quoted, mut is_escaped, mut start, mut uri) = (false, false, 0, None);
    for (at, byte) in value.iter().chain(b",").enumerate() {
        if !is_quoted && matches!(byte, b',' | b';') {
            let pair = value.get(start..at).unwrap_or_default().trim_ascii();
            uri = uri.or(pair.split_at_checked(4).filter(|it| it.0.eq_ignore_ascii_case(b"URI=")).map(|it| it.1));
            start = at + 1;
            if *byte == b',' && at < value.len() {
                uri = None;
            }
        }
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    let uri = uri?;
    let uri = uri.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(uri);
    // Nothing in an identity needs to be escaped, and an open quote is no end.
    (!is_quoted && !uri.iter().any(|byte| matches!(byte, b'"' | b'\\'))).then_some(uri)
}
