//! What the settings of `pubsub.redis` do to a real Redis.

use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

/// The application `orders` with the broker `set` of these settings, subscribed to the topic `topic`.
fn mesh(redis: Redis, settings: Value) -> Mesh {
    Mesh::builder()
        .redis(redis)
        .redis_component("set", "pubsub.redis", settings)
        .app("orders")
        .subscribes(json!([{"pubsubname": "set", "topic": "topic", "route": "/topic"}]))
        .start()
}

fn publish(mesh: &Mesh, topic: &str, count: usize) {
    let entry = |number: usize| json!({"entryId": number.to_string(), "event": "x", "contentType": "text/plain"});
    let list: Vec<_> = (0..count).map(entry).collect();
    let call = mesh.app("orders").post(&format!("/v1.0/publish/bulk/set/{topic}"));
    dapr::no_content(&call.body(json!(list).to_string()).send());
}

#[test]
fn no_more_events_are_taken_than_concurrency_and_queue_depth_allow() {
    for (settings, most) in [
        (json!({"concurrency": "3"}), 3),
        (json!({"queueDepth": "2"}), 2),
        (json!({"concurrency": "5", "queueDepth": "2"}), 2),
        (json!({"concurrency": "2", "queueDepth": "5"}), 2),
    ] {
        let mesh = mesh(Redis::start(), settings.clone());
        let streams = mesh.app("orders").server.on_stream("/topic");
        publish(&mesh, "topic", 10);
        let held: Vec<_> = (0..most).map(|_| streams.next()).collect();
        let mut client = mesh.redis().client();
        assert_eq!(client.pending("topic", "orders"), most, "{settings}");
        mesh.app("orders").server.on("/topic", Reply::status(200));
        drop((held, streams));
        wait::until_true("the others come too", || {
            let group = client.groups("topic").into_iter().find(|group| group.name == "orders");
            let last = client.stream("topic").pop().map(|entry| entry.id);
            group.is_some_and(|group| group.pending == 0 && Some(group.last_delivered) == last)
        });
    }
}

#[test]
fn a_stream_is_kept_short_by_length_or_by_age() {
    for settings in [json!({"maxLenApprox": "100"}), json!({"streamTTL": "1ms"})] {
        let mesh = mesh(Redis::start(), settings.clone());
        for _ in 0..10 {
            publish(&mesh, "short", 100);
        }
        let length: u64 = mesh.redis().client().run(&["XLEN", "short"]);
        // Redis trims a node of a hundred entries at a time.
        assert!((1..=300).contains(&length), "{settings}: {length} entries");
    }
    let mesh = mesh(Redis::start(), json!({}));
    for _ in 0..10 {
        publish(&mesh, "short", 100);
    }
    assert_eq!(mesh.redis().client().run::<u64>(&["XLEN", "short"]), 1000);
}

/// A Redis in which a consumer of `orders` has taken an entry and gone.
fn abandoned() -> Redis {
    let redis = Redis::start();
    let mut client = redis.client();
    client.run::<String>(&["XADD", "topic", "*", "data", "{\"id\":\"left\"}", "metadata", "{}"]);
    client.run::<String>(&["XGROUP", "CREATE", "topic", "orders", "0"]);
    client.run::<weft_tests::redis::Value>(&["XREADGROUP", "GROUP", "orders", "gone", "STREAMS", "topic", ">"]);
    redis
}

#[test]
fn what_a_consumer_left_is_taken_over_after_the_processing_timeout() {
    let mesh = mesh(abandoned(), json!({"processingTimeout": "300ms", "redeliverInterval": "100ms"}));
    let server = &mesh.app("orders").server;
    server.on("/topic", Reply::status(200));
    assert_eq!(server.wait_for("/topic", 1)[0].json()["id"], "left");
    wait::until_true("it is acknowledged", || mesh.redis().client().pending("topic", "orders") == 0);
}

#[test]
fn zero_turns_the_taking_over_off() {
    for settings in [
        json!({"processingTimeout": "0", "redeliverInterval": "100ms"}),
        json!({"processingTimeout": "1ms", "redeliverInterval": "0"}),
    ] {
        let mesh = mesh(abandoned(), settings);
        let server = &mesh.app("orders").server;
        server.on("/topic", Reply::status(200));
        publish(&mesh, "topic", 20);
        let seen = server.wait_for("/topic", 20);
        wait::until_true("they are acknowledged", || mesh.redis().client().pending("topic", "orders") == 1);
        assert!(seen.iter().all(|it| it.json()["id"] != "left"), "it waits for its consumer");
    }
}
