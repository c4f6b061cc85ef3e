//! What is counted and timed of events and state, by the names that daprd has for it (`dapr-api` 7.1).
//!
//! The proxy's statistics have names only. A label stands in the name as `<label>=.=<value>;.;`, which is where Istio's
//! `extraStatTags` look for it; `stats_tags` of a bootstrap can do the same. Then the rest is the name of the metric.

use crate::by_name::ByName;
use crate::config::PluginConfig;
use crate::host::{Host, MetricId, MetricKind, Time};
use std::cell::RefCell;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An event that is published by itself.
    Egress,
    /// A call that publishes many.
    EgressBulk,
    /// One event of those.
    EgressBulkEvent,
    /// An event that is delivered by itself.
    Ingress,
    /// A call that delivers many.
    IngressBulk,
    /// One event of those.
    IngressBulkEvent,
    /// A read of one value.
    Get,
    /// A request that stores values.
    Set,
    /// A removal.
    Delete,
    /// A transaction.
    Transaction,
    /// A read of many values.
    BulkGet,
}

impl What {
    /// The operation of a store, or what stands in the metric's name.
    fn text(self) -> Result<&'static str, &'static str> {
        match self {
            Self::Egress => Err("pubsub_egress"),
            Self::EgressBulk => Err("pubsub_egress_bulk"),
            Self::EgressBulkEvent => Err("pubsub_egress_bulk_event"),
            Self::Ingress => Err("pubsub_ingress"),
            Self::IngressBulk => Err("pubsub_ingress_bulk"),
            Self::IngressBulkEvent => Err("pubsub_ingress_bulk_event"),
            Self::Get => Ok("get"),
            Self::Set => Ok("set"),
            Self::Delete => Ok("delete"),
            Self::Transaction => Ok("transaction"),
            Self::BulkGet => Ok("bulk_get"),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// An operation of a component, done.
    Done,
    /// An operation of a component, failed.
    Failed,
    /// A delivery that the application took.
    Taken,
    /// One that it did not take.
    Refused,
    /// One that nothing takes, by the application's word or a rule of the subscription.
    Dropped,
    /// One that nothing can take, for a fault of the event or the application.
    Unfit,
}

impl Ended {
    /// `Done` or `Failed`.
    pub fn of(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Failed }
    }

    fn labels(self) -> &'static str {
        match self {
            Self::Done => "success=.=true;.;",
            Self::Failed => "success=.=false;.;",
            // The first of what looks like a label is taken for it, so `status` stands before a name that ends so.
            Self::Taken => "status=.=success;.;process_status=.=success;.;",
            Self::Refused => "status=.=failure;.;process_status=.=retry;.;",
            Self::Dropped => "status=.=success;.;process_status=.=drop;.;",
            Self::Unfit => "status=.=failure;.;process_status=.=drop;.;",
        }
    }
}

/// A metric that the proxy knows.
#[derive(Clone, Copy)]
struct Known {
    what: What,
    ended: Ended,
    count: Option<MetricId>,
    latencies: Option<MetricId>,
}

/// Most topics of a component that are counted by name: an application may name others each time it is asked.
const MOST: usize = 1000;

/// What a topic is called that nothing has named beforehand: the proxy keeps a metric for ever.
const OTHER: &str = "other";

/// The metrics of one component. Each is made when it is first needed.
pub struct Meters {
    labels: String,
    /// By topic; those of a store are at the empty name.
    topics: RefCell<ByName<Vec<Known>>>,
}

impl Meters {
    /// Of a component of this name.
    #[inline(never)]
    pub fn new(config: &PluginConfig, component: &str) -> Self {
        let mut labels = String::new();
        label(&mut labels, "app_id", &config.app_id);
        label(&mut labels, "component", component);
        label(&mut labels, "namespace", &config.namespace);
        let meters = Self { labels, topics: RefCell::default() };
        meters.know("");
        meters.know(OTHER);
        meters
    }

    /// From now on this topic is counted by its name.
    pub fn know(&self, topic: &str) {
        let mut topics = self.topics.borrow_mut();
        if topics.values().len() < MOST {
            topics.get_or_insert_with(topic, Vec::new);
        }
    }

