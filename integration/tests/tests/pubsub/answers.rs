//! What the application's answer to a delivery means.

use super::{Bus, on_each_broker};
use serde_json::json;
use std::time::Duration;
use weft_tests::app::{Reply, Seen};
use weft_tests::{dapr, wait};

pub const TOPICS: &[&str] = &["taken", "again", "hang-up", "dropped", "unrouted", "back-off"];

/// Publishes an event to a topic.
fn publish(bus: &Bus<'_>, topic: &str, data: &str) {
    dapr::no_content(&bus.publish(topic).body(data.to_owned()).send());
}

/// Answers each event with the replies that `of` gives for its data, in turn.
fn script(bus: &Bus<'_>, topic: &str, of: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) {
    let tries = std::sync::Mutex::new(std::collections::HashMap::<String, usize>::new());
    bus.subscriber().on_call(&bus.path(topic), move |seen| {
        let data = data(seen);
        let mut tries = tries.lock().unwrap();
        let count = tries.entry(data.clone()).or_default();
        *count += 1;
        of(&data, *count)
    });
}

fn data(seen: &Seen) -> String {
    seen.json()["data"].as_str().unwrap().to_owned()
}

/// How often each event was delivered, once the event `last` was delivered so often.
fn deliveries(bus: &Bus<'_>, topic: &str, last: &str, times: usize) -> Vec<(String, usize)> {
    wait::until_true(&format!("{times} deliveries of {last}"), || count(bus, topic, last) >= times);
    if bus.name == "pubsub" {
        wait::until_true("Redis is told", || bus.is_acknowledged(topic));
    }
    let mut all: Vec<String> = bus.subscriber().seen(&bus.path(topic)).iter().map(data).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(|name| (name.clone(), count(bus, topic, &name))).collect()
}

fn count(bus: &Bus<'_>, topic: &str, name: &str) -> usize {
    bus.subscriber().seen(&bus.path(topic)).iter().filter(|seen| data(seen) == name).count()
}

/// Publishes one event per reply, then one that has to come three times: any other that was to come again would have
/// come before its third time.
fn delivered_once(bus: &Bus<'_>, topic: &str, replies: &[Reply]) {
    let scripted = replies.to_vec();
    script(bus, topic, move |data, count| match data.parse::<usize>() {
        Ok(place) => scripted[place].clone(),
        Err(_) if count < 3 => Reply::event("RETRY"),
        Err(_) => Reply::event("SUCCESS"),
    });
    (0..replies.len()).for_each(|place| publish(bus, topic, &place.to_string()));
    publish(bus, topic, "last");
    let mut wanted: Vec<(String, usize)> = (0..replies.len()).map(|place| (place.to_string(), 1)).collect();
    wanted.push(("last".to_owned(), 3));
    wanted.sort();
    assert_eq!(deliveries(bus, topic, "last", 3), wanted);
}

#[test]
fn an_event_that_the_application_took_comes_once() {
    let taken = [
        Reply::status(200),
        Reply::status(201),
        Reply::status(204),
        Reply::bytes(200, "null"),
        Reply::bytes(200, "{}"),
        Reply::bytes(200, "all right"),
        Reply::bytes(200, "[1]"),
        Reply::event(""),
        Reply::event("SUCCESS"),
        Reply::json(202, &json!({"status": "SUCCESS"})),
        Reply::json(200, &json!({"status": 7})),
    ];
    on_each_broker(|bus| delivered_once(bus, "taken", &taken));
}

#[test]
fn an_event_that_the_application_drops_comes_once() {
    on_each_broker(|bus| delivered_once(bus, "dropped", &[Reply::event("DROP"), Reply::event("DROP")]));
}

#[test]
fn an_event_that_the_application_has_no_route_for_is_an_error_in_the_log_and_comes_once() {
    on_each_broker(|bus| {
        let place = format!(
            "path=\"{}\" what=\"an event was not taken\" why=\"the application has no such",
            bus.path("unrouted")
        );
        bus.mesh.envoy.expect_log(&place, 1..=1);
        delivered_once(bus, "unrouted", &[Reply::status(404), Reply::event("SUCCESS")]);
    });
}

#[test]
fn an_event_that_the_application_did_not_take_comes_again_until_it_does() {
    on_each_broker(|bus| {
        let refusals = [
            Reply::event("RETRY"),
            Reply::event("success"),
            Reply::event("LATER"),
            Reply::json(201, &json!({"status": "RETRY"})),
            Reply::status(300),
            Reply::status(307),
            Reply::status(400),
            Reply::status(401),
            Reply::status(403),
            Reply::status(408),
            Reply::status(409),
            Reply::status(429),
            Reply::status(500),
            Reply::json(500, &json!({"status": "SUCCESS"})),
            Reply::status(502),
            Reply::status(503),
            Reply::status(504),
        ];
        let scripted = refusals.to_vec();
        script(bus, "again", move |data, count| match count {
            1 => scripted[data.parse::<usize>().unwrap()].clone(),
            _ => Reply::event("SUCCESS"),
        });
        (0..refusals.len()).for_each(|place| publish(bus, "again", &place.to_string()));
        for place in 0..refusals.len() {
            let name = place.to_string();
            wait::until_true(&format!("{name} comes again"), || count(bus, "again", &name) == 2);
        }
        let seen = bus.subscriber().seen(&bus.path("again"));
        for place in 0..refusals.len() {
            let mut same = seen.iter().filter(|seen| data(seen) == place.to_string());
            let (first, second) = (same.next().unwrap(), same.next().unwrap());
            assert_eq!(first.body, second.body, "the same event");
        }
        deliveries(bus, "again", "0", 2);
    });
}

#[test]
fn an_event_that_was_not_answered_at_all_comes_again() {
    on_each_broker(|bus| {
        bus.subscriber().hangs_up_on(&bus.path("hang-up"));
        publish(bus, "hang-up", "x");
        bus.events("hang-up", 2);
        bus.takes("hang-up");
        let before = bus.subscriber().seen(&bus.path("hang-up")).len();
        bus.events("hang-up", before.max(3));
        if bus.name == "pubsub" {
            wait::until_true("Redis is told", || bus.is_acknowledged("hang-up"));
        }
    });
}

#[test]
fn an_event_comes_again_later_and_later() {
    on_each_broker(|bus| {
        script(bus, "back-off", |_, count| Reply::event(if count < 5 { "RETRY" } else { "SUCCESS" }));
        publish(bus, "back-off", "x");
        let seen = bus.events("back-off", 5);
        // 0.1 s, doubling, less a quarter of chance: a lower bound, which no slow machine can break.
        for (place, pair) in seen.windows(2).enumerate() {
            let gap = pair[1].at - pair[0].at;
            let least = Duration::from_millis(75) * 2_u32.pow(u32::try_from(place).unwrap());
            assert!(gap >= least, "delivery {} came after {gap:?}", place + 2);
        }
    });
}
