//! What the pump does in Redis: groups, consumers, pending entries.

use super::{Bus, MESHES, on_redis};
use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::{Client, Redis};
use weft_tests::{dapr, wait};

pub const TOPICS: &[&str] = &["grouped", "open", "foreign", "odd", "removed", "ungrouped"];

/// Waits until the group `warehouse` of a stream exists.
fn wait_for_group(client: &mut Client, stream: &str) {
    wait::until_true("the group is there", || {
        client.run::<u64>(&["EXISTS", stream]) == 1 && client.groups(stream).iter().any(|it| it.name == "warehouse")
    });
}

#[test]
fn the_group_is_named_after_the_application_and_each_worker_is_a_consumer_of_it() {
    MESHES.each(|mesh| {
        let bus = Bus { mesh, name: "pubsub" };
        bus.takes("grouped");
        for number in 1..=20 {
            dapr::no_content(&bus.publish("grouped").body(number.to_string()).send());
        }
        let _ = bus.events("grouped", 20);
        wait::until_true("Redis is told", || bus.is_acknowledged("grouped"));
        let mut client = mesh.redis().client();
        let groups = client.groups("grouped");
        assert_eq!(groups.len(), 1, "{groups:?}");
        assert_eq!(groups[0].name, "warehouse");
        let consumers: Vec<std::collections::HashMap<String, weft_tests::redis::Value>> =
            client.run(&["XINFO", "CONSUMERS", "grouped", "warehouse"]);
        let names: std::collections::BTreeSet<String> =
            consumers.iter().map(|it| weft_tests::redis::text(&it["name"])).collect();
        assert_eq!(names.len(), consumers.len());
        assert!(names.iter().all(|name| name.starts_with("warehouse-")), "{names:?}");
    });
}

#[test]
fn an_event_is_acknowledged_only_after_the_application_took_it() {
    on_redis(|bus| {
        let streams = bus.subscriber().on_stream(&bus.path("open"));
        dapr::no_content(&bus.publish("open").body("x").send());
        let mut open = streams.next();
        while open.receive().is_some() {}
        let mut client = bus.mesh.redis().client();
        assert_eq!(client.pending("open", "warehouse"), 1, "it is with the application");
        open.send(b"{\"status\":");
        assert_eq!(client.pending("open", "warehouse"), 1, "the answer has begun");
        open.send(b"\"SUCCESS\"}");
        open.end();
        wait::until_true("it is acknowledged", || client.pending("open", "warehouse") == 0);
        assert_eq!(client.stream("open").len(), 1, "entries stay, as with daprd");
        drop(streams);
    });
}

#[test]
fn entries_of_daprd_are_delivered_whatever_the_order_of_their_fields() {
    on_redis(|bus| {
        bus.takes("foreign");
        let mut client = bus.mesh.redis().client();
        let event = |id: &str| json!({"id": id, "specversion": "1.0", "data": id}).to_string();
        let (a, b, c) = (event("a"), event("b"), event("c"));
        client.run::<String>(&["XADD", "foreign", "*", "data", &a, "metadata", "{\"ttlInSeconds\":\"9\",\"k\":\"v\"}"]);
        client.run::<String>(&["XADD", "foreign", "*", "metadata", "{}", "data", &b]);
        client.run::<String>(&["XADD", "foreign", "*", "data", &c]);
        let mut seen = bus.events("foreign", 3);
        seen.sort_by_key(|it| it.json()["id"].to_string());
        let bodies: Vec<&[u8]> = seen.iter().map(|it| &it.body[..]).collect();
        assert_eq!(bodies, [a.as_bytes(), b.as_bytes(), c.as_bytes()]);
        assert_eq!(seen[0].value("k").as_deref(), Some("v"));
        assert_eq!(seen[0].value("ttlinseconds").as_deref(), Some("9"));
        wait::until_true("Redis is told", || bus.is_acknowledged("foreign"));
    });
}

