//! How much the broker in memory holds, and in which order events come.

use super::{data_at, wait_for_all};
use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

#[test]
fn the_broker_in_memory_holds_a_thousand_events_and_refuses_the_next_aloud() {
    for workers in [1, 4] {
        let subscription = json!([{"pubsubname": "membus", "topic": "held", "route": "/held"}]);
        let mesh =
            Mesh::builder().workers(workers).in_memory().app("orders").app("slow").subscribes(subscription).start();
        mesh.wait_until_subscribed("slow");
        let slow = &mesh.app("slow").server;
        slow.on("/held", Reply::status(200));
        slow.crash();
        let publish = |topic: &str, data: &str| {
            mesh.app("orders").post(&format!("/v1.0/publish/membus/{topic}")).body(data.to_owned()).send()
        };
        let events: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        events.iter().for_each(|event| dapr::no_content(&publish("held", event)));
        let body = dapr::error(&publish("held", "one too many"), 500, "ERR_PUBSUB_PUBLISH_MESSAGE");
        let message = body["message"].as_str().unwrap();
        for part in ["error when publishing to topic held in pubsub membus: ", "1000 events", "\"slow\""] {
            assert!(message.contains(part), "{message}");
        }
        dapr::no_content(&publish("nobody-listens", "x"));
        slow.resume();
        wait_for_all(slow, "/held", &events);
        wait::until_true("there is room again", || publish("held", "late").status == 204);
        wait_for_all(slow, "/held", &["late".to_owned()]);
        assert!(!data_at(slow, "/held").contains(&"one too many".to_owned()), "what was refused is not delivered");
    }
}

#[test]
fn with_one_event_in_flight_order_is_kept_also_by_an_event_that_comes_again() {
    let mesh = Mesh::builder()
        .redis(Redis::start())
        .redis_component("queue", "pubsub.redis", json!({"concurrency": "1"}))
        .app("orders")
        .subscribes(json!([{"pubsubname": "queue", "topic": "line", "route": "/line"}]))
        .start();
    let orders = mesh.app("orders");
    let replies = [Reply::event("RETRY"), Reply::status(500), Reply::status(200)];
    orders.server.on_each("/line", replies.to_vec());
    for number in 1..=5 {
        dapr::no_content(&orders.post("/v1.0/publish/queue/line").body(number.to_string()).send());
    }
    let seen = orders.server.wait_for("/line", 7);
    let data: Vec<_> = seen.iter().map(|it| it.json()["data"].as_str().unwrap().to_owned()).collect();
    assert_eq!(data, ["1", "1", "1", "2", "3", "4", "5"]);
}
