//! What an application subscribes to (`dapr-api` 2.7): declared in resources, or named by the application itself.

use super::options::{self, Metadata};
use crate::cel::{CelError, Condition};
use crate::config;
use crate::json::{self, JsonError, Members, RawObject, RawValue, write_array, write_string_map};
use std::time::Duration;

/// Longest path of a route, in bytes.
const MAX_PATH: usize = 2048;

/// Who declared a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A `Subscription` resource.
    Declarative,
    /// The application, at `GET /dapr/subscribe`.
    Programmatic,
}

/// A subscription that can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) pubsub: String,
    /// As the application names it.
    pub(crate) topic: String,
    /// Tried in order; never empty.
    pub(crate) rules: Vec<Rule>,
    pub(crate) metadata: Metadata,
    /// Whether stored bytes are wrapped in a new envelope.
    pub(crate) raw: bool,
    pub(crate) dead_letter_topic: Option<String>,
    /// Whether events come many at a time.
    pub(crate) bulk: Option<Bulk>,
    pub(crate) origin: Origin,
}

/// How many events come at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bulk {
    pub(crate) most: usize,
    /// How long the first one waits for others.
    pub(crate) longest: Duration,
}

impl Default for Bulk {
    fn default() -> Self {
        Self { most: 100, longest: Duration::from_secs(1) }
    }
}

impl Bulk {
    /// Zero stands for the default, as in daprd.
    fn new(most: u32, millis: u32) -> Self {
        let default = Self::default();
        Self {
            most: if most == 0 { default.most } else { most.try_into().unwrap_or(usize::MAX) },
            longest: if millis == 0 { default.longest } else { Duration::from_millis(millis.into()) },
        }
    }
}

/// Where some of a subscription's events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `None` always holds.
    pub(crate) condition: Option<Condition>,
    /// Path in the application; begins with `/`.
    pub(crate) path: String,
}

impl Rule {
    fn to_json(&self) -> Vec<u8> {
        let mut rule = Members::default();
        rule.string("match", self.condition.as_ref().map_or("", Condition::text));
        rule.string("path", &self.path);
        rule.end()
    }
}

impl Subscription {
    /// The path of the first rule that holds for an event: its JSON text, and the members that were read from it.
    /// `None` if no rule does.
    ///
    /// # Errors
    /// A condition before that has no answer for this event.
    pub(crate) fn route(&self, event: &str, members: &RawObject<'_>) -> Result<Option<&str>, CelError> {
        for rule in &self.rules {
            let holds = rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(event, members))?;
            if holds {
                return Ok(Some(&rule.path));
            }
        }
        Ok(None)
    }

    /// The path of every event, if the first rule has no condition.
    pub(crate) fn only_path(&self) -> Option<&str> {
        self.rules.first().filter(|rule| rule.condition.is_none()).map(|rule| rule.path.as_str())
    }

    /// An entry of `subscriptions` of `/v1.0/metadata`, as JSON; empty members are left out.
    #[inline(never)]
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut entry = Members::default();
        entry.string("pubsubname", &self.pubsub);
        entry.string("topic", &self.topic);
        if !self.metadata.is_empty() {
            entry.raw("metadata", &write_string_map(&self.metadata));
        }
        let rules: Vec<_> = self.rules.iter().map(Rule::to_json).collect();
        entry.raw("rules", &write_array(&rules));
        if let Some(topic) = &self.dead_letter_topic {
            entry.string("deadLetterTopic", topic);
        }
        let origin = match self.origin {
            Origin::Declarative => "DECLARATIVE",
            Origin::Programmatic => "PROGRAMMATIC",
        };
        entry.string("type", origin);
        entry.end()
    }
}

/// A subscription as it was declared: one that can be served, or why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) pubsub: String,
    pub(crate) topic: String,
    pub(crate) checked: Result<Subscription, String>,
}

/// What both forms of declaration have in common.
struct Raw {
    pubsub: String,
    topic: String,
    /// Conditions and paths in order.
    rules: Vec<(String, String)>,
    metadata: Metadata,
    dead_letter_topic: Option<String>,
    bulk: Option<Bulk>,
    origin: Origin,
}

impl Declared {
    /// From the plugin configuration.
    #[inline(never)]
    pub(crate) fn from_config(declared: &config::Subscription) -> Self {
        let rules = declared.routes.rules.iter().map(|rule| (rule.condition.clone(), rule.path.clone()));
        let default = declared.routes.default.iter().map(|path| (String::new(), path.clone()));
        Self::check(Raw {
            pubsub: declared.pubsubname.clone(),
            topic: declared.topic.clone(),
            rules: rules.chain(default).collect(),
            metadata: declared.metadata.clone(),
            dead_letter_topic: declared.dead_letter_topic.clone(),
            bulk: declared
                .bulk_subscribe
                .as_ref()
                .filter(|bulk| bulk.enabled)
                .map(|bulk| Bulk::new(bulk.max_messages_count.unwrap_or(0), bulk.max_await_duration_ms.unwrap_or(0))),
            origin: Origin::Declarative,
        })
    }

