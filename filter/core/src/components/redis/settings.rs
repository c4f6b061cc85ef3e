//! Typed settings from the metadata of a Redis component.

mod servers;

use crate::components::reader::{Known, Reader};
use crate::config::{Component, Problem};
use crate::pubsub::Order;
use crate::state::Ttl;
pub(crate) use servers::Servers;
pub use servers::has_many_servers;
use std::time::Duration;

/// How to be let in.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// ACL user; absent for `default`.
    pub username: Option<String>,
    /// Password; absent for none.
    pub password: Option<String>,
    /// Number of the database.
    pub database: u16,
}

// Not derived: the password must never reach a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// Settings of `state.redis`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StateSettings {
    pub login: Login,
    pub servers: Servers,
    /// For values that are stored without a TTL of their own; `Unspecified` leaves theirs alone.
    pub ttl: Ttl,
}

/// How a stream is kept short when events are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trim {
    /// It grows.
    Never,
    /// To about that many entries.
    Length(u64),
    /// To about the entries that are younger.
    Age(Duration),
}

/// Settings of `pubsub.redis`.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "redis-nodes", derive(Clone))]
pub(crate) struct PubsubSettings {
    pub login: Login,
    pub servers: Servers,
    /// The consumer group; absent for the app id.
    pub consumer_id: Option<String>,
    /// Events of one topic that may be with the application at once.
    pub window: usize,
    /// Which of them wait for each other.
    pub order: Order,
    /// How long an entry must lie with a consumer before another may claim it; `None` turns claiming off.
    pub claim: Option<Claim>,
    pub trim: Trim,
}

/// When entries that a consumer left behind are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// How long nobody must have touched them (`processingTimeout`).
    pub min_idle: Duration,
    /// How often they are looked for (`redeliverInterval`).
    pub every: Duration,
}

/// Events in flight for one topic if the component does not say.
const DEFAULT_WINDOW: usize = 16;
/// The most that it may say.
const MAX_WINDOW: u64 = 1000;
const DEFAULT_PROCESSING_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_REDELIVER_INTERVAL: Duration = Duration::from_secs(15);

const LOGIN: &[&str] = &["redisUsername", "redisPassword", "redisDB"];
const STATE: &[&str] = &["ttlInSeconds", "keyPrefix", "actorStateStore"];
const PUBSUB: &[&str] = &[
    "consumerID",
    "processingTimeout",
    "redeliverInterval",
    "queueDepth",
    "concurrency",
    "concurrencyMode",
    "maxLenApprox",
    "streamTTL",
    // Read by the publish/subscribe block.
    "deliveryTimeout",
    "allowedTopics",
    "protectedTopics",
    "publishingScopes",
    "subscriptionScopes",
];
/// How Redis is reached is the proxy's business.
const OF_THE_CLUSTER: &[&str] = &[
    "redisHost",
    "redisPort",
    "enableTLS",
    "insecureSkipTLSVerify",
    "clientCert",
    "clientKey",
    "dialTimeout",
    "idleTimeout",
    "poolSize",
    "poolTimeout",
    "minIdleConns",
    "maxConnAge",
    "idleCheckFrequency",
];

/// Reads the metadata of a `state.redis` component.
///
/// # Errors
/// Each entry that cannot be used.
#[inline(never)]
pub(crate) fn state(component: &Component) -> Result<StateSettings, Vec<Problem>> {
    let mut reader = read(component, STATE);
    let (login, servers) = (login(&mut reader), servers::servers(&mut reader));
    let ttl = match reader.parsed::<i64>("ttlInSeconds", "a whole number of seconds, -1 for ever") {
        None => Ttl::Unspecified,
        Some(seconds) if seconds <= 0 => Ttl::Never,
        Some(seconds) => Ttl::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
    };
    // Read by the state block; here only its form is judged.
    reader.parsed::<bool>("actorStateStore", "true or false");
    reader.finish(StateSettings { login, servers, ttl })
}

