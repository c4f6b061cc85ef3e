//! etcd components: the settings that say how the servers are reached become an Envoy cluster with HTTP/2; the others stay
//! with the component.

mod address;
#[cfg(test)]
mod tests;

use crate::bootstrap::{Authorities, Backend, Servers, Tls};
use crate::pem;
use crate::problem::Problems;
use crate::redis::Split;
use crate::resources::{Component, Item, is_one_of};
use address::Address;
use std::path::Path;
use std::time::Duration;

/// The component's type.
pub const KIND: &str = "state.etcd";

/// How long a connection may take. A request has five seconds in all, and another host may have to be tried in them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// About the servers.
const OURS: &[&str] = &["endpoints", "tlsEnable", "ca", "cert", "key"];

/// Takes the settings apart. `authorities`: those that a server's certificate may be signed by, if the component names none.
pub fn split(component: &Component, authorities: Option<&Path>, problems: &Problems) -> Split {
    let reader = Reader { component, authorities, problems };
    let backend = reader.backend();
    let rest = component.metadata.iter().filter(|item| !is_one_of(&item.name, OURS));
    let rest = rest.map(|item| (item.name.clone(), item.value.resolved().to_owned())).collect();
    Split { backend, rest }
}

struct Reader<'a> {
    component: &'a Component,
    authorities: Option<&'a Path>,
    problems: &'a Problems,
}

impl<'a> Reader<'a> {
    /// A setting that is not empty.
    fn item(&self, name: &str) -> Option<&'a Item> {
        let mut items = self.component.metadata.iter();
        items.find(|item| item.name.eq_ignore_ascii_case(name) && !item.value.resolved().trim().is_empty())
    }

    fn refuse(&self, item: &Item, why: &str) {
        let what = format!("{}: metadata {} {why}", self.component.subject(), item.name);
        self.problems.add(&item.place, what);
    }

    fn backend(&self) -> Option<Backend> {
        let tls = self.tls();
        let Some(item) = self.item("endpoints") else {
            let what = format!("{}: metadata endpoints is missing", self.component.subject());
            self.problems.add(&self.component.kind.place, what);
            return None;
        };
        let mut hosts = Vec::new();
        for text in item.value.resolved().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let address = Address::parse(text).map_err(|why| self.refuse(item, &why)).ok()?;
            if address.is_secure.is_some_and(|is_secure| is_secure != tls.is_some()) {
                self.refuse(item, &format!("has {text:?}, which does not go with tlsEnable"));
            }
            let host = (address.host, address.port);
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.is_empty() {
            self.refuse(item, "names no server; write <host>:<port>, several with commas between them");
            return None;
        }
        let (cluster, servers) = (String::new(), Servers::At(hosts));
        Some(Backend { cluster, servers, http2: true, tls, connect_timeout: CONNECT_TIMEOUT })
    }

    fn tls(&self) -> Option<Tls> {
        let enabled = self.flag("tlsEnable");
        let pem = ["ca", "cert", "key"].map(|name| self.item(name));
        if !enabled {
            for item in pem.into_iter().flatten() {
                self.refuse(item, "has no meaning without tlsEnable");
            }
            return None;
        }
        let [ca, cert, key] = pem;
        for item in [ca, cert].into_iter().flatten() {
            if !pem::is_certificate(item.value.resolved()) {
                self.refuse(
                    item,
                    "is not a certificate in PEM; give the text itself, from -----BEGIN CERTIFICATE-----",
                );
            }
        }
        if let Some(item) = key.filter(|item| !pem::is_private_key(item.value.resolved())) {
            self.refuse(item, "is not a private key in PEM; give the text itself, from -----BEGIN PRIVATE KEY-----");
        }
        if let (Some(one), None) | (None, Some(one)) = (cert, key) {
            self.refuse(one, "needs both cert and key");
        }
        let text = |item: &Item| item.value.resolved().to_owned();
        let own = ca.map(|item| Authorities::Text(text(item)));
        let authorities = own.or_else(|| self.authorities.map(|file| Authorities::File(file.to_path_buf())));
        if let (None, Some(item)) = (&authorities, self.item("tlsEnable")) {
            self.refuse(item, "needs certificate authorities; give ca, or set SSL_CERT_FILE");
        }
        Some(Tls { authorities, identity: cert.map(text).zip(key.map(text)), any_name: false, alpn: Some("h2") })
    }

    fn flag(&self, name: &str) -> bool {
        let Some(item) = self.item(name) else { return false };
        match item.value.resolved().trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => true,
            "false" | "f" | "no" | "n" | "off" | "0" => false,
            _ => {
                self.refuse(item, "is not true or false");
                false
            }
        }
    }
}
