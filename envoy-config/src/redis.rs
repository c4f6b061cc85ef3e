//! Redis components: the settings that say how the server is reached become an Envoy cluster; the others stay with the
//! component.

pub(crate) mod address;
mod servers;

use crate::bootstrap::{Authorities, Backend, Servers, Tls};
use crate::problem::Problems;
use crate::resources::{Component, is_one_of};
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weft_core::duration::parse_component_duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// About the connections of daprd's client. Weft has one per worker, with all commands on it.
const TUNING: &[&str] = &[
    "redisMaxRetries",
    "redisMinRetryInterval",
    "redisMaxRetryInterval",
    "maxRetries",
    "maxRetryBackoff",
    "readTimeout",
    "writeTimeout",
    "poolSize",
    "poolTimeout",
    "minIdleConns",
    "maxConnAge",
    "idleTimeout",
    "idleCheckFrequency",
];

/// Settings that must have this value, or be empty, and why.
const ONLY: &[(&str, &str, &str)] = &[("useEntraID", "false", "this release logs in by password")];

/// Whether a component's data is in a Redis.
#[must_use]
pub fn is_redis(kind: &str) -> bool {
    kind.ends_with(".redis")
}

/// The server of a component, and the settings that are not about it.
pub struct Split {
    /// The server; its cluster has no name yet. Absent if it is not well described, which is told.
    pub backend: Option<Backend>,
    /// What the filter has to know.
    pub rest: BTreeMap<String, String>,
}

/// The file of certificate authorities of `SSL_CERT_FILE`, else the system's.
#[must_use]
pub fn authorities() -> Option<PathBuf> {
    openssl_probe::probe().cert_file
}

/// A server's address, whose port has to be there.
pub(crate) fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = address::parse(text).ok()?;
    Some((host.to_owned(), port?))
}

/// Takes the settings apart. `authorities`: those that a server's certificate may be signed by.
pub fn split(component: &Component, authorities: Option<&Path>, problems: &Problems) -> Split {
    let reader = Reader { settings: Settings::of(component, problems), authorities };
    let found = reader.servers();
    let backend = reader.backend(found.as_ref());
    reader.only_supported();
    let mut rest = BTreeMap::new();
    for item in &component.metadata {
        if is_one_of(&item.name, TUNING) {
            let why = "has no effect: a worker has one connection, with all commands on it";
            problems.remark(&item.place, format!("{}: metadata {} {why}", component.subject(), item.name));
        } else if !is_about_the_server(&item.name) {
            rest.insert(item.name.clone(), item.value.resolved().to_owned());
        }
    }
    rest.extend(found.into_iter().flat_map(|found| found.metadata));
    Split { backend, rest }
}

fn is_about_the_server(name: &str) -> bool {
    const OURS: &[&str] =
        &["redisHost", "redisPort", "enableTLS", "insecureSkipTLSVerify", "clientCert", "clientKey", "dialTimeout"];
    is_one_of(name, OURS)
        || is_one_of(name, servers::KINDS)
        || ONLY.iter().any(|(known, ..)| known.eq_ignore_ascii_case(name))
}

struct Reader<'a> {
    settings: Settings<'a>,
    authorities: Option<&'a Path>,
}

impl Reader<'_> {
    /// The server that the proxy leads to; `found` is what `redisHost` and its like say.
    fn backend(&self, found: Option<&servers::Found>) -> Option<Backend> {
        let (connect_timeout, tls) = (self.timeout(), self.tls());
        let (cluster, servers) = (String::new(), found?.servers.clone());
        Some(Backend { cluster, servers, http2: false, tls, connect_timeout })
    }

    fn port(&self) -> Option<u16> {
        let item = self.settings.item("redisPort")?;
        let port = address::number(item.value.resolved().trim());
        if port.is_none() {
            self.settings.refuse(item, "is not the number of a port, from 1 to 65535");
        }
        port
    }

    fn timeout(&self) -> Duration {
        let Some(item) = self.settings.item("dialTimeout") else { return DEFAULT_TIMEOUT };
        parse_component_duration(item.value.resolved().trim()).filter(|timeout| !timeout.is_zero()).unwrap_or_else(
            || {
                self.settings.refuse(item, "is not a duration, such as \"5s\" or a number of milliseconds");
                DEFAULT_TIMEOUT
            },
        )
    }

    fn tls(&self) -> Option<Tls> {
        let enabled = self.settings.flag("enableTLS");
        let skip_verify = self.settings.flag("insecureSkipTLSVerify");
        let identity = self.identity();
        if !enabled {
            let idle = ["insecureSkipTLSVerify", "clientCert", "clientKey"]
                .into_iter()
                .filter_map(|name| self.settings.item(name));
            for item in idle.filter(|item| !item.value.resolved().eq_ignore_ascii_case("false")) {
                self.settings.refuse(item, "has no meaning without enableTLS");
            }
        }
        if !enabled {
            return None;
        }
        let authorities = if skip_verify { None } else { self.authorities().map(Authorities::File) };
        Some(Tls { authorities, identity, ..Tls::default() })
    }

    /// Our own certificate and its key.
    fn identity(&self) -> Option<(String, String)> {
        let (certificate, key) = (self.settings.item("clientCert"), self.settings.item("clientKey"));
        if let (Some(one), None) | (None, Some(one)) = (certificate, key) {
            self.settings.refuse(one, "needs both clientCert and clientKey");
        }
        certificate.into_iter().for_each(|item| self.settings.judge_certificate(item));
        key.into_iter().for_each(|item| self.settings.judge_key(item));
        certificate
            .zip(key)
            .map(|(certificate, key)| (certificate.value.resolved().to_owned(), key.value.resolved().to_owned()))
    }

    fn authorities(&self) -> Option<PathBuf> {
        if self.authorities.is_none()
            && let Some(item) = self.settings.item("enableTLS")
        {
            self.settings
                .refuse(item, "needs a file of certificate authorities; set SSL_CERT_FILE or insecureSkipTLSVerify");
        }
        self.authorities.map(Path::to_path_buf)
    }

    fn only_supported(&self) {
        for (name, supported, why) in ONLY {
            if let Some(item) = self.settings.item(name)
                && !item.value.resolved().trim().eq_ignore_ascii_case(supported)
            {
                self.settings.refuse(item, &format!("is not supported: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
