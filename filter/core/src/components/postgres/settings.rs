//! Typed settings from the metadata of `state.postgresql`.

use super::login::Login;
use super::schema::Schema;
use crate::components::reader::{Known, Reader};
use crate::config::{Component, Problem};
use crate::duration::parse_go_duration;
use std::rc::Rc;
use std::time::Duration;

/// Settings of `state.postgresql`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub login: Rc<Login>,
    pub schema: Rc<Schema>,
    /// How long a reply may take.
    pub timeout: Duration,
    /// How often values are removed whose time has come; `None` for never.
    pub clean_every: Option<Duration>,
    /// How many connections a worker may have.
    pub connections: usize,
}

/// Longer than this the proxy does not hold a request whose outcome can be told.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_CLEANUP: Duration = Duration::from_secs(3600);
/// Connections of a worker if the component does not say.
const DEFAULT_CONNECTIONS: usize = 2;
/// The most that it may say.
const MAX_CONNECTIONS: i64 = 32;
/// Longer names PostgreSQL cuts.
const LONGEST_NAME: usize = 63;

const NAMES: &[&str] = &[
    "user",
    "password",
    "database",
    "tablePrefix",
    "metadataTableName",
    "timeout",
    "timeoutInSeconds",
    "cleanupInterval",
    "cleanupIntervalInSeconds",
    "maxConns",
    "keyPrefix",
    "actorStateStore",
];

/// How PostgreSQL is reached is the proxy's business.
const OF_THE_CLUSTER: &[&str] = &["connectionString", "host", "hostaddr", "port", "sslRootCert"];

/// Reads the metadata.
///
/// # Errors
/// Each entry that cannot be used.
#[inline(never)]
pub(crate) fn read(component: &Component) -> Result<Settings, Vec<Problem>> {
    let known = Known { names: &[NAMES], of_the_cluster: OF_THE_CLUSTER };
    let mut reader = Reader::of_version(component, "v2", &known);
    if component.cluster.is_none() {
        reader.add(Problem::new(".cluster", "is missing", "add it: the Envoy cluster of PostgreSQL"));
    }
    reader.parsed::<bool>("actorStateStore", "true or false");
    let login = login(&mut reader);
    let schema = schema(&mut reader);
    let timeout = seconds(&mut reader, &["timeout", "timeoutInSeconds"])
        .and_then(|timeout| timeout.filter(|timeout| !timeout.is_zero()))
        .map_or(LONGEST_TIMEOUT, |timeout| timeout.min(LONGEST_TIMEOUT));
    let clean_every = seconds(&mut reader, &["cleanupInterval", "cleanupIntervalInSeconds"])
        .unwrap_or(Some(DEFAULT_CLEANUP))
        .filter(|every| !every.is_zero());
    let connections = connections(&mut reader);
    reader.finish(Settings { login, schema, timeout, clean_every, connections })
}

#[inline(never)]
fn login(reader: &mut Reader<'_>) -> Rc<Login> {
    let user = reader.text("user").unwrap_or_default().to_owned();
    if user.is_empty() {
        reader.add(Problem::in_metadata("user", "is missing", "add it: who logs in"));
    }
    let database = reader.text("database").map_or_else(|| user.clone(), str::to_owned);
    // Not trimmed: blanks may belong to a password.
    let password = reader.raw("password").map(str::to_owned);
    for (name, value) in [("user", &user), ("database", &database)] {
        if value.contains('\0') {
            reader.refuse(name, "a name without zeros");
        }
    }
    Rc::new(Login { user, password, database, ..Login::default() })
}

#[inline(never)]
fn schema(reader: &mut Reader<'_>) -> Rc<Schema> {
    let prefix = reader.text("tablePrefix").unwrap_or_default().to_owned();
    let metadata = reader.text("metadataTableName").unwrap_or("dapr_metadata").to_owned();
    let schema = Schema { prefix, metadata };
    let expected = "a name of letters, digits and _, with one of a schema and a dot before it or without";
    for (name, value) in [("tablePrefix", &schema.table()), ("metadataTableName", &schema.metadata)] {
        if !is_table(value) {
            reader.refuse(name, expected);
        }
    }
    Rc::new(schema)
}