/// Reads the metadata of a `pubsub.redis` component.
///
/// # Errors
/// Each entry that cannot be used.
#[inline(never)]
pub(crate) fn pubsub(component: &Component) -> Result<PubsubSettings, Vec<Problem>> {
    let mut reader = read(component, PUBSUB);
    let order = reader.order();
    let settings = PubsubSettings {
        login: login(&mut reader),
        servers: servers::servers(&mut reader),
        consumer_id: consumer_id(&mut reader),
        window: if order == Order::Topic { window(&mut reader).min(1) } else { window(&mut reader) },
        order,
        claim: claim(&mut reader),
        trim: trim(&mut reader),
    };
    reader.finish(settings)
}

fn read<'a>(component: &'a Component, names: &[&str]) -> Reader<'a> {
    let hosts: &[&str] = if has_many_servers(component) { servers::HOSTS } else { &[] };
    let names = [LOGIN, servers::NAMES, hosts, names];
    let mut reader = Reader::new(component, &Known { names: &names, of_the_cluster: OF_THE_CLUSTER });
    if component.cluster.is_none() {
        reader.add(Problem::new(".cluster", "is missing", "add it: the Envoy cluster of Redis"));
    }
    reader
}

#[inline(never)]
fn login(reader: &mut Reader<'_>) -> Login {
    let login = Login {
        username: reader.text("redisUsername").map(str::to_owned),
        // Not trimmed: blanks may belong to a password.
        password: reader.raw("redisPassword").map(str::to_owned),
        database: reader.parsed("redisDB", "the number of a database").unwrap_or_default(),
    };
    if login.username.is_some() && login.password.is_none() {
        reader.conflict("redisUsername", "needs redisPassword beside it", "set it or remove redisUsername");
    }
    login
}

fn bound(reader: &mut Reader<'_>, name: &str) -> Option<usize> {
    let expected = "a number from 1 to 1000";
    let value = reader.parsed::<u64>(name, expected)?;
    if value == 0 || value > MAX_WINDOW {
        reader.refuse(name, expected);
    }
    usize::try_from(value.clamp(1, MAX_WINDOW)).ok()
}

fn window(reader: &mut Reader<'_>) -> usize {
    let (concurrency, depth) = (bound(reader, "concurrency"), bound(reader, "queueDepth"));
    let window = concurrency.unwrap_or(DEFAULT_WINDOW);
    depth.map_or(window, |depth| window.min(depth))
}

fn claim(reader: &mut Reader<'_>) -> Option<Claim> {
    let claim = Claim {
        min_idle: reader.duration("processingTimeout", DEFAULT_PROCESSING_TIMEOUT),
        every: reader.duration("redeliverInterval", DEFAULT_REDELIVER_INTERVAL),
    };
    (!claim.min_idle.is_zero() && !claim.every.is_zero()).then_some(claim)
}

fn trim(reader: &mut Reader<'_>) -> Trim {
    let length = reader.parsed::<u64>("maxLenApprox", "a number of entries").filter(|length| *length > 0);
    let age = reader.duration("streamTTL", Duration::ZERO);
    match (length, age.is_zero()) {
        (Some(_), false) => {
            let what = "cannot go with maxLenApprox: Redis trims by length or by age";
            reader.conflict("streamTTL", what, "remove one of them");
            Trim::Never
        }
        (Some(length), true) => Trim::Length(length),
        (None, false) => Trim::Age(age),
        (None, true) => Trim::Never,
    }
}

/// The group's name, with the placeholders that the application's own names will replace.
#[inline(never)]
fn consumer_id(reader: &mut Reader<'_>) -> Option<String> {
    let id = reader.text("consumerID")?;
    if id.contains("{uuid}") || id.contains("{podName}") {
        let what = "holds {uuid} or {podName}, which are not supported: each start would be another group";
        reader.conflict("consumerID", what, "use {appID} or {namespace}");
    }
    Some(id.to_owned())
}

#[cfg(test)]
mod tests;
