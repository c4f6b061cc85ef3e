//! `kind: Component`.

use super::{Head, head, is_for};
use crate::problem::Place;
use crate::yaml::{Fields, Text};
use weft_core::duration::parse_go_duration;

/// A component as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Dapr's type, such as `state.redis`.
    pub kind: Text,
    /// Its version.
    pub version: Text,
    /// Its settings, in the order of the file. None is there twice: of several the last one counts, as in daprd.
    pub metadata: Vec<Item>,
    /// Where its name is.
    pub place: Place,
    pub(super) secret_store: Option<Text>,
    namespace: Option<String>,
    scopes: Vec<String>,
}

/// One setting of a component.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name; components match it without regard to case.
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

impl Component {
    /// Whether an application has it.
    #[must_use]
    pub fn is_for(&self, app: &str, namespace: &str) -> bool {
        is_for(self.namespace.as_deref(), &self.scopes, app, namespace)
    }

    /// What it is called in problems.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("Component {:?}", self.name)
    }
}

/// Reads one; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>) -> Option<Component> {
    let Head { name, namespace, place } = head(&mut fields, "Component");
    let secret_store = fields.fields("auth").and_then(|mut auth| {
        let store = auth.text("secretStore");
        auth.finish();
        store
    });
    let scopes = fields.texts("scopes").into_iter().map(|scope| scope.value).collect();
    let spec = fields.required_fields("spec");
    fields.finish();
    let mut spec = spec?;
    let (kind, version) = (spec.required("type"), spec.text("version"));
    // Both say what daprd does while it waits for a component at its start. Weft waits for none.
    spec.flag("ignoreErrors");
    if let Some(timeout) = spec.text("initTimeout").filter(|it| !is_timeout(&it.value)) {
        let why = format!("is {:?}, which is no duration, such as 5s or 1m30s", timeout.value);
        spec.problem(&timeout.place, "initTimeout", &why);
    }
    let metadata = last_of_each(spec.each("metadata").into_iter().filter_map(item).collect(), &spec);
    spec.finish();
    if name.is_empty() {
        // Told already.
        return None;
    }
    let kind = kind?;
    let version = version.unwrap_or_else(|| Text { value: "v1".to_owned(), place: kind.place.clone() });
    Some(Component { name, kind, version, metadata, place, secret_store, namespace, scopes })
}

fn is_timeout(text: &str) -> bool {
    parse_go_duration(text).is_some_and(|nanos| nanos >= 0)
}

fn last_of_each(items: Vec<Item>, spec: &Fields<'_>) -> Vec<Item> {
    let mut last: Vec<Item> = Vec::new();
    for item in items {
        if let Some(at) = last.iter().position(|known| known.name.eq_ignore_ascii_case(&item.name)) {
            let first = last.remove(at);
            let why = format!("{} has no effect: it stands at {} again", first.name, item.place);
            spec.remark(&first.place, "metadata", &why);
        }
        last.push(item);
    }
    last
}

fn item(mut fields: Fields<'_>) -> Option<Item> {
    let name = fields.required("name");
    let given = fields.node("value").is_some();
    let value = fields.text("value");
    let environment = fields.required_if_there("envRef");
    let secret = fields.fields("secretKeyRef").and_then(secret);
    let place = fields.place();
    let sources = [given, environment.is_some(), secret.is_some()].into_iter().filter(|it| *it).count();
    if sources > 1 {
        fields.problem(&place, "value", "stands beside another source of the value; keep one");
    }
    fields.finish();
    let value = match (value, environment, secret) {
        (_, Some(variable), _) => Source::Environment(variable.value),
        (_, _, Some(secret)) => secret,
        (value, None, None) => Source::Plain(value.map(|text| text.value).unwrap_or_default()),
    };
    let name = name?;
    Some(Item { place: name.place, name: name.value, value })
}

fn secret(mut fields: Fields<'_>) -> Option<Source> {
    let (name, key) = (fields.required("name"), fields.text("key"));
    fields.finish();
    let name = name?.value;
    let key = key.map(|key| key.value).filter(|key| !key.is_empty()).unwrap_or_else(|| name.clone());
    Some(Source::Secret { name, key })
}
