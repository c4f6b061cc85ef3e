//! Dapr's `Resiliency` for components: deliveries, publishing and state.

use serde_json::json;
use std::time::{Duration, Instant};
use weft_tests::app::Reply;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::Redis;
use weft_tests::{dapr, env, wait};

/// `orders` with the broker `pubsub` and the store `statestore` on Redis, and these policies.
fn mesh(resiliency: &str) -> Builder {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\nspec:\n";
    let bulk = json!({"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 300});
    let component = |name: &str, kind: &str| {
        format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, version: v1}}\n"
        )
    };
    let in_memory = component("membus", "pubsub.in-memory");
    Mesh::builder().module(env::full_module()).redis(Redis::start()).app("orders").subscribes(json!([
        {"pubsubname": "membus", "topic": "mortal", "route": "/mortal", "deadLetterTopic": "graves"},
        {"pubsubname": "membus", "topic": "graves", "route": "/graves"},
        {"pubsubname": "membus", "topic": "many", "route": "/many", "bulkSubscribe": bulk, "deadLetterTopic": "graves"},
    ])).resources(&format!("{head}{resiliency}{in_memory}"))
}

fn publish(mesh: &Mesh, topic: &str) {
    dapr::no_content(&mesh.app("orders").post(&format!("/v1.0/publish/membus/{topic}")).body("x").send());
}

const THREE: &str = "  policies: {retries: {three: {duration: 50ms, maxRetries: 3}}}
  targets: {components: {membus: {inbound: {retry: three}}}}
";

#[test]
fn an_event_goes_to_the_dead_letter_topic_after_the_tries_of_the_inbound_policy() {
    let mesh = mesh(THREE).start();
    mesh.wait_until_subscribed("orders");
    let app = &mesh.app("orders").server;
    app.on("/graves", Reply::status(200));
    app.on("/mortal", Reply::status(500));
    publish(&mesh, "mortal");
    let dead = app.wait_for("/graves", 1).remove(0);
    let tried = app.seen("/mortal");
    assert_eq!(tried.len(), 4, "one try and three more");
    assert_eq!(dead.body, tried[0].body);
    // One that is taken in time does not die.
    app.on_each("/mortal", vec![Reply::event("RETRY"), Reply::status(503), Reply::status(200)]);
    publish(&mesh, "mortal");
    let _ = app.wait_for("/mortal", 7);
    // What the application drops is not tried again.
    app.on("/mortal", Reply::event("DROP"));
    publish(&mesh, "mortal");
    let _ = app.wait_for("/graves", 2);
    assert_eq!(app.seen("/mortal").len(), 8);
}

#[test]
fn events_in_bulk_are_tried_again_without_those_that_were_taken() {
    let mesh = mesh(THREE).start();
    mesh.wait_until_subscribed("orders");
    let app = &mesh.app("orders").server;
    app.on("/graves", Reply::status(200));
    let status = |id: &str, status: &str| json!({"entryId": id, "status": status});
    let first = json!({"statuses": [status("0", "SUCCESS"), status("1", "RETRY")]});
    let second = json!({"statuses": [status("0", "SUCCESS")]});
    app.on_each("/many", vec![Reply::json(200, &first), Reply::json(200, &second)]);
    let entry = |text: &str| json!({"entryId": text, "event": text, "contentType": "text/plain"});
    let call = mesh.app("orders").post("/v1.0/publish/bulk/membus/many");
    dapr::no_content(&call.json(&json!([entry("a"), entry("b")])).send());
    let calls = app.wait_for("/many", 2);
    let data = |at: usize| {
        let entries = calls[at].json()["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["event"]["data"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((data(0), data(1)), (vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]));
    assert_eq!(app.seen("/graves").len(), 0);
}

#[test]
fn while_the_inbound_breaker_is_open_events_wait_and_do_not_die() {
    let mesh = mesh(
        "  policies: {circuitBreakers: {c: {trip: consecutiveFailures >= 1, timeout: 1s}}}
  targets: {components: {membus: {inbound: {circuitBreaker: c}}}}
",
    )
    .start();
    mesh.wait_until_subscribed("orders");
    let app = &mesh.app("orders").server;
    app.on("/graves", Reply::status(200));
    app.on_each("/mortal", vec![Reply::status(500), Reply::status(200)]);
    publish(&mesh, "mortal");
    wait::until_true("the breaker has opened", || !app.seen("/mortal").is_empty());
    let start = Instant::now();
    publish(&mesh, "mortal");
    let _ = app.wait_for("/mortal", 2);
    assert!(start.elapsed() > Duration::from_millis(500), "it was let through an open breaker");
    // The first one was refused before the breaker opened, and died; the second one did not.
    let _ = app.wait_for("/graves", 1);
    assert_eq!(app.seen("/graves").len(), 1);
}

#[test]
fn state_and_publishing_are_tried_again_until_redis_is_back() {
    let mesh = mesh(
        "  policies: {retries: {long: {duration: 200ms, maxRetries: 40}}}
  targets: {components: {statestore: {outbound: {retry: long}}, pubsub: {outbound: {retry: long}}}}
",
    )
    .start();
    mesh.redis().kill();
    let save = mesh.app("orders").post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": 7}]));
    let publish = mesh.app("orders").post("/v1.0/publish/pubsub/t").body("x");
    let calls = [save, publish].map(|call| std::thread::spawn(move || call.send()));
    // Longer than a link waits by itself.
    std::thread::sleep(Duration::from_secs(4));
    mesh.redis().restart();
    calls.into_iter().for_each(|call| dapr::no_content(&call.join().unwrap()));
    assert_eq!(mesh.app("orders").get("/v1.0/state/statestore/k").send().expect(200).json(), json!(7));
    assert_eq!(mesh.redis().client().stream("t").len(), 1);
}

#[test]
fn an_open_outbound_breaker_answers_at_once() {
    let mesh = mesh(
        "  policies: {circuitBreakers: {c: {trip: consecutiveFailures >= 1, timeout: 1h}}, timeouts: {short: 300ms}}
  targets: {components: {statestore: {outbound: {circuitBreaker: c, timeout: short}}}}
",
    )
    .start();
    mesh.redis().freeze();
    let get = || mesh.app("orders").get("/v1.0/state/statestore/k").send();
    let first = dapr::error(&get(), 500, "ERR_STATE_GET");
    assert!(first["message"].as_str().unwrap().contains("300 ms"), "{first}");
    mesh.redis().thaw();
    let second = dapr::error(&get(), 500, "ERR_STATE_GET");
    assert!(second["message"].as_str().unwrap().contains("circuit breaker is open"), "{second}");
}
