//! Settings of a Redis of several servers, in Dapr's words.

#[cfg(feature = "redis-nodes")]
use super::Login;
use crate::components::metadata;
use crate::components::reader::Reader;
use crate::config::Component;

/// Where a component's data are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Servers {
    /// On the server that the proxy's cluster leads to.
    One,
    /// On the nodes of a Redis Cluster.
    #[cfg(feature = "redis-nodes")]
    Cluster {
        /// Some of them, `host:port`.
        seeds: Vec<String>,
    },
    /// On the master that Sentinels name.
    #[cfg(feature = "redis-nodes")]
    Sentinel {
        /// The Sentinels, `host:port`.
        sentinels: Vec<String>,
        /// Their name of the master.
        master: String,
        /// For the Sentinels themselves.
        login: Login,
    },
}

pub(super) const NAMES: &[&str] =
    &["redisType", "failover", "sentinelMasterName", "sentinelUsername", "sentinelPassword"];
/// Of the component only where there are several servers.
pub(super) const HOSTS: &[&str] = &["redisHost"];

/// Whether a component's servers are found while it runs: a Redis Cluster's nodes, or the master that Sentinels name.
pub fn has_many_servers(component: &Component) -> bool {
    let is = |name, wanted| metadata(component, name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted));
    is("redisType", "cluster") || is("failover", "true")
}

/// No module but the full one has several servers.
#[cfg(not(feature = "redis-nodes"))]
#[inline(never)]
pub(super) fn servers(reader: &mut Reader<'_>) -> Servers {
    for name in NAMES {
        if reader.text(name).is_some_and(|value| !matches!(value, "node" | "false")) {
            reader.conflict(name, "asks for what is not in this module", "load weft-full.wasm, or remove it");
        }
    }
    Servers::One
}

/// Reads which servers there are.
#[cfg(feature = "redis-nodes")]
#[inline(never)]
pub(super) fn servers(reader: &mut Reader<'_>) -> Servers {
    let failover = reader.parsed::<bool>("failover", "true or false").unwrap_or_default();
    let is_cluster = match reader.text("redisType").unwrap_or("node") {
        kind if kind.eq_ignore_ascii_case("cluster") => true,
        kind if kind.eq_ignore_ascii_case("node") => false,
        _ => {
            reader.refuse("redisType", "node or cluster");
            return Servers::One;
        }
    };
    match (is_cluster, failover) {
        (true, true) => {
            let what = "cannot go with redisType cluster: there the nodes see to a failover themselves";
            reader.conflict("failover", what, "remove one of them");
            Servers::One
        }
        (true, false) => cluster(reader),
        (false, true) => sentinel(reader),
        (false, false) => {
            no_sentinel(reader, "has no meaning without failover");
            Servers::One
        }
    }
}

#[cfg(feature = "redis-nodes")]
fn cluster(reader: &mut Reader<'_>) -> Servers {
    no_sentinel(reader, "has no meaning with redisType cluster");
    if reader.text("redisDB").is_some_and(|number| number != "0") {
        reader.conflict("redisDB", "cannot be another than 0: a Redis Cluster has one database", "remove it");
    }
    Servers::Cluster { seeds: hosts(reader) }
}

#[cfg(feature = "redis-nodes")]
fn sentinel(reader: &mut Reader<'_>) -> Servers {
    let master = reader.text("sentinelMasterName").unwrap_or_default().to_owned();
    if master.is_empty() {
        reader.conflict("failover", "needs sentinelMasterName beside it", "set it: the Sentinels' name of the master");
    }
    let login = Login {
        username: reader.text("sentinelUsername").map(str::to_owned),
        password: reader.raw("sentinelPassword").map(str::to_owned),
        database: 0,
    };
    if login.username.is_some() && login.password.is_none() {
        reader.conflict("sentinelUsername", "needs sentinelPassword beside it", "set it or remove sentinelUsername");
    }
    Servers::Sentinel { sentinels: hosts(reader), master, login }
}

#[cfg(feature = "redis-nodes")]
fn no_sentinel(reader: &mut Reader<'_>, what: &str) {
    for name in ["sentinelMasterName", "sentinelUsername", "sentinelPassword"] {
        if reader.text(name).is_some() {
            reader.conflict(name, what, "set failover to true, or remove it");
        }
    }
}

/// The servers that are asked first.
#[cfg(feature = "redis-nodes")]
fn hosts(reader: &mut Reader<'_>) -> Vec<String> {
    let list = reader.text("redisHost").unwrap_or_default();
    let hosts: Vec<&str> = list.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    let is_whole = |host: &&str| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if hosts.is_empty() || !hosts.iter().all(is_whole) {
        reader.conflict("redisHost", "is no list of <host>:<port>", "write them with commas between");
    }
    hosts.into_iter().map(str::to_owned).collect()
}
