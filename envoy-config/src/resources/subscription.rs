//! `kind: Subscription`.

use super::{Head, head, is_for};
use crate::problem::Place;
use crate::yaml::Fields;
use weft_core::cel::Condition;
use weft_core::config::{self, BulkSubscribe, Routes, Rule};

/// A declarative subscription as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// What it says.
    pub spec: config::Subscription,
    /// Where its name is.
    pub place: Place,
    /// Where its broker is named.
    pub broker: Place,
    namespace: Option<String>,
    scopes: Vec<String>,
}

/// The form of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// `v1alpha1`, with one `route`.
    V1,
    /// `v2alpha1`, with `routes`.
    V2,
}

impl Subscription {
    /// Whether an application has it.
    #[must_use]
    pub fn is_for(&self, app: &str, namespace: &str) -> bool {
        is_for(self.namespace.as_deref(), &self.scopes, app, namespace)
    }

    /// Whether it names the applications that have it.
    #[must_use]
    pub fn is_scoped(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// What it is called in problems.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("Subscription {:?}", self.name)
    }
}

/// Reads one; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>, version: Version) -> Option<Subscription> {
    let Head { name, namespace, place } = head(&mut fields, "Subscription");
    let scopes = fields.texts("scopes").into_iter().map(|scope| scope.value).collect();
    let spec = fields.required_fields("spec");
    fields.finish();
    let mut spec = spec?;
    let (broker, topic) = (spec.required("pubsubname"), spec.required("topic"));
    let routes = match version {
        Version::V1 => spec.required("route").map(|route| Routes { rules: Vec::new(), default: Some(route.value) }),
        Version::V2 => spec.required_fields("routes").map(routes),
    };
    let dead = spec.required_if_there("deadLetterTopic");
    if let Some(dead) = dead.as_ref().filter(|dead| topic.as_ref().is_some_and(|topic| topic.value == dead.value)) {
        spec.problem(&dead.place, "deadLetterTopic", "is the subscription's own topic; name another one or remove it");
    }
    let dead_letter_topic = dead.map(|topic| topic.value);
    let metadata = spec.pairs("metadata").into_iter().map(|(name, text)| (name, text.value)).collect();
    let bulk_subscribe = spec.fields("bulkSubscribe").map(bulk);
    spec.finish();
    let (broker, topic, routes) = (broker?, topic?.value, routes?);
    let (pubsubname, broker) = (broker.value, broker.place);
    let spec = config::Subscription { pubsubname, topic, routes, dead_letter_topic, metadata, bulk_subscribe };
    Some(Subscription { name, spec, place, broker, namespace, scopes })
}

fn bulk(mut fields: Fields<'_>) -> BulkSubscribe {
    let enabled = fields.flag("enabled");
    let max_messages_count = fields.parsed("maxMessagesCount", "a whole number");
    let max_await_duration_ms = fields.parsed("maxAwaitDurationMs", "a whole number of milliseconds");
    fields.finish();
    BulkSubscribe { enabled, max_messages_count, max_await_duration_ms }
}

fn routes(mut fields: Fields<'_>) -> Routes {
    let default = fields.required_if_there("default").map(|path| path.value);
    let rules = fields.each("rules").into_iter().filter_map(rule).collect();
    fields.finish();
    Routes { rules, default }
}

fn rule(mut fields: Fields<'_>) -> Option<Rule> {
    let (condition, path) = (fields.text("match"), fields.required("path"));
    if let Some(condition) = condition.as_ref().filter(|condition| !condition.value.trim().is_empty())
        && let Err(error) = Condition::parse(&condition.value)
    {
        fields.problem(&condition.place, "match", &format!("cannot be used: {error}"));
    }
    fields.finish();
    Some(Rule { condition: condition.map(|condition| condition.value).unwrap_or_default(), path: path?.value })
}
