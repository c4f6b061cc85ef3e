//! PostgreSQL components: the settings that say how the server is reached become an Envoy cluster; who logs in, and
//! everything else, stays with the component.

mod connection;
#[cfg(test)]
mod tests;

use crate::bootstrap::{Authorities, Backend, Servers, Tls};
use crate::problem::Problems;
use crate::redis::Split;
use crate::resources::{Component, Item, is_one_of};
use connection::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Members of a connection string that the component's own metadata may say instead.
const MEMBERS: &[&str] = &["host", "hostaddr", "port", "user", "password", "database", "sslRootCert"];

/// About how daprd's client uses its connections.
const TUNING: &[&str] = &["connectionMaxIdleTime", "queryExecMode"];

/// Settings that must have this value, or be empty, and why.
const ONLY: &[(&str, &str, &str)] = &[
    ("useAzureAD", "false", "this release logs in by password"),
    ("useAWSIAM", "false", "this release logs in by password"),
];

/// Whether a component's data is in a PostgreSQL.
#[must_use]
pub fn is_postgres(kind: &str) -> bool {
    matches!(kind, "state.postgresql" | "state.postgres")
}

/// Takes the settings apart. `authorities`: those that a server's certificate may be signed by.
pub fn split(component: &Component, authorities: Option<&Path>, problems: &Problems) -> Split {
    let reader = Reader { component, authorities, problems };
    let connection = reader.connection();
    let backend = connection.as_ref().and_then(|connection| reader.backend(connection));
    reader.only_supported();
    let mut rest = BTreeMap::new();
    for item in &component.metadata {
        if is_one_of(&item.name, TUNING) {
            let why = "has no effect: a worker keeps its connections, and its statements are prepared";
            problems.remark(&item.place, format!("{}: metadata {} {why}", component.subject(), item.name));
        } else if !is_about_the_server(&item.name) {
            rest.insert(item.name.clone(), item.value.resolved().to_owned());
        }
    }
    let own = ["user", "password", "database"];
    let given = own.into_iter().filter_map(|name| Some((name.to_owned(), connection.as_ref()?.get(name)?.to_owned())));
    rest.extend(given);
    Split { backend, rest }
}

fn is_about_the_server(name: &str) -> bool {
    name.eq_ignore_ascii_case("connectionString")
        || is_one_of(name, MEMBERS)
        || ONLY.iter().any(|(known, ..)| known.eq_ignore_ascii_case(name))
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
        items.find(|item| item.name.eq_ignore_ascii_case(name) && !item.value.resolved().is_empty())
    }

    fn refuse(&self, name: &str, why: &str) {
        let item = self.item(name).or_else(|| self.item("connectionString"));
        let place = item.map_or(&self.component.kind.place, |item| &item.place);
        let name = item.map_or(name, |item| item.name.as_str());
        self.problems.add(place, format!("{}: metadata {name} {why}", self.component.subject()));
    }

    /// What the connection string says, with what the component says beside it, which goes before.
    fn connection(&self) -> Option<Connection> {
        let text = self.item("connectionString").map(|item| item.value.resolved()).unwrap_or_default();
        let mut connection = Connection::parse(text).map_err(|why| self.refuse("connectionString", &why)).ok()?;
        for name in MEMBERS {
            if let Some(item) = self.item(name) {
                connection.set(name, item.value.resolved());
            }
        }
        Some(connection)
    }

    fn backend(&self, connection: &Connection) -> Option<Backend> {
        let Some(host) = connection.get("hostaddr").or_else(|| connection.get("host")) else {
            self.refuse("connectionString", "names no host; write host=<host> into it, or set host");
            return None;
        };
        let is_host = |host: &str| {
            let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            is_name || host.parse::<std::net::Ipv6Addr>().is_ok()
        };
        if !is_host(host) {
            self.refuse(
                "host",
                "has to name one host, by name or address; sockets of the file system are not supported",
            );
            return None;
        }
        let Some(port) =
            connection.get("port").map_or(Some(DEFAULT_PORT), |port| port.parse().ok().filter(|it| *it > 0))
        else {
            self.refuse("port", "has to be the number of a port, from 1 to 65535");
            return None;
        };
        if connection.get("user").is_none() {
            self.refuse("connectionString", "names no user; write user=<user> into it, or set user");
        }
        let connect_timeout = self.timeout(connection);
        Some(Backend {
            cluster: String::new(),
            servers: Servers::at(host, port),
            http2: false,
            tls: self.tls(connection),
            connect_timeout,
        })
    }

    fn timeout(&self, connection: &Connection) -> Duration {
        let Some(text) = connection.get("connect_timeout") else { return DEFAULT_TIMEOUT };
        match text.parse().ok().filter(|seconds| *seconds > 0) {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                self.refuse("connectionString", "has a connect_timeout that is no number of seconds");
                DEFAULT_TIMEOUT
            }
        }
    }

    /// TLS where it is demanded, with the connection's first byte, as PostgreSQL 17 and newer take it. Before, TLS begins in
    /// the middle of a connection, which Envoy cannot do but in builds with `postgres_proxy`. What only prefers TLS goes
    /// without, as it may.
    fn tls(&self, connection: &Connection) -> Option<Tls> {
        let own = connection.get("sslRootCert").map(PathBuf::from);
        let mode = connection.get("sslmode").unwrap_or("prefer");
        let (authorities, any_name) = match mode {
            "disable" | "allow" | "prefer" => {
                if own.is_some() {
                    self.refuse("sslRootCert", "has no meaning without sslmode=require, verify-ca or verify-full");
                }
                return None;
            }
            "require" => (own, true),
            "verify-ca" | "verify-full" => {
                let authorities = own.or_else(|| self.authorities.map(Path::to_path_buf));
                if authorities.is_none() {
                    self.refuse("connectionString", "needs certificate authorities; set sslRootCert or SSL_CERT_FILE");
                }
                (authorities, mode == "verify-ca")
            }
            _ => {
                let why = "has an sslmode that is not disable, allow, prefer, require, verify-ca or verify-full";
                self.refuse("connectionString", why);
                return None;
            }
        };
        if connection.get("sslnegotiation") != Some("direct") {
            let why = format!(
                "has sslmode={mode}, for which Envoy needs sslnegotiation=direct beside it, and PostgreSQL 17 or newer; \
                 or let the mesh encrypt the connection, and write sslmode=disable"
            );
            self.refuse("connectionString", &why);
        }
        if !any_name && connection.get("hostaddr").is_some() && connection.get("host").is_some() {
            let why = "cannot go with host and sslmode=verify-full: the certificate has to name what is connected to";
            self.refuse("hostaddr", why);
        }
        let authorities = authorities.map(Authorities::File);
        Some(Tls { authorities, identity: None, any_name, alpn: Some("postgresql") })
    }

    fn only_supported(&self) {
        for (name, supported, why) in ONLY {
            if let Some(item) = self.item(name)
                && !item.value.resolved().trim().eq_ignore_ascii_case(supported)
            {
                self.refuse(name, &format!("is not supported: {why}"));
            }
        }
    }
}
