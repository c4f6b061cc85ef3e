//! The blocks of a module that has components: state and publish/subscribe.

use crate::api::{Route, query};
use crate::app::Request;
use crate::by_name::ByName;
use crate::components::{self, Site};
use crate::config::{Component, PluginConfig, Problem};
use crate::host::TcpTarget;
use crate::http::Reply;
use crate::pubsub::{Broker, PubSub, PublishRequest};
#[cfg(feature = "policies")]
use crate::resiliency::component::Guard;
use crate::runtime::{BoxFuture, Runtime};
use crate::state::{State, StateStore};
use crate::telemetry::Trace;
use std::rc::Rc;

/// The blocks of one application.
pub struct Blocks {
    stores: ByName<Rc<dyn StateStore>>,
    brokers: ByName<Rc<dyn Broker>>,
    state: Option<State>,
    pubsub: Option<PubSub>,
}

impl Blocks {
    /// Whether anything here takes more than one callback.
    pub const HAVE_FLOWS: bool = true;

    /// Builds every component of the configuration.
    ///
    /// # Errors
    /// Each thing in the configuration that cannot be used.
    pub fn new(config: &PluginConfig, runtime: &Runtime) -> Result<Self, Vec<Problem>> {
        let mut blocks = Self::none();
        let mut errors = Vec::new();
        for (at, component) in config.components.iter().enumerate() {
            // One without a type was reported by whoever read the text.
            if component.kind.is_empty() {
                continue;
            }
            if let Err(some) = blocks.add(component, &site(component, config, runtime), config) {
                let path = format!("$.components[{at}]");
                errors.extend(some.into_iter().map(|problem| problem.below(&path)));
            }
        }
        let state = State::new(config, &blocks.stores, runtime).map_err(|some| errors.extend(some));
        let pubsub = PubSub::new(config, &blocks.brokers, runtime).map_err(|some| errors.extend(some));
        if !errors.is_empty() {
            return Err(errors);
        }
        blocks.state = state.ok();
        blocks.pubsub = pubsub.ok();
        Ok(blocks)
    }

    fn add(&mut self, component: &Component, site: &Site, config: &PluginConfig) -> Result<(), Vec<Problem>> {
        let name = component.name.clone();
        if component.kind.starts_with("pubsub.") {
            let broker = guarded_broker(components::build_broker(component, site)?, &name, site, config);
            self.brokers.insert(name, broker);
        } else {
            let store = guarded_store(components::build_store(component, site)?, &name, site, config);
            self.stores.insert(name, store);
        }
        Ok(())
    }

    /// No blocks, for the callee's side.
    pub fn none() -> Self {
        Self { stores: ByName::default(), brokers: ByName::default(), state: None, pubsub: None }
    }

    /// The answer to a request that needs neither body nor backend: none of these.
    pub fn at_once(&self, _route: &Route) -> Option<Reply> {
        None
    }

    /// The flow that answers a request of one of these blocks' routes.
    pub fn serve(&self, route: Route, request: Request, trace: Trace) -> BoxFuture<'static, Reply> {
        match (route, &self.state, &self.pubsub) {
            (Route::Publish { pubsub, topic }, _, Some(block)) => {
                block.publish(publish_request(pubsub, topic, request, trace))
            }
            (Route::PublishBulk { pubsub, topic }, _, Some(block)) => {
                block.publish_bulk(publish_request(pubsub, topic, request, trace))
            }
            (route, Some(block), _) => block.serve(route, request),
            // Only the callee's side has no blocks, and it serves nothing.
            (_, None, _) => Box::pin(std::future::ready(Reply::no_content())),
        }
    }

    /// Opens links and makes events flow. Called from a root callback of a worker.
    pub fn start(&self, _runtime: &Runtime) {
        self.stores.values().for_each(|store| store.start());
        self.brokers.values().for_each(|broker| broker.start());
        if let Some(pubsub) = &self.pubsub {
            pubsub.start();
        }
    }

    /// Reads no more events.
    pub fn drain(&self) {
        if let Some(pubsub) = &self.pubsub {
            pubsub.drain();
        }
    }

    /// How many events are with the application.
    pub fn in_flight(&self) -> usize {
        self.pubsub.as_ref().map_or(0, PubSub::in_flight)
    }

    /// Why a component does not serve yet.
    pub fn trouble(&self, name: &str, kind: &str) -> Option<String> {
        if kind.starts_with("pubsub.") { self.brokers.get(name)?.trouble() } else { self.stores.get(name)?.trouble() }
    }

    /// Whether the application has ever answered.
    pub fn app_seen(&self, _runtime: &Runtime) -> bool {
        self.pubsub.as_ref().is_some_and(PubSub::app_seen)
    }

    /// The member `subscriptions` of `/v1.0/metadata`, the JSON text of one object each.
    pub fn subscriptions(&self) -> Vec<Vec<u8>> {
        self.pubsub.as_ref().map(PubSub::subscriptions).unwrap_or_default()
    }

    /// What `/v1.0/metadata` says of a component.
    pub fn capabilities(&self, name: &str, kind: &str) -> &'static [&'static str] {
        let store = || self.stores.get(name).map(|store| store.capabilities());
        let broker = || self.brokers.get(name).map(|broker| broker.capabilities());
        let found = if kind.starts_with("pubsub.") { broker() } else { store() };
        found.unwrap_or_default()
    }
}

