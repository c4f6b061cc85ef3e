//! Consistency `strong`: writes that the replicas have before they are answered.

use super::Store;
use serde_json::{Value, json};
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;

fn replicated(workers: u32) -> (Mesh, Redis) {
    let redis = Redis::start();
    let replica = redis.replica();
    (Mesh::builder().workers(workers).redis(redis).app("orders").start(), replica)
}

fn item(key: &str, value: impl Into<Value>) -> Value {
    json!({"key": key, "value": value.into(), "options": {"consistency": "strong"}})
}

/// Every kind of write with consistency `strong`, and the code of its failure.
fn writes(store: &Store<'_>, key: &str, value: u32) -> [(Call, &'static str); 3] {
    let delete = format!("{key}-deleted?consistency=strong");
    let operations = json!({"operations": [
        {"operation": "upsert", "request": {"key": format!("{key}-1"), "value": value}},
        {"operation": "upsert", "request": item(&format!("{key}-2"), value)},
    ]});
    [
        (store.saving(&json!([item(key, value)])), "ERR_STATE_SAVE"),
        (store.app().post(&store.path("transaction")).json(&operations), "ERR_STATE_TRANSACTION"),
        (store.app().delete(&store.path(&delete)), "ERR_STATE_DELETE"),
    ]
}

#[test]
fn a_strong_write_is_on_the_replica_when_it_is_answered() {
    for workers in [1, 4] {
        let (mesh, replica) = replicated(workers);
        let store = Store { mesh: &mesh, name: "statestore" };
        let key = unique("strong");
        let mut copy = replica.client();
        for value in 1..50 {
            store.put(&format!("{key}-deleted"), &json!(1));
            for (call, _) in writes(&store, &key, value) {
                dapr::no_content(&call.send());
            }
            let mut data = |key: String| copy.run::<Option<String>>(&["HGET", &format!("orders||{key}"), "data"]);
            for key in [key.clone(), format!("{key}-1"), format!("{key}-2")] {
                assert_eq!(data(key), Some(value.to_string()));
            }
            assert_eq!(data(format!("{key}-deleted")), None);
        }
    }
}

#[test]
fn a_strong_write_that_the_replica_does_not_take_is_unknown_and_holds_up_nobody_else() {
    let (mesh, replica) = replicated(1);
    let store = Store { mesh: &mesh, name: "statestore" };
    let key = unique("strong");
    replica.freeze();
    for (call, code) in writes(&store, &key, 1) {
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| call.send());
            store.put("other", &json!(1));
            assert_eq!(store.value("other").as_deref(), Some("1"));
            let body = dapr::error(&answer.join().expect("an answer"), 500, code);
            let message = body["message"].as_str().unwrap();
            assert!(message.contains("the outcome is unknown") && message.contains("0 of 1 replicas"), "{message}");
        });
    }
    assert_eq!(store.value(&format!("{key}-2")).as_deref(), Some("1"), "Redis itself has it");
    replica.thaw();
    dapr::no_content(&store.save(&json!([item(&key, 2)])));
    assert_eq!(replica.client().run::<String>(&["HGET", &format!("orders||{key}"), "data"]), "2");
}

#[test]
fn many_strong_writers_are_all_served() {
    let (mesh, replica) = replicated(4);
    let store = Store { mesh: &mesh, name: "statestore" };
    let key = unique("strong");
    std::thread::scope(|scope| {
        for number in 0..64 {
            let call = store.saving(&json!([item(&format!("{key}-{number}"), number)]));
            scope.spawn(|| dapr::no_content(&call.send()));
        }
    });
    let mut copy = replica.client();
    for number in 0..64 {
        let data: String = copy.run(&["HGET", &format!("orders||{key}-{number}"), "data"]);
        assert_eq!(data, number.to_string());
    }
}
