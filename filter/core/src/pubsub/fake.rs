//! A broker that records what it is told with an application's block around it, and for brokers an application that
//! answers when the test likes.

use super::{Broker, BrokerError, Deliver, Delivered, Message, PubSub};
use crate::config::PluginConfig;
use crate::fake::FakeHost;
use crate::runtime::{BoxFuture, Runtime, Scope, Sender, channel};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

type Answer = Result<(), BrokerError>;

#[derive(Default)]
pub(crate) struct FakeBroker {
    pub published: RefCell<Vec<Message>>,
    /// What the next events are answered with; `Ok` when it is empty.
    pub answers: RefCell<VecDeque<Answer>>,
    /// Whether answers wait for [`FakeBroker::release`].
    pub holds: Cell<bool>,
    held: RefCell<Vec<Sender<Answer>>>,
    /// The topics of each `subscribe`.
    pub subscribed: RefCell<Vec<Vec<String>>>,
    deliver: RefCell<Option<Rc<dyn Deliver>>>,
    pub drained: Cell<bool>,
    pub has_ttl: Cell<bool>,
}

impl Broker for FakeBroker {
    fn capabilities(&self) -> &'static [&'static str] {
        if self.has_ttl.get() { &["MESSAGE_TTL"] } else { &[] }
    }

    fn publish(&self, message: Message) -> BoxFuture<'static, Answer> {
        self.published.borrow_mut().push(message);
        if self.holds.get() {
            let (sender, receiver) = channel();
            self.held.borrow_mut().push(sender);
            return Box::pin(async move { receiver.await.unwrap() });
        }
        Box::pin(std::future::ready(self.answers.borrow_mut().pop_front().unwrap_or(Ok(()))))
    }

    fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        self.subscribed.borrow_mut().push(topics);
        *self.deliver.borrow_mut() = Some(deliver);
    }

    fn drain(&self) {
        self.drained.set(true);
    }

    fn in_flight(&self) -> usize {
        3
    }

    fn window(&self) -> usize {
        5
    }
}

impl FakeBroker {
    /// What the last `subscribe` gave.
    pub fn take_deliver(&self) -> Rc<dyn Deliver> {
        self.deliver.borrow_mut().take().expect("a subscription")
    }

    /// Answers everything that was held back.
    pub fn release(&self) {
        for sender in self.held.borrow_mut().drain(..) {
            sender.send(Ok(()));
        }
    }
}

/// The block of one application with the brokers `p` and `q`.
pub(crate) struct Fixture {
    pub host: Rc<FakeHost>,
    pub runtime: Runtime,
    pub broker: Rc<FakeBroker>,
    pub other: Rc<FakeBroker>,
    pub block: PubSub,
}

impl Fixture {
    /// `extra` is what the plugin configuration has besides version, id and the application's address.
    pub fn new(extra: serde_json::Value) -> Self {
        Self::around(extra, [("p", Rc::default()), ("q", Rc::default())].into())
    }

    /// With brokers that let messages expire.
    pub fn with_ttl() -> Self {
        let broker = FakeBroker::default();
        broker.has_ttl.set(true);
        Self::around(serde_json::json!({}), [("p", Rc::new(broker))].into())
    }

    pub fn without_brokers() -> Self {
        Self::around(serde_json::json!({}), BTreeMap::new())
    }

    fn around(extra: serde_json::Value, brokers: BTreeMap<&str, Rc<FakeBroker>>) -> Self {
        let mut config = serde_json::json!({
            "version": 1, "appId": "myapp", "namespace": "shop",
            "app": {"cluster": "app", "authority": "127.0.0.1:8080"}, "tracing": {"samplingRate": "0"}
        });
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let (config, _) = PluginConfig::draft(config.to_string().as_bytes());
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), config.log_level);
        let named = brokers.iter().map(|(name, broker)| ((*name).to_owned(), broker.clone() as Rc<dyn Broker>));
        let block = PubSub::new(&config, &named.collect(), &runtime).unwrap();
        let broker = |name: &str| brokers.get(name).cloned().unwrap_or_default();
        Self { host, runtime, broker: broker("p"), other: broker("q"), block }
    }

    /// Starts, and lets the application name these subscriptions.
    pub fn subscribed(config: serde_json::Value, list: &str) -> Self {
        let fixture = Self::new(config);
        fixture.block.start();
        fixture.runtime.run(Scope::Root);
        fixture.host.answer(&fixture.runtime, 200, list.as_bytes());
        fixture.runtime.run(Scope::Root);
        fixture
    }

    /// The broker delivers an event; the outcome appears in the cell.
    pub fn deliver(&self, message: Message) -> Rc<Cell<Option<Delivered>>> {
        let outcome = Rc::new(Cell::new(None));
        let (deliver, slot) = (self.broker.deliver.borrow().clone().expect("a subscription"), Rc::clone(&outcome));
        self.runtime.spawn(Box::pin(async move {
            let delivered = deliver.deliver(Rc::new(message)).await;
            slot.set(Some(delivered));
        }));
        self.runtime.run(Scope::Root);
        outcome
    }
}

/// Where a broker's events go: it keeps what it is given and answers when the test likes.
#[derive(Default)]
pub(crate) struct Taker {
    given: RefCell<Vec<Message>>,
    open: RefCell<Vec<Option<Sender<Delivered>>>>,
}

impl Taker {
    /// The events so far.
    pub fn messages(&self) -> Vec<Message> {
        self.given.borrow().clone()
    }

    /// The data of the events so far, as text.
    pub fn given(&self) -> Vec<String> {
        self.given.borrow().iter().map(|message| String::from_utf8(message.data.clone()).unwrap()).collect()
    }

    /// Answers the delivery of that number.
    pub fn answer(&self, number: usize, outcome: Delivered) {
        let sender = self.open.borrow_mut()[number].take();
        sender.expect("an open delivery").send(outcome);
    }

    /// Takes all that is open; how many that was.
    pub fn settle_all(&self) -> usize {
        let open: Vec<Sender<Delivered>> = self.open.borrow_mut().iter_mut().filter_map(Option::take).collect();
        let count = open.len();
        open.into_iter().for_each(|sender| sender.send(Delivered::Settled));
        count
    }
}

impl Deliver for Taker {
    fn deliver(&self, message: Rc<Message>) -> BoxFuture<'static, Delivered> {
        let (sender, receiver) = channel();
        self.given.borrow_mut().push(Message::clone(&message));
        self.open.borrow_mut().push(Some(sender));
        Box::pin(async move { receiver.await.unwrap() })
    }
}