/// The policy for what is asked of a component.
#[cfg(feature = "policies")]
fn outbound(name: &str, site: &Site, config: &PluginConfig) -> Option<Rc<Guard>> {
    let policy = config.resiliency.components.get(name)?.outbound.as_ref()?;
    Some(Guard::new(&site.runtime, policy, &config.app_id, name, "outbound"))
}

#[cfg(feature = "policies")]
fn guarded_broker(broker: Rc<dyn Broker>, name: &str, site: &Site, config: &PluginConfig) -> Rc<dyn Broker> {
    match outbound(name, site, config) {
        Some(guard) => crate::pubsub::guarded::Guarded::before(broker, guard),
        None => broker,
    }
}

#[cfg(feature = "policies")]
fn guarded_store(store: Rc<dyn StateStore>, name: &str, site: &Site, config: &PluginConfig) -> Rc<dyn StateStore> {
    match outbound(name, site, config) {
        Some(guard) => crate::state::guarded::Guarded::before(store, guard),
        None => store,
    }
}

#[cfg(not(feature = "policies"))]
fn guarded_broker(broker: Rc<dyn Broker>, _name: &str, _site: &Site, _config: &PluginConfig) -> Rc<dyn Broker> {
    broker
}

#[cfg(not(feature = "policies"))]
fn guarded_store(store: Rc<dyn StateStore>, _name: &str, _site: &Site, _config: &PluginConfig) -> Rc<dyn StateStore> {
    store
}

fn site(component: &Component, config: &PluginConfig, runtime: &Runtime) -> Site {
    let target = match (&config.link, &component.cluster) {
        (Some(link), Some(backend)) => {
            Some(TcpTarget { link: link.cluster.clone(), backend: backend.clone(), node: None })
        }
        _ => None,
    };
    Site { runtime: runtime.clone(), app_id: config.app_id.clone(), namespace: config.namespace.clone(), target }
}

fn publish_request(pubsub: String, topic: String, request: Request, trace: Trace) -> PublishRequest {
    let content_type = request.headers.text("content-type").unwrap_or("").to_owned();
    let metadata = query::metadata(&request.query);
    PublishRequest { pubsub, topic, body: request.body, content_type, metadata, trace }
}

#[cfg(test)]
mod tests {
    use crate::app::App;
    use crate::fake::FakeHost;
    use crate::worker::Vm;

    #[test]
    fn what_components_refuse_is_told_with_what_is_wrong_elsewhere_each_with_its_path() {
        let text = br#"{"version":1,"appId":"a","color":1,"components":[
            {"name":"one","type":"state.redis","cluster":"redis","metadata":{"redisDB":"s3cret","RedisHost":"h:1"}},
            {"name":"two","type":"state.oracle"},
            {"name":"three","type":"pubsub.redis","version":"v2"},
            {"name":"four","type":"state.in-memory","metadata":{"keyPrefix":"a||b","x y":"1"}}]}"#;
        let problems = App::read(text, FakeHost::new(), Vm::default()).err().unwrap();
        let mut paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        paths.sort_unstable();
        let expected = [
            "$.color",
            "$.components[0].metadata.RedisHost",
            "$.components[0].metadata.redisDB",
            "$.components[1].type",
            "$.components[2].cluster",
            "$.components[2].version",
            "$.components[3].metadata.keyPrefix",
            "$.components[3].metadata[\"x y\"]",
            "$.link",
        ];
        assert_eq!(paths, expected);
        assert!(!format!("{problems:?}").contains("s3cret"));
    }
}
