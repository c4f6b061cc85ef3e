//! `kind: Component`.

use super::item::{self, Item};
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
    let secret_store = item::secret_store(&mut fields);
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
    let metadata = item::list(&mut spec, "metadata");
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
