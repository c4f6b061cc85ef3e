//! Events in order: of a topic or of a key, whatever the application answers and whoever dies; and how long a delivery
//! may take.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use weft_tests::app::{Reply, Seen};
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::{dapr, wait};

/// Brokers in these modes, on Redis and in memory.
const SINGLE: [&str; 2] = ["redis-single", "memory-single"];
const BY_KEY: [&str; 2] = ["redis-by-key", "memory-by-key"];

fn builder(redis: Redis, workers: u32) -> Builder {
    let mut mesh = Mesh::builder().workers(workers).redis(redis);
    for (place, kind) in [("redis", "pubsub.redis"), ("memory", "pubsub.in-memory")] {
        for (name, mode) in [("single", "single"), ("by-key", "byKey")] {
            let (name, mut settings) = (format!("{place}-{name}"), json!({"concurrencyMode": mode}));
            if place == "redis" {
                settings["processingTimeout"] = json!("1s");
                settings["redeliverInterval"] = json!("200ms");
                mesh = mesh.redis_component(&name, kind, settings);
            } else {
                mesh = mesh.component(&name, kind, settings);
            }
        }
    }
    let all = SINGLE.iter().chain(&BY_KEY);
    let list: Value = all.map(|bus| json!({"pubsubname": bus, "topic": bus, "route": format!("/{bus}")})).collect();
    mesh.app("orders").app("sink").subscribes(list)
}

fn publish(mesh: &Mesh, bus: &str, key: &str, data: &str) {
    let path = format!("/v1.0/publish/{bus}/{bus}?metadata.partitionKey={key}");
    dapr::no_content(&mesh.app("orders").post(&path).body(data.to_owned()).send());
}

fn data(seen: &Seen) -> String {
    seen.json()["data"].as_str().unwrap().to_owned()
}

/// What an application was given, and what it took, as one list.
#[derive(Default)]
struct Record(Mutex<Vec<(String, bool)>>);

impl Record {
    fn add(&self, event: String, taken: bool) {
        self.0.lock().unwrap().push((event, taken));
    }

    fn taken(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|(_, taken)| *taken).map(|(event, _)| event.clone()).collect()
    }

    /// Asserts that of each key, the part of the event before `-`, no event was given before the one before it was
    /// taken, and that no other one than the last was given again.
    fn assert_in_order(&self) {
        let mut last: BTreeMap<String, (usize, bool)> = BTreeMap::new();
        for (event, taken) in self.0.lock().unwrap().iter() {
            let (key, number) = event.split_once('-').unwrap();
            let number: usize = number.parse().unwrap();
            let before = last.get(key).copied();
            let fits = match before {
                None => number == 0,
                Some((known, was_taken)) => number == known || (number == known + 1 && was_taken),
            };
            assert!(fits, "{event} after {before:?} of its key");
            last.insert(key.to_owned(), (number, *taken || before == Some((number, true))));
        }
    }
}

/// Lets the sink refuse every third call, after a moment in which others could overtake it.
fn refuse_some(mesh: &Mesh, bus: &str) -> Arc<Record> {
    let (record, calls) = (Arc::new(Record::default()), AtomicUsize::new(0));
    let kept = Arc::clone(&record);
    mesh.app("sink").server.on_call(&format!("/{bus}"), move |seen| {
        let taken = !calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        kept.add(data(seen), taken);
        if taken { Reply::status(200) } else { Reply::event("RETRY").after(Duration::from_millis(5)) }
    });
    record
}

#[test]
fn the_events_of_a_topic_come_one_after_the_other_on_any_number_of_workers() {
    for workers in [1, 4] {
        let mesh = builder(Redis::start(), workers).start();
        mesh.wait_until_subscribed("sink");
        for bus in SINGLE {
            let record = refuse_some(&mesh, bus);
            (0..20).for_each(|number| publish(&mesh, bus, "any", &format!("a-{number}")));
            wait::until_true(&format!("all of {bus} are taken"), || record.taken().contains(&"a-19".to_owned()));
            record.assert_in_order();
        }
    }
}

#[test]
fn a_key_waits_for_its_own_events_and_lets_others_pass() {
    for workers in [1, 4] {
        let mesh = builder(Redis::start(), workers).start();
        mesh.wait_until_subscribed("sink");
        for bus in BY_KEY {
            let record = Arc::new(Record::default());
            let kept = Arc::clone(&record);
            // The key "a" is refused until the others are through.
            mesh.app("sink").server.on_call(&format!("/{bus}"), move |seen| {
                let (event, others) = (data(seen), kept.taken().iter().filter(|it| !it.starts_with('a')).count());
                let taken = !event.starts_with('a') || others == 6;
                kept.add(event, taken);
                if taken { Reply::status(200) } else { Reply::event("RETRY") }
            });
            for number in 0..3 {
                ["a", "b", "c"].iter().for_each(|key| publish(&mesh, bus, key, &format!("{key}-{number}")));
            }
            wait::until_true(&format!("all of {bus} are taken"), || record.taken().len() == 9);
            record.assert_in_order();
        }
    }
}

#[test]
fn the_order_of_a_key_holds_when_proxy_and_broker_are_killed_and_deliveries_are_refused() {
    let redis = Redis::with(RedisOptions { durable: true, ..RedisOptions::default() });
    let mesh = builder(redis, 4).start();
    mesh.wait_until_subscribed("sink");
    let record = refuse_some(&mesh, "redis-by-key");
    let keys = ["a", "b", "c", "d"];
    let round = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            keys.iter().for_each(|key| publish(&mesh, "redis-by-key", key, &format!("{key}-{number}")));
        }
    };
    round(0..8);
    wait::until_true("some are taken", || record.taken().len() >= 6);
    mesh.envoy.kill();
    mesh.envoy.restart();
    mesh.wait_until_usable();
    round(8..12);
    wait::until_true("some more are taken", || record.taken().len() >= 20);
    mesh.redis().restart();
    wait::until_true("publishing works again", || {
        let path = "/v1.0/publish/redis-single/other";
        mesh.app("orders").post(path).body("x").try_send().is_ok_and(|answer| answer.status == 204)
    });
    round(12..15);
    let all = || keys.iter().all(|key| record.taken().contains(&format!("{key}-14")));
    wait::until("all are taken", wait::SOON * 3, || all().then_some(()));
    record.assert_in_order();
}

#[test]
fn a_delivery_that_takes_too_long_is_tried_again() {
    let settings = json!({"deliveryTimeout": "300ms"});
    let mesh = Mesh::builder()
        .redis(Redis::start())
        .redis_component("hasty", "pubsub.redis", settings.clone())
        .component("hasty-memory", "pubsub.in-memory", settings)
        .app("orders")
        .subscribes(json!([
            {"pubsubname": "hasty", "topic": "slow", "route": "/hasty"},
            {"pubsubname": "hasty-memory", "topic": "slow", "route": "/hasty-memory"},
        ]))
        .start();
    mesh.wait_until_subscribed("orders");
    let app = mesh.app("orders");
    for bus in ["hasty", "hasty-memory"] {
        let path = format!("/{bus}");
        app.server.on_each(&path, vec![Reply::status(200).after(Duration::from_secs(3)), Reply::status(200)]);
        let start = Instant::now();
        dapr::no_content(&app.post(&format!("/v1.0/publish/{bus}/slow")).body("x").send());
        let seen = app.server.wait_for(&path, 2);
        assert!(start.elapsed() < Duration::from_secs(2), "the second try waited for the first one's answer");
        assert_eq!(seen[0].body, seen[1].body);
    }
    assert!(mesh.envoy.log().contains("no answer from the application in 300 ms"));
}
