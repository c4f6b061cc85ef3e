//! The broker's rules: one worker, and two that take turns.

use super::pump::LOOK;
use super::*;
use crate::components::build_broker;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use crate::host::Host;
use crate::pubsub::Delivered;
use crate::pubsub::fake::Taker;
use crate::runtime::{Channels, Scope};
use std::cell::RefCell;
use std::collections::BTreeMap;

const SOON: Duration = Duration::from_millis(5);

fn component(metadata: &[(&str, &str)]) -> Component {
    Component {
        name: "bus".to_owned(),
        kind: "pubsub.in-memory".to_owned(),
        version: "v1".to_owned(),
        cluster: None,
        metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

/// The root of one application in one worker.
struct Root {
    host: Rc<FakeHost>,
    runtime: Runtime,
    broker: Rc<dyn Broker>,
    app: Rc<Taker>,
}

impl Root {
    fn beside(channels: &Channels, host: Rc<FakeHost>, app_id: &str) -> Self {
        let runtime =
            Runtime::beside(channels.clone(), Rc::clone(&host) as Rc<dyn Host>, String::new(), LogLevel::Info);
        let (app_id, namespace) = (app_id.to_owned(), "default".to_owned());
        let site = Site { runtime: runtime.clone(), app_id, namespace, target: None };
        let broker = build_broker(&component(&[]), &site).unwrap();
        Self { host, runtime, broker, app: Rc::default() }
    }

    fn of(app_id: &str) -> Self {
        Self::beside(&Channels::default(), FakeHost::new(), app_id)
    }

    /// The same application in another worker.
    fn neighbour(&self, app_id: &str) -> Self {
        Self::beside(&Channels::default(), self.host.neighbour(), app_id)
    }

    fn subscribe(&self, topics: &[&str]) {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.broker.subscribe(topics, Rc::clone(&self.app) as Rc<dyn Deliver>);
        self.pass(SOON);
    }

    fn pass(&self, time: Duration) {
        self.host.pass(&self.runtime, time);
    }

    fn publish(&self, topic: &str, data: &str) -> Option<Result<(), BrokerError>> {
        let metadata = BTreeMap::new();
        let message = Message { topic: topic.to_owned(), data: data.as_bytes().to_vec(), metadata };
        let outcome = Rc::new(RefCell::new(None));
        let (flow, slot) = (self.broker.publish(message), Rc::clone(&outcome));
        self.runtime.spawn(Box::pin(async move {
            let published = flow.await;
            *slot.borrow_mut() = Some(published);
        }));
        self.pass(SOON);
        outcome.take()
    }

    fn published(&self, topic: &str, data: &str) {
        assert_eq!(self.publish(topic, data), Some(Ok(())));
    }

    /// What the application was given so far.
    fn given(&self) -> Vec<String> {
        self.app.given()
    }

    /// The application's word on the delivery of that number.
    fn answer(&self, number: usize, outcome: Delivered) {
        self.app.answer(number, outcome);
        self.runtime.run(Scope::Root);
        self.pass(SOON);
    }
}

#[test]
fn an_event_that_nobody_subscribes_to_is_not_kept() {
    let orders = Root::of("orders");
    orders.published("a", "early");
    orders.subscribe(&["a"]);
    orders.published("b", "elsewhere");
    orders.published("a", "x");
    assert_eq!(orders.given(), ["x"]);
    assert_eq!(orders.broker.in_flight(), 1);
    orders.answer(0, Delivered::Settled);
    orders.pass(LOOK);
    assert_eq!((orders.given().len(), orders.broker.in_flight()), (1, 0));
}

#[test]
fn every_application_gets_its_own_copy_also_the_publishers() {
    let (channels, host) = (Channels::default(), FakeHost::new());
    let [orders, left] = ["orders", "left"].map(|app| Root::beside(&channels, Rc::clone(&host), app));
    orders.subscribe(&["a"]);
    left.subscribe(&["a"]);
    orders.published("a", "x");
    // The other root was told; it runs at its own tick.
    left.pass(SOON);
    assert_eq!((orders.given(), left.given()), (vec!["x".to_owned()], vec!["x".to_owned()]));
    orders.answer(0, Delivered::Settled);
    left.answer(0, Delivered::Again);
    left.pass(Duration::from_secs(1));
    orders.pass(LOOK);
    assert_eq!((orders.given().len(), left.given().len()), (1, 2));
}

#[test]
fn what_was_not_taken_comes_again_later_and_later() {
    let orders = Root::of("orders");
    orders.subscribe(&["a"]);
    orders.published("a", "x");
    for (number, pause) in [100_u64, 200, 400, 800].into_iter().enumerate() {
        orders.answer(number, Delivered::Again);
        orders.pass(Duration::from_millis(pause * 3 / 4 - 10));
        assert_eq!(orders.given().len(), number + 1, "not before {pause} ms less a quarter");
        orders.pass(Duration::from_millis(pause / 2 + 10));
        assert_eq!(orders.given().len(), number + 2, "after {pause} ms and a quarter");
    }
}

#[test]
fn a_worker_gives_sixteen_events_at_once_and_the_next_when_one_has_ended() {
    let orders = Root::of("orders");
    orders.subscribe(&["a"]);
    for number in 0..WINDOW + 2 {
        orders.published("a", &number.to_string());
    }
    assert_eq!((orders.given().len(), orders.broker.in_flight()), (WINDOW, WINDOW));
    orders.answer(3, Delivered::Settled);
    assert_eq!(orders.given().last().unwrap(), &WINDOW.to_string());
    orders.answer(0, Delivered::Again);
    assert_eq!(orders.given().last().unwrap(), &(WINDOW + 1).to_string(), "others need not wait for it");
}

#[test]
fn two_workers_never_take_the_same_event() {
    let one = Root::of("orders");
    let two = one.neighbour("orders");
    one.subscribe(&["a"]);
    two.subscribe(&["a"]);
    for number in 0..WINDOW * 2 {
        one.published("a", &number.to_string());
    }
    assert_eq!(one.given().len(), WINDOW);
    two.pass(LOOK);
    let mut all = [one.given(), two.given()].concat();
    all.sort_by_key(|data| data.parse::<usize>().unwrap());
    assert_eq!(all, (0..WINDOW * 2).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn the_event_of_a_worker_that_has_gone_is_delivered_by_another() {
    let one = Root::of("orders");
    let two = one.neighbour("orders");
    one.subscribe(&["a"]);
    two.subscribe(&["a"]);
    one.published("a", "x");
    assert_eq!(one.given(), ["x"]);
    drop(one);
    two.pass(Duration::from_millis(LEASE - 100));
    assert!(two.given().is_empty());
    two.pass(Duration::from_millis(200));
    assert_eq!(two.given(), ["x"]);
}

#[test]
fn a_worker_that_lives_keeps_its_events_as_long_as_the_application_needs() {
    let one = Root::of("orders");
    let two = one.neighbour("orders");
    one.subscribe(&["a"]);
    two.subscribe(&["a"]);
    one.published("a", "x");
    for _ in 0..60 {
        one.pass(LOOK);
        two.pass(LOOK);
    }
    assert!(two.given().is_empty());
    one.answer(0, Delivered::Settled);
    two.pass(Duration::from_millis(2 * LEASE));
    assert!(two.given().is_empty());
}

#[test]
fn a_root_that_drains_ends_its_deliveries_and_leaves_the_rest_to_the_next() {
    let (channels, host) = (Channels::default(), FakeHost::new());
    let [old, new] = [(); 2].map(|()| Root::beside(&channels, Rc::clone(&host), "orders"));
    old.subscribe(&["a"]);
    old.published("a", "taken");
    old.published("a", "refused");
    old.broker.drain();
    new.subscribe(&["a"]);
    new.published("a", "fresh");
    old.pass(SOON);
    assert_eq!((old.given().len(), new.given()), (2, vec!["fresh".to_owned()]));
    old.answer(0, Delivered::Settled);
    assert_eq!(old.broker.in_flight(), 1);
    old.answer(1, Delivered::Again);
    assert_eq!(old.broker.in_flight(), 0);
    old.subscribe(&["a"]);
    new.pass(LOOK);
    assert_eq!((old.given().len(), new.given()), (2, vec!["fresh".to_owned(), "refused".to_owned()]));
}

#[test]
fn a_topic_that_was_given_up_is_delivered_no_more() {
    let orders = Root::of("orders");
    orders.subscribe(&["a"]);
    for number in 0..=WINDOW {
        orders.published("a", &number.to_string());
    }
    orders.subscribe(&["b"]);
    (0..WINDOW).for_each(|number| orders.answer(number, Delivered::Again));
    orders.published("b", "x");
    orders.pass(Duration::from_secs(60));
    assert_eq!(orders.given().len(), WINDOW + 1);
    assert_eq!(orders.given().last().unwrap(), "x");
}

#[test]
fn a_full_broker_refuses_and_says_why() {
    let orders = Root::of("orders");
    orders.subscribe(&["a"]);
    for number in 0..EVENTS {
        orders.published("a", &number.to_string());
    }
    let Some(Err(BrokerError::Failed { reason })) = orders.publish("a", "x") else { panic!("it is full") };
    for part in ["\"bus\" is full", "1000 events", "32 MiB", "nothing was published", "\"orders\""] {
        assert!(reason.contains(part), "{reason}");
    }
    orders.answer(0, Delivered::Settled);
    orders.published("a", "x");
}

#[test]
fn other_workers_writes_are_met_by_trying_again_and_at_last_by_an_error() {
    let orders = Root::of("orders");
    orders.subscribe(&["a"]);
    orders.host.conflicts.set(SPINS + 1);
    let first = orders.publish("a", "x");
    assert!(first.is_none() || first == Some(Ok(())));
    orders.pass(SOON);
    assert_eq!(orders.given(), ["x"], "published once");
    orders.host.conflicts.set(u32::MAX);
    let broker = Rc::clone(&orders.broker);
    let outcome = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&outcome);
    let message = Message { topic: "a".to_owned(), ..Message::default() };
    orders.runtime.spawn(Box::pin(async move {
        let published = broker.publish(message).await;
        *slot.borrow_mut() = Some(published);
    }));
    orders.pass(Duration::from_secs(10));
    let Some(Err(BrokerError::Failed { reason })) = outcome.take() else { panic!("it gives up") };
    assert!(reason.contains("too busy") && reason.contains("nothing was published"), "{reason}");
}

#[test]
fn a_subscription_and_a_settled_event_wait_until_they_can_be_written() {
    let orders = Root::of("orders");
    orders.host.conflicts.set(100);
    orders.subscribe(&["a"]);
    orders.pass(Duration::from_millis(50));
    orders.published("a", "x");
    orders.host.conflicts.set(100);
    orders.answer(0, Delivered::Settled);
    orders.pass(Duration::from_millis(50));
    assert_eq!(orders.broker.in_flight(), 0);
    orders.pass(Duration::from_millis(2 * LEASE));
    assert_eq!(orders.given(), ["x"]);
}

#[test]
fn memory_of_another_release_is_refused_and_told_once() {
    let orders = Root::of("orders");
    let (_, version) = orders.host.shared_get("weft/mem/pubsub/bus");
    orders.host.shared_set("weft/mem/pubsub/bus", &[99], version).unwrap();
    let Some(Err(BrokerError::Failed { reason })) = orders.publish("a", "x") else { panic!("it cannot be used") };
    assert!(reason.contains("restart the proxy"), "{reason}");
    orders.subscribe(&["a"]);
    orders.pass(Duration::from_secs(10));
    let told = orders.host.log.borrow().iter().filter(|line| line.contains("restart the proxy")).count();
    assert_eq!(told, 1);
}

#[test]
fn metadata_that_have_no_meaning_here_are_refused() {
    let orders = Root::of("orders");
    let site = || Site {
        runtime: orders.runtime.clone(),
        app_id: "orders".to_owned(),
        namespace: "default".to_owned(),
        target: None,
    };
    let refused = build_broker(&component(&[("consumerID", "x"), ("hosts", "x"), ("allowedTopics", "a")]), &site());
    assert_eq!(refused.err().unwrap().len(), 2);
}
