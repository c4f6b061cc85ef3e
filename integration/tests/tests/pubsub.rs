//! Publish/subscribe as applications see it: on Redis Streams and on the broker in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use weft_tests::app::{Reply, Seen, TestApp};
use weft_tests::client::Call;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::redis::{Redis, StreamEntry};
use weft_tests::shared::Meshes;
use weft_tests::wait;

#[path = "pubsub/answers.rs"]
mod answers;
#[path = "pubsub/apps.rs"]
mod apps;
#[path = "pubsub/bounds.rs"]
mod bounds;
#[path = "pubsub/bulk.rs"]
mod bulk;
#[path = "pubsub/bulk_subscribe.rs"]
mod bulk_subscribe;
#[path = "pubsub/crashes.rs"]
mod crashes;
#[path = "pubsub/dead_letters.rs"]
mod dead_letters;
#[path = "pubsub/envelope.rs"]
mod envelope;
#[path = "pubsub/errors.rs"]
mod errors;
#[path = "pubsub/foreign.rs"]
mod foreign;
#[path = "pubsub/groups.rs"]
mod groups;
#[path = "pubsub/never_lost.rs"]
mod never_lost;
#[path = "pubsub/nodes.rs"]
mod nodes;
#[path = "pubsub/options.rs"]
mod options;
#[path = "pubsub/ordered.rs"]
mod ordered;
#[path = "pubsub/policies.rs"]
mod policies;
#[path = "pubsub/settings.rs"]
mod settings;
#[path = "pubsub/subscriptions.rs"]
mod subscriptions;
#[path = "pubsub/trace.rs"]
mod trace;
#[path = "pubsub/update.rs"]
mod update;
#[path = "pubsub/vectors.rs"]
mod vectors;

/// Topics that the application `warehouse` subscribes to at both brokers, each for one test.
const TOPICS: &[&[&str]] = &[
    answers::TOPICS,
    bulk::TOPICS,
    envelope::TOPICS,
    foreign::TOPICS,
    groups::TOPICS,
    options::TOPICS,
    trace::TOPICS,
    vectors::TOPICS,
];

/// Both brokers.
const BROKERS: [&str; 2] = ["pubsub", "membus"];

static MESHES: Meshes = Meshes::new(|workers| {
    let mesh = Mesh::builder()
        .workers(workers)
        .in_memory()
        .redis(Redis::start())
        .app("orders")
        .app("warehouse")
        .subscribes(simple_subscriptions())
        .app("courier")
        .subscriptions(subscriptions::declared())
        .subscribes(subscriptions::named())
        .start();
    mesh.wait_until_subscribed("warehouse");
    mesh.wait_until_subscribed("courier");
    subscriptions::announce_refusals(&mesh.envoy, workers);
    mesh
});

fn simple_subscriptions() -> Value {
    let topics = || TOPICS.iter().copied().flatten();
    let all = BROKERS.iter().flat_map(|bus| topics().map(move |topic| (bus, topic)));
    let list = all.map(|(bus, topic)| json!({"pubsubname": bus, "topic": topic, "route": format!("/{bus}/{topic}")}));
    let spellings = BROKERS.iter().flat_map(|bus| vectors::spellings(bus));
    let graves = BROKERS
        .iter()
        .map(|bus| json!({"pubsubname": bus, "topic": "bulk-graves", "route": format!("/{bus}/bulk-graves")}));
    Value::Array(list.chain(spellings).chain(graves).chain(bulk_subscribe::named()).collect())
}

/// Runs a test on each broker, with one worker and with four.
fn on_each_broker(test: impl Fn(&Bus<'_>)) {
    MESHES.each(|mesh| {
        for name in BROKERS {
            test(&Bus { mesh, name });
        }
    });
}

/// Runs a test on Redis Streams, with one worker and with four.
fn on_redis(test: impl Fn(&Bus<'_>)) {
    MESHES.each(|mesh| test(&Bus { mesh, name: "pubsub" }));
}

/// One broker of a mesh, with `orders` that publishes and `warehouse` that subscribes.
struct Bus<'a> {
    mesh: &'a Mesh,
    name: &'static str,
}

impl Bus<'_> {
    /// A request that publishes to a topic.
    fn publish(&self, topic: &str) -> Call {
        self.mesh.app("orders").post(&format!("/v1.0/publish/{}/{topic}", self.name))
    }

    /// A request that publishes to a topic, with a query.
    fn publish_with(&self, topic: &str, query: &str) -> Call {
        self.publish(&format!("{topic}?{query}"))
    }

    fn subscriber(&self) -> &TestApp {
        &self.mesh.app("warehouse").server
    }

    /// Where the subscriber gets a topic's events.
    fn path(&self, topic: &str) -> String {
        format!("/{}/{topic}", self.name)
    }

    /// Makes the subscriber take every event of a topic.
    fn takes(&self, topic: &str) {
        self.subscriber().on(&self.path(topic), Reply::status(200));
    }

    /// Waits for so many deliveries of a topic.
    fn events(&self, topic: &str, count: usize) -> Vec<Seen> {
        self.subscriber().wait_for(&self.path(topic), count)
    }

    /// Whether Redis was told that every event of a topic is done with.
    fn is_acknowledged(&self, topic: &str) -> bool {
        let mut client = self.mesh.redis().client();
        let last = client.stream(topic).pop().map(|entry| entry.id);
        let groups = client.groups(topic);
        let warehouse = groups.iter().find(|group| group.name == "warehouse");
        warehouse.is_some_and(|group| group.pending == 0 && Some(&group.last_delivered) == last.as_ref())
    }

    /// The entries of a topic's stream.
    fn stored(&self, topic: &str) -> Vec<StreamEntry> {
        self.mesh.redis().client().stream(topic)
    }
}

/// A flood of events in the background, and which of them the broker took.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Flood {
    /// Begins to publish events `<bus>-<number>`, one after the other, to the topic `flood` of a broker.
    fn start(app: &MeshApp, bus: &'static str) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), app.http());
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            for number in 0.. {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                let data = format!("{bus}-{number}");
                let call = Call::new(Method::POST, &address, &format!("/v1.0/publish/{bus}/flood"));
                match call.body(data.clone()).try_send() {
                    Ok(answer) if answer.status == 204 => taken.push(data),
                    _ => std::thread::yield_now(),
                }
            }
            taken
        });
        Self { stop, thread }
    }

    /// Ends it; gives the events that the broker said it had taken.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the flood ends")
    }
}

/// What an application saw at a path: the data of every delivery.
fn data_at(app: &TestApp, path: &str) -> Vec<String> {
    app.seen(path).iter().map(|seen| seen.json()["data"].as_str().expect("data is a text").to_owned()).collect()
}

/// Waits until an application has seen all of these events at a path.
fn wait_for_all(app: &TestApp, path: &str, events: &[String]) {
    let missing = || {
        let seen: BTreeSet<String> = data_at(app, path).into_iter().collect();
        events.iter().filter(|event| !seen.contains(*event)).cloned().collect::<Vec<_>>()
    };
    let start = Instant::now();
    while !missing().is_empty() {
        let left = missing();
        let sample = &left[..left.len().min(5)];
        assert!(start.elapsed() < wait::SOON * 2, "{} of {} events did not come: {sample:?}", left.len(), events.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}
