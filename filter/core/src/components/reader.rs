//! Reading a component's metadata, with every mistake gathered.

use crate::config::{Component, Problem};
use crate::duration::parse_component_duration;
use crate::pubsub::Order;
use std::str::FromStr;
use std::time::Duration;

/// How long the application may take for one delivery; read by the publish/subscribe block.
const DELIVERY_TIMEOUT: &str = "deliveryTimeout";
/// The most that may be said.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// The metadata of one component. Problems have paths that begin at the component, such as `.metadata.keyPrefix`.
pub(super) struct Reader<'a> {
    component: &'a Component,
    problems: Vec<Problem>,
}

/// What a kind of component knows.
pub(super) struct Known<'a> {
    /// Names of metadata that it reads.
    pub(super) names: &'a [&'a [&'a str]],
    /// Names that in Dapr say how the backend is reached, which is the proxy's business here.
    pub(super) of_the_cluster: &'a [&'a str],
}

impl<'a> Reader<'a> {
    /// Judges the version and the names; the values are judged as they are read.
    pub(super) fn new(component: &'a Component, known: &Known<'_>) -> Self {
        Self::of_version(component, "v1", known)
    }

    /// As [`Reader::new`], for another version than `v1`.
    #[inline(never)]
    pub(super) fn of_version(component: &'a Component, version: &str, known: &Known<'_>) -> Self {
        let mut reader = Self { component, problems: Vec::new() };
        if component.version != version {
            let remedy = ["write ", version].concat();
            reader.problems.push(Problem::new(".version", format!("is {:?}", component.version), remedy));
        }
        for name in component.metadata.keys() {
            if let Some((what, remedy)) = known.judge(name) {
                reader.problems.push(Problem::in_metadata(name, what, remedy));
            }
        }
        reader
    }

    /// An entry with its name as it is written; the name is found without regard to case.
    #[inline(never)]
    fn entry(&self, name: &str) -> Option<(&'a str, &'a str)> {
        let mut entries = self.component.metadata.iter();
        entries.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A value as it is written; an empty one counts as absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.entry(name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// A value without the blanks around it; an empty one counts as absent.
    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.entry(name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A value of another type than text. One that is not `expected` is a problem, and counts as absent.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.text(name)?.parse().ok();
        if value.is_none() {
            self.refuse(name, expected);
        }
        value
    }

    /// A duration: Go's form, or milliseconds.
    #[inline(never)]
    pub(super) fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        parse_component_duration(text).unwrap_or_else(|| {
            self.refuse(name, "a duration: milliseconds as a number, or such as \"15s\" or \"1m30s\"");
            default
        })
    }

    /// What the entries that every broker has say: `concurrencyMode`, and whether `deliveryTimeout` is one.
    #[inline(never)]
    pub(super) fn order(&mut self) -> Order {
        let timeout = self.duration(DELIVERY_TIMEOUT, Duration::from_secs(1));
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            self.refuse(DELIVERY_TIMEOUT, "a duration above 0, up to 1h");
        }
        let Some(text) = self.text("concurrencyMode") else { return Order::None };
        let order = Order::parse(text);
        if order.is_none() {
            self.refuse("concurrencyMode", "parallel, single or byKey");
        }
        order.unwrap_or_default()
    }

    /// The value of an entry is not what it has to be. The value itself is never told: it may be a secret.
    #[inline(never)]
    pub(super) fn refuse(&mut self, name: &str, expected: &str) {
        self.conflict(name, &["is not ", expected].concat(), "correct it or remove it");
    }

    /// An entry goes badly with others.
    #[inline(never)]
    pub(super) fn conflict(&mut self, name: &str, what: &str, remedy: &str) {
        let written = self.entry(name).map_or(name, |(key, _)| key);
        self.problems.push(Problem::in_metadata(written, what, remedy));
    }

    /// Something beside the metadata is wrong.
    pub(super) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What was made of the metadata, if nothing was wrong with it.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(settings) } else { Err(self.problems) }
    }
}

impl Known<'_> {
    /// What is wrong with a name, and the remedy.
    fn judge(&self, name: &str) -> Option<(&'static str, String)> {
        let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if self.names.iter().any(|names| is_in(names)) {
            return None;
        }
        if is_in(self.of_the_cluster) {
            return Some((
                "belongs to the Envoy cluster of the component",
                "set it there and remove it here".to_owned(),
            ));
        }
        Some(("is not supported", ["remove it; supported: ", &self.names.concat().join(", ")].concat()))
    }
}