/// Whether a text is a table's name, perhaps with a schema before it, that needs no quotes.
fn is_table(text: &str) -> bool {
    let is_name = |name: &str| {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts_well && name.len() <= LONGEST_NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.split('.').count() <= 2 && text.split('.').all(is_name)
}

/// A time, as Go writes it or in seconds: `None` if it is not said, and nothing in it if it is none or less.
#[inline(never)]
fn seconds(reader: &mut Reader<'_>, names: &[&str]) -> Option<Option<Duration>> {
    let (name, text) = names.iter().find_map(|name| Some((*name, reader.text(name)?)))?;
    let nanos = match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000_000_000),
        Err(_) => parse_go_duration(text),
    };
    let Some(nanos) = nanos else {
        reader.refuse(name, "a duration: seconds as a number, or such as \"15s\" or \"1m30s\"");
        return None;
    };
    Some(u64::try_from(nanos).ok().map(Duration::from_nanos))
}

fn connections(reader: &mut Reader<'_>) -> usize {
    let expected = "a number of connections, up to 32 for each worker";
    match reader.parsed::<i64>("maxConns", expected) {
        Some(number) if number > MAX_CONNECTIONS => reader.refuse("maxConns", expected),
        Some(number) if number > 0 => return usize::try_from(number).unwrap_or(DEFAULT_CONNECTIONS),
        _ => {}
    }
    DEFAULT_CONNECTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metadata: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (name, kind) = ("s".to_owned(), "state.postgresql".to_owned());
        let component =
            Component { name, kind, version: "v2".to_owned(), cluster: Some("postgres".to_owned()), metadata };
        super::read(&component)
            .map_err(|found| found.into_iter().map(|it| format!("{} {}", it.path, it.what)).collect())
    }

    #[test]
    fn what_is_not_said_is_as_in_dapr() {
        let settings = read(&[("user", "u")]).unwrap();
        assert_eq!((settings.login.user.as_str(), settings.login.database.as_str()), ("u", "u"));
        let schema = Schema { prefix: String::new(), metadata: "dapr_metadata".to_owned() };
        assert_eq!(*settings.schema, schema);
        assert_eq!(settings.clean_every, Some(Duration::from_secs(3600)));
        assert_eq!((settings.timeout, settings.connections), (Duration::from_secs(10), 2));
    }

    #[test]
    fn times_are_seconds_or_gos_and_none_switches_the_clean_up_off() {
        let times = |timeout: &str, clean: &str| {
            let settings = read(&[("user", "u"), ("timeout", timeout), ("cleanupInterval", clean)]).unwrap();
            (settings.timeout.as_millis(), settings.clean_every.map(|every| every.as_secs()))
        };
        assert_eq!(times("3", "60"), (3000, Some(60)));
        assert_eq!(times("1.5s", "2h"), (1500, Some(7200)));
        assert_eq!(times("20", "0"), (10_000, None));
        assert_eq!(times("0", "-1"), (10_000, None));
    }

    #[test]
    fn names_of_tables_are_names_and_nothing_else() {
        for good in ["", "a_", "s.x_", "_9"] {
            assert!(read(&[("user", "u"), ("tablePrefix", good)]).is_ok(), "{good}");
        }
        for bad in ["a;", "a b", "\"a", "a.b.c", "1", ".", "a--", "\u{e4}"] {
            let found = read(&[("user", "u"), ("tablePrefix", bad)]).unwrap_err();
            assert!(found[0].starts_with(".metadata.tablePrefix is not a name"), "{found:?}");
        }
        assert!(read(&[("user", "u"), ("metadataTableName", "a'b")]).is_err());
    }

    #[test]
    fn every_mistake_is_told_and_no_secret() {
        let found = read(&[("password", "hunter2"), ("timeout", "soon"), ("maxConns", "99"), ("host", "h"), ("x", "")]);
        let found = found.unwrap_err().join("\n");
        for path in ["user", "timeout", "maxConns", "host", "x"] {
            assert!(found.contains(&format!(".metadata.{path} ")), "{found}");
        }
        assert!(!found.contains("hunter2"));
    }
}