    fn check(raw: Raw) -> Self {
        let (pubsub, topic) = (raw.pubsub.clone(), raw.topic.clone());
        Self { pubsub, topic, checked: check(raw) }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.pubsub == other.pubsub && self.topic == other.topic
    }
}

/// Reads the answer to `GET /dapr/subscribe`: a JSON array, or nothing.
///
/// # Errors
/// The answer is no such array; the message names the member at fault.
#[inline(never)]
pub(crate) fn read_list(body: &[u8]) -> Result<Vec<Declared>, JsonError> {
    let text = json::text(body);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    json::array(&text)?.into_iter().map(read_one).collect()
}

#[inline(never)]
fn read_one(value: RawValue<'_>) -> Result<Declared, JsonError> {
    let fields = RawObject::of(value, "a subscription")?;
    let text = |name: &str| fields.string(name).map(|text| text.unwrap_or_default().into_owned());
    Ok(Declared::check(Raw {
        pubsub: text("pubsubname")?,
        topic: text("topic")?,
        rules: read_rules(&fields)?,
        metadata: fields.string_map("metadata")?.unwrap_or_default(),
        dead_letter_topic: Some(text("deadLetterTopic")?),
        bulk: read_bulk(&fields)?,
        origin: Origin::Programmatic,
    }))
}

#[inline(never)]
fn read_bulk(fields: &RawObject<'_>) -> Result<Option<Bulk>, JsonError> {
    let Some(bulk) = fields.object("bulkSubscribe")? else { return Ok(None) };
    let number = |name: &str| match bulk.given(name).map(|value| value.get().parse::<i64>()) {
        None => Ok(0),
        Some(Ok(number)) => Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX)),
        Some(Err(_)) => Err(JsonError::expected(name, "a whole number")),
    };
    let (most, millis) = (number("maxMessagesCount")?, number("maxAwaitDurationMs")?);
    Ok(bulk.boolean("enabled")?.unwrap_or(false).then(|| Bulk::new(most, millis)))
}

/// The rules in order, then `routes.default`, or `route` if there is no default.
fn read_rules(fields: &RawObject<'_>) -> Result<Vec<(String, String)>, JsonError> {
    let mut rules = Vec::new();
    let mut default = String::new();
    if let Some(routes) = fields.object("routes")? {
        for rule in routes.array("rules")? {
            let rule = RawObject::of(rule, "routes.rules")?;
            let text = |name: &str| rule.string(name).map(|text| text.unwrap_or_default().into_owned());
            rules.push((text("match")?, text("path")?));
        }
        default = routes.string("default")?.unwrap_or_default().into_owned();
    }
    if default.is_empty() {
        default = fields.string("route")?.unwrap_or_default().into_owned();
    }
    if !default.is_empty() {
        rules.push((String::new(), default));
    }
    Ok(rules)
}

#[inline(never)]
fn check(raw: Raw) -> Result<Subscription, String> {
    if raw.pubsub.is_empty() || raw.topic.is_empty() {
        return Err("it needs a pubsubname and a topic".to_owned());
    }
    if raw.rules.is_empty() {
        return Err("it has no route".to_owned());
    }
    let is_raw = options::raw_payload(&raw.metadata)?;
    if is_raw && raw.bulk.is_some() && raw.rules.iter().any(|(condition, _)| !condition.trim().is_empty()) {
        return Err("conditions have nothing to ask of raw events in bulk; use one path for the topic".to_owned());
    }
    Ok(Subscription {
        bulk: raw.bulk,
        rules: raw.rules.into_iter().map(checked_rule).collect::<Result<_, _>>()?,
        raw: is_raw,
        dead_letter_topic: raw.dead_letter_topic.filter(|topic| !topic.is_empty()),
        pubsub: raw.pubsub,
        topic: raw.topic,
        metadata: raw.metadata,
        origin: raw.origin,
    })
}

#[inline(never)]
fn checked_rule((condition, path): (String, String)) -> Result<Rule, String> {
    let condition = match condition.trim() {
        "" => None,
        text => {
            let parsed = Condition::parse(text).map_err(|error| format!("the condition `match: {text}`: {error}"));
            Some(parsed?)
        }
    };
    Ok(Rule { condition, path: checked_path(path)? })
}

fn checked_path(path: String) -> Result<String, String> {
    let is_sound = path.len() <= MAX_PATH && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_sound || path.is_empty() {
        return Err(format!(
            "the path {path:?} cannot be called; it must be 1 to {MAX_PATH} characters of a URL's path"
        ));
    }
    Ok(if path.starts_with('/') { path } else { format!("/{path}") })
}

/// One list of both origins: the application's own word replaces a resource for the same broker and topic; of
/// resources the first counts, of the application's the last.
pub(crate) fn merge(configured: &[Declared], programmatic: Vec<Declared>) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::with_capacity(configured.len() + programmatic.len());
    for declared in configured {
        if !all.iter().any(|known| known.is_same(declared)) {
            all.push(declared.clone());
        }
    }
    for declared in programmatic {
        match all.iter_mut().find(|known| known.is_same(&declared)) {
            Some(known) => *known = declared,
            None => all.push(declared),
        }
    }
    all
}

#[cfg(test)]
mod tests;
