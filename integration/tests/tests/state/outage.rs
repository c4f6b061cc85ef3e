//! Redis is away, or does not answer.

use super::Store;
use serde_json::{Value, json};
use weft_tests::client::{Answer, Call};
use weft_tests::dapr;
use weft_tests::mesh::Mesh;
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::wait;

fn mesh(workers: u32) -> Mesh {
    let redis = Redis::with(RedisOptions { durable: true, ..RedisOptions::default() });
    Mesh::builder().workers(workers).redis(redis).app("orders").start()
}

fn statestore(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "statestore" }
}

fn message(body: &Value) -> &str {
    body["message"].as_str().unwrap()
}

/// Commands that left for a backend.
fn commands(mesh: &Mesh) -> u64 {
    mesh.envoy.admin().stat("wasmcustom.weft.link.commands")
}

/// Sends a request, does something when its command is on the way to Redis, and gives the answer.
fn while_under_way(mesh: &Mesh, call: Call, meanwhile: impl FnOnce()) -> Answer {
    let before = commands(mesh);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| call.send());
        wait::until_true("the command has left", || commands(mesh) > before);
        meanwhile();
        answer.join().expect("an answer")
    })
}

fn writes(store: &Store<'_>, key: &str) -> [(Call, &'static str); 3] {
    let operations = json!({"operations": [{"operation": "upsert", "request": {"key": key, "value": 2}}]});
    [
        (store.saving(&json!([{"key": key, "value": 1}])), "ERR_STATE_SAVE"),
        (store.app().post(&store.path("transaction")).json(&operations), "ERR_STATE_TRANSACTION"),
        (store.app().delete(&store.path(key)), "ERR_STATE_DELETE"),
    ]
}

#[test]
fn without_redis_nothing_is_said_to_be_done_or_unknown_and_all_is_well_when_it_is_back() {
    for workers in [1, 4] {
        let mesh = mesh(workers);
        let store = statestore(&mesh);
        store.put("k", &json!("kept"));
        mesh.redis().kill();
        let says_why = |body: &Value| {
            assert!(
                message(body).contains("no connection to weft_tcp_statestore: the proxy could not connect"),
                "{body}"
            );
            assert!(!message(body).contains("unknown"), "{body}");
        };
        says_why(&dapr::error(&store.get("k"), 500, "ERR_STATE_GET"));
        for (call, code) in writes(&store, "k") {
            says_why(&dapr::error(&call.send(), 500, code));
        }
        let entries = store.bulk(&json!({"keys": ["k"]})).expect(200).json();
        assert!(entries[0]["error"].as_str().unwrap().contains("no connection"), "{entries}");
        many_wait_no_longer_than_one(&store);
        mesh.redis().restart();
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"kept\""));
    }
}

/// Far more items than are with the store at once, so that each waiting its turn would never end.
fn many_wait_no_longer_than_one(store: &Store<'_>) {
    let keys: Vec<String> = (0..5000).map(|number| format!("many-{number}")).collect();
    let items: Vec<_> = keys.iter().map(|key| json!({"key": key, "value": 1})).collect();
    let body = dapr::error(&store.save(&json!(items)), 500, "ERR_STATE_SAVE");
    // None but those that were with the store when it was known to be away.
    assert!(message(&body).contains(" of 5000 items failed, 49"), "{body}");
    assert!(message(&body).contains(" more were not tried"), "{body}");
    let entries = store.bulk(&json!({"keys": keys})).expect(200).json();
    let errors = entries.as_array().unwrap().iter().filter_map(|entry| entry["error"].as_str());
    assert!(errors.filter(|error| error.starts_with("not tried")).count() >= 4900);
}

#[test]
fn a_write_under_way_when_redis_dies_has_an_unknown_outcome_and_is_not_sent_again() {
    let mesh = mesh(1);
    let store = statestore(&mesh);
    for (call, code) in writes(&store, "k") {
        store.put("k", &json!("before"));
        mesh.redis().freeze();
        let answer = while_under_way(&mesh, call, || {
            mesh.redis().kill();
            mesh.redis().restart();
        });
        let body = dapr::error(&answer, 500, code);
        assert!(message(&body).contains("the outcome is unknown, the write may or may not have been done"), "{body}");
        // The dead Redis had not read the command.
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"before\""));
    }
}

#[test]
fn a_read_under_way_when_redis_dies_is_asked_once_more() {
    let mesh = mesh(1);
    let store = statestore(&mesh);
    store.put("k", &json!("kept"));
    mesh.redis().freeze();
    let answer = while_under_way(&mesh, store.app().get(&store.path("k")), || {
        mesh.redis().kill();
        mesh.redis().restart();
    });
    assert_eq!(answer.expect(200).text(), "\"kept\"");
}

#[test]
fn a_redis_that_does_not_answer_leaves_a_write_unknown_which_it_may_still_do() {
    let mesh = mesh(1);
    let store = statestore(&mesh);
    store.put("k", &json!("before"));
    mesh.redis().freeze();
    let answer = store.save(&json!([{"key": "k", "value": "after"}]));
    let body = dapr::error(&answer, 500, "ERR_STATE_SAVE");
    assert!(message(&body).contains("the outcome is unknown") && message(&body).contains("no reply in time"), "{body}");
    mesh.redis().thaw();
    wait::until_true("the write is done after all", || store.value("k").as_deref() == Some("\"after\""));
}

#[test]
fn a_redis_that_is_down_at_the_start_is_told_by_health_and_by_every_call_until_it_is_there() {
    for workers in [1, 4] {
        let mut redis = Redis::start();
        redis.kill();
        let mesh = Mesh::builder().workers(workers).redis(redis).in_memory().app("orders").start();
        let store = statestore(&mesh);
        let health = || mesh.app("orders").get("/v1.0/healthz").send();
        wait::until_true("health tells of Redis", || health().text().contains("statestore"));
        let body = dapr::error(&health(), 500, "ERR_HEALTH_NOT_READY");
        for part in ["dapr is not ready: [", "statestore: no connection to weft_tcp_statestore: ", "pubsub: ", "TLS"] {
            assert!(message(&body).contains(part), "{body}");
        }
        assert!(!message(&body).contains("mem"), "{body}");
        dapr::no_content(&mesh.app("orders").get("/v1.0/healthz/outbound").send());
        for (call, code) in writes(&store, "k") {
            let body = dapr::error(&call.send(), 500, code);
            assert!(message(&body).contains("no connection") && !message(&body).contains("unknown"), "{body}");
        }
        dapr::error(&store.get("k"), 500, "ERR_STATE_GET");
        mesh.redis().restart();
        // Each worker answers for itself.
        wait::until_true("all workers are healthy", || (0..4 * workers).all(|_| health().status == 204));
        wait::until_true("values are stored", || store.save(&json!([{"key": "k", "value": 1}])).status == 204);
        wait::until_true("values are read", || store.get("k").status == 200);
        mesh.redis().kill();
        wait::until_true("the outage is noticed", || store.get("k").status == 500);
        dapr::no_content(&health());
    }
}

#[test]
fn one_slow_store_does_not_hold_up_another() {
    let mesh = Mesh::builder().redis(Redis::start()).in_memory().app("orders").start();
    mesh.redis().freeze();
    let call = statestore(&mesh).app().get(&statestore(&mesh).path("k"));
    let memory = Store { mesh: &mesh, name: "memory" };
    let answer = while_under_way(&mesh, call, || {
        memory.put("k", &json!(1));
        assert_eq!(memory.value("k").as_deref(), Some("1"));
        mesh.redis().thaw();
    });
    dapr::no_content(&answer);
}
