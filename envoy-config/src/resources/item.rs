//! Values that stand in a resource, or somewhere else.

use crate::problem::Place;
use crate::yaml::{Fields, Text};

/// A setting by its name.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name; it is matched without regard to case.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Its value.
    pub value: Source,
}

// Not derived: a value may be a secret.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item").field("name", &self.name).field("place", &self.place).finish_non_exhaustive()
    }
}

/// Where a value comes from. After [`super::Resources::read`] all are [`Source::Plain`].
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// It is the value.
    Plain(String),
    /// A key of a secret.
    Secret {
        /// The secret.
        name: String,
        /// The key in it.
        key: String,
    },
    /// An environment variable.
    Environment(String),
}

impl Source {
    /// The value itself. After [`super::Resources::read`] there is always one.
    #[must_use]
    pub fn resolved(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret { .. } | Self::Environment(_) => "",
        }
    }
}

/// Whether a setting's name is one of these.
#[must_use]
pub fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Reads `auth`: the secret store of a resource.
pub(super) fn secret_store(fields: &mut Fields<'_>) -> Option<Text> {
    let mut auth = fields.fields("auth")?;
    let store = auth.text("secretStore");
    auth.finish();
    store
}

/// Reads a list of items. Of several of one name the last one counts, the others are remarked.
pub(super) fn list(fields: &mut Fields<'_>, name: &'static str) -> Vec<Item> {
    let mut last: Vec<Item> = Vec::new();
    for item in fields.each(name).into_iter().filter_map(named) {
        if let Some(at) = last.iter().position(|known| known.name.eq_ignore_ascii_case(&item.name)) {
            let first = last.remove(at);
            let why = format!("{} has no effect: it stands at {} again", first.name, item.place);
            fields.remark(&first.place, name, &why);
        }
        last.push(item);
    }
    last
}

fn named(mut fields: Fields<'_>) -> Option<Item> {
    let name = fields.required("name");
    let value = source(&mut fields);
    fields.finish();
    let name = name?;
    Some(Item { place: name.place, name: name.value, value })
}

/// Reads a value or a reference to one.
pub(super) fn source(fields: &mut Fields<'_>) -> Source {
    let given = fields.node("value").is_some();
    let value = fields.text("value");
    let environment = fields.required_if_there("envRef");
    let secret = fields.fields("secretKeyRef").and_then(secret);
    let sources = [given, environment.is_some(), secret.is_some()].into_iter().filter(|it| *it).count();
    if sources > 1 {
        fields.problem(&fields.place(), "value", "stands beside another source of the value; keep one");
    }
    match (value, environment, secret) {
        (_, Some(variable), _) => Source::Environment(variable.value),
        (_, _, Some(secret)) => secret,
        (value, None, None) => Source::Plain(value.map(|text| text.value).unwrap_or_default()),
    }
}

fn secret(mut fields: Fields<'_>) -> Option<Source> {
    let (name, key) = (fields.required("name"), fields.text("key"));
    fields.finish();
    let name = name?.value;
    let key = key.map(|key| key.value).filter(|key| !key.is_empty()).unwrap_or_else(|| name.clone());
    Some(Source::Secret { name, key })
}