#[test]
fn entries_that_are_no_events_are_set_aside_and_block_nothing() {
    on_redis(|bus| {
        // An entry whose bytes are no CloudEvent can never be delivered: somebody has to look at its publisher.
        bus.mesh.envoy.expect_log("topic=\"odd\" path=\"/pubsub/odd\" what=\"an event was not taken\"", 1..=1);
        bus.takes("odd");
        let mut client = bus.mesh.redis().client();
        client.run::<String>(&["XADD", "odd", "*", "something", "else"]);
        client.run::<String>(&["XADD", "odd", "*", "data", "no JSON object", "metadata", "{}"]);
        client.run::<String>(&["XADD", "odd", "*", "data", "{\"id\":\"good\"}", "metadata", "[broken"]);
        assert_eq!(bus.events("odd", 1)[0].json()["id"], "good");
        wait::until_true("all three are acknowledged", || bus.is_acknowledged("odd"));
        assert_eq!(bus.events("odd", 1).len(), 1);
    });
}

#[test]
fn a_removed_stream_or_group_is_made_again_and_events_flow_on() {
    on_redis(|bus| {
        let mut client = bus.mesh.redis().client();
        bus.takes("removed");
        bus.takes("ungrouped");
        wait_for_group(&mut client, "removed");
        wait_for_group(&mut client, "ungrouped");
        client.run::<u64>(&["DEL", "removed"]);
        client.run::<u64>(&["XGROUP", "DESTROY", "ungrouped", "warehouse"]);
        for topic in ["removed", "ungrouped"] {
            dapr::no_content(&bus.publish(topic).body("after").send());
            assert_eq!(bus.events(topic, 1)[0].json()["data"], "after");
            wait::until_true("Redis is told", || bus.is_acknowledged(topic));
        }
    });
}

#[test]
fn events_flow_on_after_everything_in_redis_was_removed() {
    for workers in [1, 4] {
        let topics = ["one", "two", "three"];
        let list = topics.map(|topic| json!({"pubsubname": "pubsub", "topic": topic, "route": format!("/{topic}")}));
        let mesh = Mesh::builder()
            .workers(workers)
            .redis(Redis::start())
            .app("orders")
            .subscribes(list.to_vec().into())
            .start();
        let orders = mesh.app("orders");
        let mut client = mesh.redis().client();
        for (round, topic) in (1..=3).flat_map(|round| topics.map(|topic| (round, topic))) {
            orders.server.on(&format!("/{topic}"), Reply::status(200));
            client.run::<()>(&["FLUSHALL"]);
            dapr::no_content(&orders.post(&format!("/v1.0/publish/pubsub/{topic}")).body(round.to_string()).send());
            let seen = orders.server.wait_for(&format!("/{topic}"), round);
            assert_eq!(seen[round - 1].json()["data"], round.to_string());
        }
    }
}

#[test]
fn what_was_published_before_the_first_subscription_is_delivered() {
    let redis = Redis::start();
    let mut client = redis.client();
    for number in 1..=3 {
        let event = json!({"id": number.to_string()}).to_string();
        client.run::<String>(&["XADD", "early", "*", "data", &event, "metadata", "{}"]);
    }
    // It listens after it knows its route: the events are there from the first moment on.
    let mesh = Mesh::builder().redis(redis).dead_app("orders").start();
    let server = &mesh.app("orders").server;
    server.on("/early", Reply::status(200));
    server.subscribes(&json!([{"pubsubname": "pubsub", "topic": "early", "route": "/early"}]));
    server.resume();
    let mut seen: Vec<String> =
        mesh.app("orders").server.wait_for("/early", 3).iter().map(|it| it.json()["id"].to_string()).collect();
    seen.sort();
    assert_eq!(seen, ["\"1\"", "\"2\"", "\"3\""]);
}

#[test]
fn another_consumer_id_and_a_password_are_used() {
    let options = weft_tests::redis::RedisOptions { password: Some("s3cret".to_owned()), ..Default::default() };
    let mesh = Mesh::builder()
        .redis(Redis::with(options))
        .redis_component("shared", "pubsub.redis", json!({"consumerID": "team"}))
        .app("orders")
        .subscribes(json!([{"pubsubname": "shared", "topic": "t", "route": "/t"}]))
        .start();
    let orders = mesh.app("orders");
    orders.server.on("/t", Reply::status(200));
    dapr::no_content(&orders.post("/v1.0/publish/shared/t").body("x").send());
    let _ = orders.server.wait_for("/t", 1);
    let groups = mesh.redis().client().groups("t");
    assert_eq!(groups.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["team"]);
    assert!(!mesh.envoy.log().contains("s3cret"), "a secret is never logged");
}
