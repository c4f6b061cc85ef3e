//! `redisHost` and what says whether it is one server, nodes of a Redis Cluster, or Sentinels.

use super::{Reader, Servers, address};
use crate::resources::Item;

/// Metadata by which the kind of servers is told.
pub(super) const KINDS: &[&str] = &["redisType", "failover"];

const PORT: u16 = 6379;
const SENTINELS_PORT: u16 = 26_379;

/// Where the data of a component are.
pub(super) struct Found {
    /// For the proxy.
    pub(super) servers: Servers,
    /// For the filter: where several servers are found while it runs.
    pub(super) metadata: Vec<(String, String)>,
}

impl Reader<'_> {
    /// Reads them. `None` if they are not well described, which is told.
    pub(super) fn servers(&self) -> Option<Found> {
        let (kind, failover) = (self.settings.item("redisType"), self.settings.flag("failover"));
        let kind = kind.filter(|item| !item.value.resolved().trim().eq_ignore_ascii_case("node"));
        // What the filter cannot take it refuses itself, by name.
        let kinds = kind.map(|item| (item.name.clone(), item.value.resolved().trim().to_ascii_lowercase()));
        let failover =
            self.settings.item("failover").filter(|_| failover).map(|item| (item.name.clone(), "true".to_owned()));
        let usual = if failover.is_some() { SENTINELS_PORT } else { PORT };
        let hosts = self.hosts(usual)?;
        let are_many = failover.is_some() || kinds.as_ref().is_some_and(|(_, kind)| kind == "cluster");
        let mut metadata: Vec<_> = kinds.into_iter().chain(failover).collect();
        if let ([(host, port)], false) = (hosts.as_slice(), are_many) {
            return Some(Found { servers: Servers::at(host, *port), metadata });
        }
        let item = self.settings.item("redisHost")?;
        if !are_many {
            self.settings
                .refuse(item, "names several servers; set redisType to cluster, or failover to true, or keep one");
            return None;
        }
        let written = hosts.iter().map(|(host, port)| write(host, *port)).collect::<Vec<_>>();
        metadata.push((item.name.clone(), written.join(",")));
        Some(Found { servers: Servers::AsAsked, metadata })
    }

    fn hosts(&self, usual: u16) -> Option<Vec<(String, u16)>> {
        let port = self.port();
        let item = self.settings.required("redisHost")?;
        let hosts = item.value.resolved().split(',').map(str::trim);
        hosts.map(|host| self.host(item, host, port, usual)).collect()
    }

    fn host(&self, item: &Item, text: &str, port: Option<u16>, usual: u16) -> Option<(String, u16)> {
        let (host, own) = address::parse(text).map_err(|why| self.settings.refuse(item, &why)).ok()?;
        if let (Some(one), Some(other)) = (own, port)
            && one != other
        {
            self.settings.refuse(item, &format!("has port {one}, but redisPort is {other}; keep one"));
        }
        Some((host.to_owned(), own.or(port).unwrap_or(usual)))
    }
}

fn write(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