    /// Counts what ended so; where it has a beginning, also how long it took in milliseconds. A topic that is not known
    /// counts among all such.
    #[inline(never)]
    pub fn note(&self, host: &dyn Host, topic: &str, what: What, ended: Ended, start: Option<Time>) {
        let mut topics = self.topics.borrow_mut();
        let topic = if topics.get(topic).is_some() { topic } else { OTHER };
        let all = topics.get_or_insert_with(topic, Vec::new);
        let known = match all.iter().find(|it| it.what == what && it.ended == ended) {
            Some(known) => *known,
            None => {
                let known = self.define(host, topic, (what, ended), start.is_some());
                all.push(known);
                known
            }
        };
        if let Some(id) = known.count {
            host.measure(MetricKind::Counter, id, 1);
        }
        if let (Some(id), Some(start)) = (known.latencies, start) {
            let took = host.now().saturating_sub(start).as_millis();
            host.measure(MetricKind::Histogram, id, u64::try_from(took).unwrap_or(u64::MAX));
        }
    }

    #[inline(never)]
    fn define(&self, host: &dyn Host, topic: &str, (what, ended): (What, Ended), is_timed: bool) -> Known {
        let mut name = self.labels.clone();
        if !topic.is_empty() {
            label(&mut name, "topic", topic);
        }
        name.push_str(ended.labels());
        let text = what.text();
        if let Ok(operation) = text {
            label(&mut name, "operation", operation);
        }
        name.push_str("dapr_component_");
        name.push_str(text.err().unwrap_or("state"));
        let count = host.define(MetricKind::Counter, &[&name, "_count"].concat());
        name.push_str("_latencies");
        let latencies = if is_timed { host.define(MetricKind::Histogram, &name) } else { None };
        Known { what, ended, count, latencies }
    }
}

/// Nothing of a value may look like the end of a label or the beginning of another one.
#[inline(never)]
fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=.=");
    for letter in value.chars() {
        if letter.is_ascii_control() || matches!(letter, ';' | '=' | '%') {
            let digit = |number: u32| char::from_digit(number, 16).unwrap_or_default().to_ascii_uppercase();
            let number = u32::from(letter);
            text.push('%');
            text.push(digit(number >> 4));
            text.push(digit(number & 15));
        } else {
            text.push(letter);
        }
    }
    text.push_str(";.;");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;
    use std::time::Duration;

    fn meters(component: &str) -> Meters {
        let text = r#"{"version":1,"appId":"orders","namespace":"shop"}"#;
        Meters::new(&PluginConfig::read(text.as_bytes()).unwrap(), component)
    }

    #[test]
    fn a_name_holds_its_labels_and_is_asked_for_once() {
        let host = FakeHost::new();
        let meters = meters("p");
        meters.know("a.b/ü");
        let start = host.now();
        host.advance(Duration::from_millis(12));
        meters.note(&*host, "a.b/ü", What::Egress, Ended::Done, Some(start));
        meters.note(&*host, "a.b/ü", What::Egress, Ended::Done, Some(host.now()));
        meters.note(&*host, "unheard", What::IngressBulkEvent, Ended::Unfit, None);
        meters.note(&*host, "", What::BulkGet, Ended::Failed, None);
        let labels = "app_id=.=orders;.;component=.=p;.;namespace=.=shop;.;";
        let expected = [
            ("topic=.=a.b/ü;.;success=.=true;.;dapr_component_pubsub_egress_count", vec![1, 1]),
            ("topic=.=a.b/ü;.;success=.=true;.;dapr_component_pubsub_egress_latencies", vec![12, 0]),
            (
                "topic=.=other;.;status=.=failure;.;process_status=.=drop;.;dapr_component_pubsub_ingress_bulk_event_count",
                vec![1],
            ),
            ("success=.=false;.;operation=.=bulk_get;.;dapr_component_state_count", vec![1]),
        ];
        assert_eq!(*host.meters.borrow(), expected.map(|(name, values)| (labels.to_owned() + name, values)));
    }

    #[test]
    fn a_value_cannot_write_labels() {
        let host = FakeHost::new();
        meters("x;.;success=.=no\n50%").note(&*host, "", What::Get, Ended::Done, None);
        let expected = "app_id=.=orders;.;component=.=x%3B.%3Bsuccess%3D.%3Dno%0A50%25;.;namespace=.=shop;.;";
        assert!(host.meters.borrow()[0].0.starts_with(expected), "{:?}", host.meters);
    }

    #[test]
    fn only_so_many_topics_have_a_name() {
        let host = FakeHost::new();
        let meters = meters("p");
        for topic in 0..2 * MOST {
            meters.know(&topic.to_string());
            meters.note(&*host, &topic.to_string(), What::Egress, Ended::Done, None);
        }
        assert!(host.meters.borrow().len() < MOST);
    }
}
