//! Subscribers that get many events in one call.

use super::{BROKERS, Bus, on_each_broker};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_tests::app::{Reply, Seen};
use weft_tests::{dapr, wait};

/// Topics with such subscriptions of `warehouse`; each lets ten events wait for a fifth of a second.
const TOPICS: [&str; 3] = ["gathered", "judged", "raw-gathered"];

/// What `warehouse` says of them.
pub fn named() -> Vec<Value> {
    let of = |bus: &str, topic: &str| {
        json!({"pubsubname": bus, "topic": topic, "route": format!("/{bus}/{topic}"), "deadLetterTopic": "bulk-graves",
            "metadata": {"rawPayload": (topic == "raw-gathered").to_string()},
            "bulkSubscribe": {"enabled": true, "maxMessagesCount": 10, "maxAwaitDurationMs": 200}})
    };
    let all = |bus: &&'static str| TOPICS.iter().map(|topic| of(bus, topic)).collect::<Vec<_>>();
    BROKERS.iter().flat_map(all).collect()
}

/// A resource of `courier`.
pub fn declared(bus: &str) -> Value {
    json!({"pubsubname": bus, "topic": "declared-bulk", "routes": {"default": "/declared-bulk"},
        "bulkSubscribe": {"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 10_000}})
}

fn entries(seen: &Seen) -> Vec<Value> {
    seen.json()["entries"].as_array().expect("entries").clone()
}

/// Answers each entry with what `judge` says of its event's data.
fn judged(seen: &Seen, judge: impl Fn(&Value) -> &'static str) -> Reply {
    let status = |entry: &Value| json!({"entryId": entry["entryId"], "status": judge(&entry["event"]["data"])});
    Reply::json(200, &json!({"statuses": entries(seen).iter().map(status).collect::<Vec<_>>()}))
}

/// How often the data of each event came.
fn counts(bus: &Bus<'_>, topic: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for entry in bus.subscriber().seen(&bus.path(topic)).iter().flat_map(entries) {
        *counts.entry(entry["event"]["data"].as_u64().expect("a number")).or_default() += 1;
    }
    counts
}

fn publish(bus: &Bus<'_>, topic: &str, numbers: std::ops::Range<u64>) {
    let entry = |number: u64| json!({"entryId": number.to_string(), "event": number, "contentType": "application/json", "metadata": {"k": "v"}});
    let list: Vec<_> = numbers.map(entry).collect();
    let path = format!("/v1.0/publish/bulk/{}/{topic}", bus.name);
    dapr::no_content(&bus.mesh.app("orders").post(&path).body(json!(list).to_string()).send());
}

#[test]
fn many_events_come_in_one_call_each_once() {
    on_each_broker(|bus| {
        bus.subscriber().on_call(&bus.path("gathered"), |seen| judged(seen, |_| "SUCCESS"));
        publish(bus, "gathered", 0..100);
        wait::until_true("all events came", || counts(bus, "gathered").len() == 100);
        assert!(counts(bus, "gathered").values().all(|count| *count == 1));
        let calls = bus.subscriber().seen(&bus.path("gathered"));
        assert!(calls.len() <= 60, "{} calls", calls.len());
        let first = &calls[0];
        assert_eq!(first.value("content-type").as_deref(), Some("application/json"));
        let body = first.json();
        assert_eq!(
            (&body["type"], &body["topic"], &body["pubsubname"]),
            (&json!("com.dapr.event.sent.bulk"), &json!("gathered"), &json!(bus.name))
        );
        assert!(calls.iter().all(|call| entries(call).len() <= 10), "maxMessagesCount");
        let entry = &entries(first)[0];
        assert_eq!(
            (&entry["contentType"], &entry["metadata"]),
            (&json!("application/cloudevents+json"), &json!({"k": "v"}))
        );
        assert_eq!(entry["event"]["type"], "com.dapr.event.sent");
        let is_redis = bus.name == "pubsub";
        wait::until_true("Redis is told", || !is_redis || bus.is_acknowledged("gathered"));
    });
}

#[test]
fn each_event_has_a_status_of_its_own() {
    on_each_broker(|bus| {
        bus.subscriber().on_call(&bus.path("judged"), |seen| {
            judged(seen, |data| match data.as_u64() {
                Some(3) => "DROP",
                Some(5) => "RETRY",
                _ => "SUCCESS",
            })
        });
        let graves = format!("/{}/bulk-graves", bus.name);
        bus.subscriber().on(&graves, Reply::status(200));
        publish(bus, "judged", 0..10);
        let dead = bus.subscriber().wait_for(&graves, 2);
        let mut dead: Vec<_> = dead.iter().map(|seen| seen.json()["data"].as_u64().unwrap()).collect();
        dead.sort_unstable();
        assert_eq!(dead, [3, 5]);
        wait::until_true("all events came", || counts(bus, "judged").len() == 10);
        assert!(counts(bus, "judged").values().all(|count| *count == 1));
    });
}

#[test]
fn raw_events_come_as_base64() {
    on_each_broker(|bus| {
        bus.subscriber().on_call(&bus.path("raw-gathered"), |seen| judged(seen, |_| "SUCCESS"));
        let call = bus.publish_with("raw-gathered", "metadata.rawPayload=true").body(&b"\x00\xffraw"[..]);
        dapr::no_content(&call.send());
        let entry = entries(&bus.events("raw-gathered", 1)[0]).remove(0);
        assert_eq!((&entry["event"], &entry["contentType"]), (&json!("AP9yYXc="), &json!("application/octet-stream")));
    });
}

#[test]
fn a_resource_asks_for_many_events_too() {
    on_each_broker(|bus| {
        let courier = &bus.mesh.app("courier").server;
        courier.on_call("/declared-bulk", |seen| judged(seen, |_| "SUCCESS"));
        let before = courier.seen("/declared-bulk").len();
        publish(bus, "declared-bulk", 0..20);
        let all = || courier.seen("/declared-bulk").iter().skip(before).map(|seen| entries(seen).len()).sum::<usize>();
        wait::until_true("all events came", || all() == 20);
        assert!(courier.seen("/declared-bulk").iter().all(|seen| entries(seen).len() <= 2));
    });
}
