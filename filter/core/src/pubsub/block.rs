//! The block of one application: its brokers, its subscriptions, what it knows of the application.

use super::publish::{self, PublishRequest};
use super::scopes::{Direction, Scopes};
use super::subscription::{Declared, Subscription};
use super::{Broker, DELIVERY_TIMEOUT, Message, error, subscriber};
use crate::api;
use crate::by_name::ByName;
use crate::components;
use crate::config::{AppChannel, Component, LogLevel, PluginConfig, Problem};
use crate::duration::parse_component_duration;
use crate::error::DaprError;
use crate::host::Time;
use crate::http::Reply;
use crate::log_line::Line;
use crate::resiliency::component::Guard;
use crate::runtime::{BoxFuture, Runtime, Sender};
use crate::telemetry::Sampling;
use crate::telemetry::meters::{Ended, Meters, What};
use crate::telemetry::spans::Spans;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Publish/subscribe for one application. Cheap to clone.
#[derive(Clone)]
pub struct PubSub(Rc<Inner>);

/// A broker with the rules that stand before it.
pub(super) struct Site {
    pub(super) broker: Rc<dyn Broker>,
    scopes: Scopes,
    /// Stands before every topic at the broker; usually empty.
    prefix: String,
    pub(super) has_ttl: bool,
    pub(super) meters: Meters,
    /// How long the application may take for one delivery.
    pub(super) timeout: Duration,
    /// What holds for its deliveries.
    pub(super) inbound: Option<Rc<Guard>>,
}

impl Site {
    #[inline(never)]
    fn new(name: &str, broker: Rc<dyn Broker>, config: &PluginConfig, runtime: &Runtime) -> Self {
        let component = config.components.iter().find(|component| component.name == name);
        let scopes = component.map(|component| Scopes::read(component, &config.app_id)).unwrap_or_default();
        let is_namespaced =
            |component: &Component| component.metadata.values().any(|text| text.contains("{namespace}"));
        let prefix = if component.is_some_and(is_namespaced) { config.namespace.clone() } else { String::new() };
        let has_ttl = broker.capabilities().contains(&"MESSAGE_TTL");
        let meters = Meters::new(config, name);
        scopes.each_topic(&|topic| meters.know(topic));
        let timeout = component.and_then(|component| components::metadata(component, "deliveryTimeout"));
        // Its form was judged with the component.
        let timeout = timeout.and_then(|text| parse_component_duration(text.trim())).unwrap_or(DELIVERY_TIMEOUT);
        let inbound = inbound(name, config, runtime);
        let timeout = inbound.as_ref().and_then(|guard| guard.timeout()).unwrap_or(timeout);
        Self { broker, scopes, prefix, has_ttl, meters, timeout, inbound }
    }

    pub(super) fn allows(&self, topic: &str, direction: Direction) -> bool {
        self.scopes.allow(topic, direction)
    }

    /// The topic's name at the broker.
    pub(super) fn broker_topic(&self, topic: &str) -> String {
        let mut name = String::with_capacity(self.prefix.len() + topic.len());
        name.push_str(&self.prefix);
        name.push_str(topic);
        name
    }
}

/// The policy for a broker's events on their way to the application.
#[cfg(feature = "policies")]
fn inbound(name: &str, config: &PluginConfig, runtime: &Runtime) -> Option<Rc<Guard>> {
    let policy = config.resiliency.components.get(name)?.inbound.as_ref()?;
    Some(Guard::new(runtime, policy, &config.app_id, name, "inbound"))
}

#[cfg(not(feature = "policies"))]
fn inbound(_name: &str, _config: &PluginConfig, _runtime: &Runtime) -> Option<Rc<Guard>> {
    None
}

/// The subscriptions in force.
#[derive(Default)]
pub(super) struct Table {
    /// All that were declared, also what is refused; `None` before the application has answered.
    pub(super) declared: Option<Vec<Declared>>,
    /// Those of them that are sound, also where the broker is unknown or the topic denied.
    pub(super) usable: Vec<Rc<Subscription>>,
    /// Those that are served, by broker, then by topic as the broker names it.
    pub(super) routed: ByName<ByName<Rc<Subscription>>>,
}

pub(super) struct Inner {
    pub(super) app_id: String,
    pub(super) app: Option<AppChannel>,
    pub(super) sampling: Sampling,
    pub(super) spans: Spans,
    pub(super) runtime: Runtime,
    pub(super) sites: ByName<Site>,
    /// From the configuration.
    pub(super) configured: Vec<Declared>,
    /// From the application, as it last said.
    pub(super) named: RefCell<Vec<Declared>>,
    pub(super) table: RefCell<Table>,
    pub(super) app_seen: Cell<bool>,
    pub(super) stopped: Cell<bool>,
    started: Cell<bool>,
    /// Sent to once when the application could not be reached. Dropped by [`PubSub::drain`].
    pub(super) app_lost: RefCell<Option<Sender<()>>>,
}

