//! Typed settings from the metadata of a Redis component.

use crate::config::Component;
use crate::duration::parse_component_duration;
use crate::state::Ttl;
use std::collections::BTreeMap;
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
pub(crate) struct PubsubSettings {
    pub login: Login,
    /// The consumer group; absent for the app id.
    pub consumer_id: Option<String>,
    /// Events of one topic that may be with the application at once.
    pub window: usize,
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
    "maxLenApprox",
    "streamTTL",
    // Read by the publish/subscribe block.
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
/// One line for each entry that cannot be used, with its name and the remedy.
pub(crate) fn state(component: &Component) -> Result<StateSettings, Vec<String>> {
    let mut reader = Reader::new(component, STATE);
    let login = reader.login();
    let ttl = match reader.parsed::<i64>("ttlInSeconds", "a whole number of seconds, -1 for ever") {
        None => Ttl::Unspecified,
        Some(seconds) if seconds <= 0 => Ttl::Never,
        Some(seconds) => Ttl::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
    };
    // Read by the state block; here only its form is judged.
    reader.parsed::<bool>("actorStateStore", "true or false");
    reader.finish(StateSettings { login, ttl })
}

/// Reads the metadata of a `pubsub.redis` component.
///
/// # Errors
/// One line for each entry that cannot be used, with its name and the remedy.
pub(crate) fn pubsub(component: &Component) -> Result<PubsubSettings, Vec<String>> {
    let mut reader = Reader::new(component, PUBSUB);
    let settings = PubsubSettings {
        login: reader.login(),
        consumer_id: reader.text("consumerID").map(str::to_owned),
        window: reader.window(),
        claim: reader.claim(),
        trim: reader.trim(),
    };
    reader.finish(settings)
}

struct Reader<'a> {
    metadata: &'a BTreeMap<String, String>,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(component: &'a Component, known: &[&str]) -> Self {
        let errors = component.metadata.keys().filter_map(|name| refused(name, known)).collect();
        Self { metadata: &component.metadata, errors }
    }

    /// A value without the blanks around it; an empty one counts as absent.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.metadata
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.refuse(name, text, expected);
        }
        value
    }

    fn refuse(&mut self, name: &str, value: &str, expected: &str) {
        self.errors.push(format!("metadata {name}: {value:?} is not {expected}"));
    }

    fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        parse_component_duration(text).unwrap_or_else(|| {
            let expected = "a duration: milliseconds as a number, or such as \"15s\" or \"1m30s\"";
            self.refuse(name, text, expected);
            default
        })
    }

    fn login(&mut self) -> Login {
        // Not trimmed: blanks may belong to a password.
        let password = self
            .metadata
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("redisPassword"))
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty());
        let login = Login {
            username: self.text("redisUsername").map(str::to_owned),
            password,
            database: self.parsed("redisDB", "the number of a database").unwrap_or_default(),
        };
        if login.username.is_some() && login.password.is_none() {
            self.errors.push(
                "metadata redisUsername: needs redisPassword beside it; set it or remove redisUsername".to_owned(),
            );
        }
        login
    }

    fn window(&mut self) -> usize {
        let mut bound = |name: &str| {
            let expected = "a number from 1 to 1000";
            let value = self.parsed::<u64>(name, expected)?;
            if value == 0 || value > MAX_WINDOW {
                self.refuse(name, &value.to_string(), expected);
            }
            usize::try_from(value.clamp(1, MAX_WINDOW)).ok()
        };
        let (concurrency, depth) = (bound("concurrency"), bound("queueDepth"));
        let window = concurrency.unwrap_or(DEFAULT_WINDOW);
        depth.map_or(window, |depth| window.min(depth))
    }

    fn claim(&mut self) -> Option<Claim> {
        let claim = Claim {
            min_idle: self.duration("processingTimeout", DEFAULT_PROCESSING_TIMEOUT),
            every: self.duration("redeliverInterval", DEFAULT_REDELIVER_INTERVAL),
        };
        (!claim.min_idle.is_zero() && !claim.every.is_zero()).then_some(claim)
    }

    fn trim(&mut self) -> Trim {
        let length = self.parsed::<u64>("maxLenApprox", "a number of entries").filter(|length| *length > 0);
        let age = self.duration("streamTTL", Duration::ZERO);
        match (length, age.is_zero()) {
            (Some(_), false) => {
                self.errors.push(
                    "metadata streamTTL: Redis trims by length or by age, not both; remove it or maxLenApprox"
                        .to_owned(),
                );
                Trim::Never
            }
            (Some(length), true) => Trim::Length(length),
            (None, false) => Trim::Age(age),
            (None, true) => Trim::Never,
        }
    }

    fn finish<T>(self, settings: T) -> Result<T, Vec<String>> {
        if self.errors.is_empty() { Ok(settings) } else { Err(self.errors) }
    }
}

fn refused(name: &str, known: &[&str]) -> Option<String> {
    let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(LOGIN) || is_in(known) {
        return None;
    }
    if is_in(OF_THE_CLUSTER) {
        return Some(format!(
            "metadata {name}: belongs to the Envoy cluster of the component; set it there and remove it here"
        ));
    }
    Some(format!("metadata {name}: not supported; remove it (supported: {}, {})", LOGIN.join(", "), known.join(", ")))
}

#[cfg(test)]
mod tests;
