//! Reading YAML files of the repository.

use crate::env;
use serde_json::Value;

/// The documents of a file of the workspace, in order.
///
/// # Panics
/// If the file cannot be read or is no YAML.
#[must_use]
pub fn documents(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(env::workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}