impl PubSub {
    /// The block for the brokers of these names. Their components in `config` give the topic scopes.
    ///
    /// # Errors
    /// Each thing in the configuration that cannot be used. A declarative subscription that cannot be
    /// used is no such error: it is refused when subscriptions are made, with an error in the log, and the others
    /// work.
    #[inline(never)]
    pub fn new(
        config: &PluginConfig,
        brokers: &ByName<Rc<dyn Broker>>,
        runtime: &Runtime,
    ) -> Result<Self, Vec<Problem>> {
        let sampling = Sampling::parse(&config.tracing.sampling_rate).map_err(|problem| vec![problem])?;
        let site = |(name, broker): (&str, &Rc<dyn Broker>)| {
            (name.to_owned(), Site::new(name, Rc::clone(broker), config, runtime))
        };
        Ok(Self(Rc::new(Inner {
            app_id: config.app_id.clone(),
            app: config.app.clone(),
            sampling,
            spans: Spans::new(config.tracing.otlp.as_ref(), &config.app_id, runtime),
            runtime: runtime.clone(),
            sites: brokers.iter().map(site).collect(),
            configured: config.subscriptions.iter().map(Declared::from_config).collect(),
            named: RefCell::default(),
            table: RefCell::default(),
            app_seen: Cell::new(false),
            stopped: Cell::new(false),
            started: Cell::new(false),
            app_lost: RefCell::default(),
        })))
    }

    /// Publishes one event. The answer is 204 once the broker has it, else one of Dapr's errors.
    pub fn publish(&self, request: PublishRequest) -> BoxFuture<'static, Reply> {
        publish::publish(Rc::clone(&self.0), request)
    }

    /// Publishes every entry of a bulk request: 204 once the broker has all of them, else Dapr's errors or the list
    /// of those that failed.
    pub fn publish_bulk(&self, request: PublishRequest) -> BoxFuture<'static, Reply> {
        publish::publish_bulk(Rc::clone(&self.0), request)
    }

    /// Asks the application for its subscriptions and makes events flow. Only for a worker's VM, from a root
    /// callback; a second call does nothing. The brokers' own `start` is the caller's.
    pub fn start(&self) {
        if self.0.started.replace(true) || self.0.stopped.get() {
            return;
        }
        if self.0.app.is_some() {
            let flow = subscriber::follow(self.0.runtime.clone(), Rc::downgrade(&self.0));
            self.0.runtime.spawn(Box::pin(flow));
        } else if !self.0.configured.is_empty() {
            let why = "the plugin configuration has no `app`, so nothing can be delivered";
            self.0.log(LogLevel::Warn, "subscriptions are not served", why);
        }
    }

    /// Reads no new events. What is with the application goes on; see [`PubSub::in_flight`].
    pub fn drain(&self) {
        self.0.stopped.set(true);
        let lost = self.0.app_lost.borrow_mut().take();
        drop(lost);
        for site in self.0.sites.values() {
            site.broker.drain();
        }
        self.0.spans.flush();
    }

    /// How many events are with the application now, and spans on their way to a collector.
    pub fn in_flight(&self) -> usize {
        self.0.sites.values().map(|site| site.broker.in_flight()).sum::<usize>() + self.0.spans.pending()
    }

    /// Whether the application has ever answered.
    pub fn app_seen(&self) -> bool {
        self.0.app_seen.get()
    }

    /// The member `subscriptions` of `/v1.0/metadata`, the JSON text of one object each.
    pub fn subscriptions(&self) -> Vec<Vec<u8>> {
        self.0.table.borrow().usable.iter().map(|subscription| subscription.to_json()).collect()
    }
}

impl Inner {
    /// Where a topic is published.
    ///
    /// # Errors
    /// Dapr's error for a broker or topic that is not there or not allowed.
    pub(super) fn publishing(&self, pubsub: &str, topic: &str) -> Result<&Site, DaprError> {
        if pubsub.is_empty() {
            return Err(error::empty_name());
        }
        if self.sites.is_empty() {
            return Err(api::no_brokers(pubsub));
        }
        let site = self.sites.get(pubsub).ok_or_else(|| error::not_found(pubsub))?;
        if topic.is_empty() {
            return Err(error::empty_topic(pubsub));
        }
        if !site.allows(topic, Direction::Publish) {
            return Err(error::forbidden(pubsub, topic, &self.app_id));
        }
        Ok(site)
    }

    /// Publishes to a topic of this application's naming, and counts that as `what`.
    pub(super) async fn hand_over(&self, what: What, pubsub: &str, mut message: Message) -> Result<(), DaprError> {
        let site = self.publishing(pubsub, &message.topic)?;
        let start = self.runtime.host().now();
        let at_broker = site.broker_topic(&message.topic);
        let topic = std::mem::replace(&mut message.topic, at_broker);
        let published = site.broker.publish(message).await;
        let start = (what == What::Egress).then_some(start);
        site.meters.note(self.runtime.host(), &topic, what, Ended::of(published.is_ok()), start);
        published.map_err(|why| error::broker_failed(pubsub, &topic, &why.to_string()))
    }

    /// What holds for the deliveries of a broker.
    pub(super) fn inbound(&self, pubsub: &str) -> Option<Rc<Guard>> {
        self.sites.get(pubsub)?.inbound.clone()
    }

    /// How long the application may take for one delivery of a broker's.
    pub(super) fn timeout(&self, pubsub: &str) -> Duration {
        self.sites.get(pubsub).map_or(DELIVERY_TIMEOUT, |site| site.timeout)
    }

    /// Counts what has ended, with its beginning where it is timed.
    #[inline(never)]
    pub(super) fn note(&self, pubsub: &str, topic: &str, (what, start): (What, Option<Time>), ended: Ended) {
        if let Some(site) = self.sites.get(pubsub) {
            site.meters.note(self.runtime.host(), topic, what, ended, start);
        }
    }

    #[inline(never)]
    pub(super) fn log(&self, level: LogLevel, what: &str, why: &str) {
        self.runtime.log(level, &Line { component: "pubsub", about: &[], what, why });
    }
}
