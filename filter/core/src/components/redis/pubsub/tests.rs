//! The pump and the publisher against a Redis that the test breaks as it likes.

mod faults;
mod publish;
mod pump;

use super::super::fake_redis::FakeRedis;
use super::fake_streams::Streams;
use super::*;
use crate::components::build_broker;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use crate::host::{Host, TcpTarget};
use crate::pubsub::Delivered;
use crate::pubsub::fake::Taker;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// More than every pause of a pump that has nothing to wait for.
const SOON: Duration = Duration::from_millis(60);

/// The root of the application `orders` in one worker, with its Redis.
struct Root {
    host: Rc<FakeHost>,
    runtime: Runtime,
    broker: Rc<dyn Broker>,
    app: Rc<Taker>,
    redis: FakeRedis<Streams>,
}

impl Root {
    fn new(metadata: &[(&str, &str)]) -> Self {
        Self::on(FakeHost::new(), Rc::default(), metadata)
    }

    /// The same application in another worker.
    fn neighbour(&self) -> Self {
        Self::on(self.host.neighbour(), Rc::clone(&self.redis.model), &[])
    }

    fn on(host: Rc<FakeHost>, streams: Rc<RefCell<Streams>>, metadata: &[(&str, &str)]) -> Self {
        let runtime = Runtime::new(Rc::clone(&host) as Rc<dyn Host>, LogLevel::Info);
        let (app_id, namespace) = ("orders".to_owned(), "default".to_owned());
        let target = Some(TcpTarget { link: "link".to_owned(), backend: "redis".to_owned(), node: None });
        let component = Component {
            name: "bus".to_owned(),
            kind: "pubsub.redis".to_owned(),
            version: "v1".to_owned(),
            cluster: Some("redis".to_owned()),
            metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let site = Site { runtime: runtime.clone(), app_id, namespace, target };
        let broker = build_broker(&component, &site).unwrap();
        let redis = FakeRedis::with(streams, &host, &runtime);
        Self { host, runtime, broker, app: Rc::default(), redis }
    }

    fn subscribed(metadata: &[(&str, &str)], topics: &[&str]) -> Self {
        let root = Self::new(metadata);
        root.subscribe(topics);
        root
    }

    fn subscribe(&self, topics: &[&str]) {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.broker.subscribe(topics, Rc::clone(&self.app) as Rc<dyn Deliver>);
        self.pass(SOON);
    }

    fn pass(&self, time: Duration) {
        self.redis.pass(time);
    }

    /// Adds an event as another publisher does, without waiting for its delivery.
    fn add(&self, topic: &str, data: &str) {
        let words: [&[u8]; 7] = [b"XADD", topic.as_bytes(), b"*", b"data", data.as_bytes(), b"metadata", b"{}"];
        self.add_words(&words);
    }

    fn add_words(&self, words: &[&[u8]]) {
        use super::super::fake_redis::{Asked, Model};
        let words = words.iter().map(|word| word.to_vec()).collect();
        let asked = Asked { name: "XADD".to_owned(), words, node: String::new() };
        let now = self.host.now();
        self.redis.model.borrow_mut().answer(&asked, now, now);
    }

    /// Publishes and gives the outcome, if it is there after that time.
    fn publish(&self, message: Message, within: Duration) -> Option<Result<(), BrokerError>> {
        let outcome = Rc::new(RefCell::new(None));
        let (flow, slot) = (self.broker.publish(message), Rc::clone(&outcome));
        self.runtime.spawn(Box::pin(async move {
            let published = flow.await;
            *slot.borrow_mut() = Some(published);
        }));
        self.pass(within);
        outcome.take()
    }

    fn given(&self) -> Vec<String> {
        self.app.given()
    }

    fn answer(&self, number: usize, outcome: Delivered) {
        self.app.answer(number, outcome);
        self.pass(SOON);
    }

    /// How many entries of a topic were given out and not acknowledged.
    fn pending(&self, topic: &str) -> usize {
        self.redis.model.borrow().pending(topic, "orders").len()
    }

    fn log_has(&self, part: &str) -> bool {
        self.host.log.borrow().iter().any(|line| line.contains(part))
    }
}

fn message(topic: &str, data: &str) -> Message {
    Message { topic: topic.to_owned(), data: data.as_bytes().to_vec(), metadata: BTreeMap::new() }
}
