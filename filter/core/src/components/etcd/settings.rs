//! Typed settings from the metadata of `state.etcd`.

use crate::components::reader::{Known, Reader};
use crate::config::{Component, Problem};

/// How values are stored: by the version of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `v1`: as they are.
    Bare,
    /// `v2`: in a message, with the time of the write and how long the value lives.
    Timed,
}

/// Settings of `state.etcd`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub format: Format,
    /// What stands before each key; it ends with a slash.
    pub prefix: String,
    /// The most operations of one transaction; etcd has a bound of its own (`--max-txn-ops`).
    pub max_operations: usize,
}

/// As many as etcd takes unless it is told otherwise.
const DEFAULT_MAX_OPERATIONS: usize = 128;

const NAMES: &[&str] = &["keyPrefixPath", "maxTxnOps", "keyPrefix", "actorStateStore"];

/// How etcd is reached is the proxy's business.
const OF_THE_CLUSTER: &[&str] = &["endpoints", "tlsEnable", "ca", "cert", "key"];

/// Reads the metadata.
///
/// # Errors
/// Each entry that cannot be used.
#[inline(never)]
pub(crate) fn read(component: &Component) -> Result<Settings, Vec<Problem>> {
    let known = Known { names: &[NAMES], of_the_cluster: OF_THE_CLUSTER };
    let format = if component.version == "v1" { Format::Bare } else { Format::Timed };
    let version = if format == Format::Bare { "v1" } else { "v2" };
    let mut reader = Reader::of_version(component, version, &known);
    if component.cluster.is_none() {
        reader.add(Problem::new(".cluster", "is missing", "add it: the Envoy cluster of etcd, with HTTP/2"));
    }
    reader.parsed::<bool>("actorStateStore", "true or false");
    let prefix = [reader.text("keyPrefixPath").unwrap_or_default(), "/"].concat();
    let expected = "a number of operations, 1 or more";
    let max_operations = match reader.parsed::<usize>("maxTxnOps", expected) {
        Some(0) => {
            reader.refuse("maxTxnOps", expected);
            DEFAULT_MAX_OPERATIONS
        }
        given => given.unwrap_or(DEFAULT_MAX_OPERATIONS),
    };
    reader.finish(Settings { format, prefix, max_operations })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: &str, metadata: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (name, kind) = ("s".to_owned(), "state.etcd".to_owned());
        let component =
            Component { name, kind, version: version.to_owned(), cluster: Some("etcd".to_owned()), metadata };
        super::read(&component)
            .map_err(|found| found.into_iter().map(|it| format!("{} {}", it.path, it.what)).collect())
    }

    #[test]
    fn what_is_not_said_is_as_in_dapr() {
        let expected = Settings { format: Format::Timed, prefix: "/".to_owned(), max_operations: 128 };
        assert_eq!(read("v2", &[]).unwrap(), expected);
        assert_eq!(read("v1", &[]).unwrap(), Settings { format: Format::Bare, ..expected });
        let given = read("v2", &[("KeyPrefixPath", "my/path"), ("MAXTXNOPS", "7"), ("actorStateStore", "true")]);
        let expected = Settings { format: Format::Timed, prefix: "my/path/".to_owned(), max_operations: 7 };
        assert_eq!(given.unwrap(), expected);
    }

    #[test]
    fn every_mistake_is_told_and_no_secret() {
        let found = read("v3", &[("key", "hunter2"), ("endpoints", "e"), ("maxTxnOps", "0"), ("username", "u")]);
        let found = found.unwrap_err().join("\n");
        for path in [".version", ".metadata.key", ".metadata.endpoints", ".metadata.maxTxnOps", ".metadata.username"] {
            assert!(found.contains(&format!("{path} ")), "{found}");
        }
        assert!(!found.contains("hunter2"));
        assert!(read("v2", &[("maxTxnOps", "-1")]).is_err() && read("v2", &[("maxTxnOps", "many")]).is_err());
    }
}
