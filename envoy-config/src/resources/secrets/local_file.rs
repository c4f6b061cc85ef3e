//! `secretstores.local.file`: secrets in a JSON file.

use super::setting;
use crate::resources::Component;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The secrets of a file.
pub(super) struct LocalFile {
    secrets: Map<String, Value>,
    separator: String,
    multi_valued: bool,
}

impl LocalFile {
    /// Reads the file that the component names.
    pub(super) fn open(component: &Component) -> Result<Self, String> {
        let name = setting(component, "secretsFile").ok_or("metadata secretsFile is missing")?;
        let file = find(Path::new(&name), &component.place.file);
        let text =
            std::fs::read_to_string(&file).map_err(|error| format!("secretsFile {}: {error}", file.display()))?;
        // The parser's own words could hold a piece of a secret.
        let secrets = serde_json::from_str(&text)
            .map_err(|error| format!("secretsFile {}:{} is no JSON object", file.display(), error.line()))?;
        Ok(Self {
            secrets,
            separator: setting(component, "nestedSeparator").unwrap_or_else(|| ":".to_owned()),
            multi_valued: setting(component, "multiValued").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of a key of a secret.
    pub(super) fn value(&self, name: &str, key: &str) -> Result<String, String> {
        if self.multi_valued {
            let secret = self.secrets.get(name).ok_or_else(|| format!("there is no secret {name:?}"))?;
            let found = self.flat(secret).into_iter().find(|(path, _)| path == key);
            return found.map(|(_, value)| value).ok_or_else(|| format!("the secret {name:?} has no key {key:?}"));
        }
        if name != key {
            return Err(format!("a secret of a file has one key, {name:?}, not {key:?}, unless multiValued is true"));
        }
        let all = self.secrets.iter().flat_map(|(path, value)| self.flat_at(path.clone(), value));
        let found = all.into_iter().find(|(path, _)| path == name);
        found.map(|(_, value)| value).ok_or_else(|| format!("there is no secret {name:?}"))
    }

    fn flat(&self, value: &Value) -> Vec<(String, String)> {
        match value {
            Value::Object(members) => {
                members.iter().flat_map(|(name, value)| self.flat_at(name.clone(), value)).collect()
            }
            other => vec![(String::new(), text(other))],
        }
    }

    fn flat_at(&self, path: String, value: &Value) -> Vec<(String, String)> {
        let below = |name: &str| format!("{path}{}{name}", self.separator);
        match value {
            Value::Object(members) => members.iter().flat_map(|(name, it)| self.flat_at(below(name), it)).collect(),
            Value::Array(items) => {
                items.iter().enumerate().flat_map(|(at, it)| self.flat_at(below(&at.to_string()), it)).collect()
            }
            other => vec![(path, text(other))],
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As daprd, from the current folder; if there is no such file, from the folder of the component's.
fn find(name: &Path, component: &Path) -> PathBuf {
    let beside = component.parent().map(|folder| folder.join(name));
    beside.filter(|file| !name.is_file() && file.is_file()).unwrap_or_else(|| name.to_path_buf())
}
