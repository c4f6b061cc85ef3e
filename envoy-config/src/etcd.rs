//! etcd components: the settings that say how the servers are reached become an Envoy cluster with HTTP/2; the others stay
//! with the component.

mod address;
#[cfg(test)]
mod tests;

use crate::bootstrap::{Authorities, Backend, Servers, Tls};
use crate::problem::Problems;
use crate::redis::Split;
use crate::resources::{Component, Item, is_one_of};
use crate::settings::Settings;
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
    let reader = Reader { settings: Settings::of(component, problems), authorities };
    let backend = reader.backend();
    let rest = component.metadata.iter().filter(|item| !is_one_of(&item.name, OURS));
    let rest = rest.map(|item| (item.name.clone(), item.value.resolved().to_owned())).collect();
    Split { backend, rest }
}

struct Reader<'a> {
    settings: Settings<'a>,
    authorities: Option<&'a Path>,
}

impl Reader<'_> {
    fn backend(&self) -> Option<Backend> {
        let tls = self.tls();
        let item = self.settings.required("endpoints")?;
        let mut hosts = Vec::new();
        for text in item.value.resolved().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let address = Address::parse(text).map_err(|why| self.settings.refuse(item, &why)).ok()?;
            if address.is_secure.is_some_and(|is_secure| is_secure != tls.is_some()) {
                self.settings.refuse(item, &format!("has {text:?}, which does not go with tlsEnable"));
            }
            let host = (address.host, address.port);
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.is_empty() {
            self.settings.refuse(item, "names no server; write <host>:<port>, several with commas between them");
            return None;
        }
        let (cluster, servers) = (String::new(), Servers::At(hosts));
        Some(Backend { cluster, servers, http2: true, tls, connect_timeout: CONNECT_TIMEOUT })
    }

    fn tls(&self) -> Option<Tls> {
        let enabled = self.settings.flag("tlsEnable");
        let pem = ["ca", "cert", "key"].map(|name| self.settings.item(name));
        if !enabled {
            for item in pem.into_iter().flatten() {
                self.settings.refuse(item, "has no meaning without tlsEnable");
            }
            return None;
        }
        let [ca, cert, key] = pem;
        [ca, cert].into_iter().flatten().for_each(|item| self.settings.judge_certificate(item));
        key.into_iter().for_each(|item| self.settings.judge_key(item));
        if let (Some(one), None) | (None, Some(one)) = (cert, key) {
            self.settings.refuse(one, "needs both cert and key");
        }
        let text = |item: &Item| item.value.resolved().to_owned();
        let own = ca.map(|item| Authorities::Text(text(item)));
        let authorities = own.or_else(|| self.authorities.map(|file| Authorities::File(file.to_path_buf())));
        if let (None, Some(item)) = (&authorities, self.settings.item("tlsEnable")) {
            self.settings.refuse(item, "needs certificate authorities; give ca, or set SSL_CERT_FILE");
        }
        Some(Tls { authorities, identity: cert.map(text).zip(key.map(text)), any_name: false, alpn: Some("h2") })
    }
}
