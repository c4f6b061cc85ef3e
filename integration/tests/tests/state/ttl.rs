//! Values that go away.

use super::{Store, in_memory, on_each_store, on_redis};
use serde_json::{Value, json};
use weft_tests::dapr::{self, unique};
use weft_tests::wait;

/// A store whose values live an hour unless they say otherwise, and one whose values live for ever.
pub fn components() -> impl Iterator<Item = (&'static str, Value)> {
    [("hour", json!({"ttlInSeconds": "3600"})), ("ever", json!({"ttlInSeconds": "-1"}))].into_iter()
}

fn put(store: &Store<'_>, key: &str, ttl: &str) {
    let item = json!([{"key": key, "value": ttl, "metadata": {"ttlInSeconds": ttl}}]);
    dapr::no_content(&store.save(&item));
}

/// Seconds that Redis keeps a key for; -1 for ever.
fn left(store: &Store<'_>, key: &str) -> i64 {
    store.mesh.redis().client().run(&["TTL", &format!("orders||{key}")])
}

#[test]
fn a_value_is_gone_after_its_time() {
    on_each_store(|store| {
        let key = unique("short");
        put(store, &key, "1");
        wait::until_true("the value is gone", || store.value(&key).is_none());
        let entries = store.bulk(&json!({"keys": [key]})).expect(200).json();
        assert_eq!(entries, json!([{"key": key}]));
    });
}

#[test]
fn redis_is_told_the_time_of_a_value_and_keeps_it_over_a_write_that_says_none() {
    on_redis(|store| {
        let key = unique("kept");
        put(store, &key, "1000");
        assert!((900..=1000).contains(&left(store, &key)));
        store.put(&key, &json!("again"));
        assert!((900..=1000).contains(&left(store, &key)), "as with daprd");
        put(store, &key, "5000");
        assert!((4900..=5000).contains(&left(store, &key)));
        put(store, &key, "-1");
        assert_eq!(left(store, &key), -1);
        put(store, &key, "1000");
        put(store, &key, "0");
        assert_eq!(left(store, &key), -1);
        assert_eq!(store.get(&key).header("metadata.ttlexpiretime"), None);
    });
}

#[test]
fn in_memory_a_value_says_when_it_goes_away_until_it_is_stored_without_a_time() {
    in_memory(|store| {
        let key = unique("told");
        put(store, &key, "1000");
        let answer = store.get(&key).expect(200);
        let time = answer.header("metadata.ttlexpiretime").unwrap();
        assert!(time.len() == 20 && time.ends_with('Z') && time.contains('T'), "{time}");
        let entries = store.bulk(&json!({"keys": [key]})).expect(200).json();
        assert_eq!(entries[0]["metadata"], json!({"ttlExpireTime": time}));
        store.put(&key, &json!(1));
        assert_eq!(store.get(&key).header("metadata.ttlexpiretime"), None);
    });
}

#[test]
fn the_query_goes_before_the_item() {
    on_redis(|store| {
        let key = unique("query");
        let item = json!([{"key": key, "value": 1, "metadata": {"ttlInSeconds": "1000"}}]);
        let call = store.app().post("/v1.0/state/statestore?metadata.ttlInSeconds=5000&metadata.ttlInSeconds=7");
        dapr::no_content(&call.json(&item).send());
        assert!((4900..=5000).contains(&left(store, &key)));
    });
}

#[test]
fn a_transaction_sets_and_ends_times() {
    on_redis(|store| {
        let (a, b) = (unique("a"), unique("b"));
        let item = |key: &str, ttl: &str| json!({"operation": "upsert", "request": {"key": key, "value": 1, "metadata": {"ttlInSeconds": ttl}}});
        dapr::no_content(&store.transact(&json!([item(&a, "1000"), item(&b, "2000")])));
        assert!((900..=1000).contains(&left(store, &a)) && (1900..=2000).contains(&left(store, &b)));
        let call = store.app().post("/v1.0/state/statestore/transaction?metadata.ttlInSeconds=-1");
        dapr::no_content(
            &call.json(&json!({"operations": [item(&a, "1000")], "metadata": {"ttlInSeconds": "5"}})).send(),
        );
        assert_eq!(left(store, &a), -1);
    });
}

#[test]
fn a_component_gives_its_values_a_time() {
    on_redis(|store| {
        let hour = Store { mesh: store.mesh, name: "redis-hour" };
        let key = unique("hour");
        hour.put(&key, &json!(1));
        assert!((3500..=3600).contains(&left(&hour, &key)));
        put(&hour, &key, "50");
        assert!((1..=50).contains(&left(&hour, &key)));
        Store { mesh: store.mesh, name: "redis-ever" }.put(&key, &json!(1));
        assert_eq!(left(&hour, &key), -1);
        let hour = Store { mesh: store.mesh, name: "memory-hour" };
        hour.put(&key, &json!(1));
        assert!(hour.get(&key).header("metadata.ttlexpiretime").is_some());
        put(&hour, &key, "-1");
        assert_eq!(hour.get(&key).header("metadata.ttlexpiretime"), None);
    });
}

#[test]
fn a_time_that_is_no_whole_number_stores_nothing() {
    on_each_store(|store| {
        let key = unique("odd");
        for ttl in ["soon", "1.5", "10s", " 1", "99999999999999999999"] {
            let item = json!([{"key": key, "value": 1, "metadata": {"ttlInSeconds": ttl}}]);
            let body = dapr::error(&store.save(&item), 500, "ERR_STATE_SAVE");
            let message = body["message"].as_str().unwrap();
            assert!(message.contains("ttlInSeconds") && message.contains(ttl), "{message}");
            let operations = json!([{"operation": "upsert", "request": item[0]}]);
            dapr::error(&store.transact(&operations), 500, "ERR_STATE_TRANSACTION");
        }
        assert_eq!(store.value(&key), None);
    });
}
