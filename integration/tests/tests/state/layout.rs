//! The data in Redis: as daprd writes it, and as daprd may have written it.

use super::{Store, on_redis};
use serde_json::json;
use weft_tests::dapr::{self, unique};

/// The fields of a key's hash.
fn hash(store: &Store<'_>, key: &str) -> Vec<(String, String)> {
    store.mesh.redis().client().hash(&format!("orders||{key}"))
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Writes a hash as daprd does.
fn write(store: &Store<'_>, key: &str, pairs: &[&str]) {
    let full = format!("orders||{key}");
    let words: Vec<&str> = ["HSET", &full].into_iter().chain(pairs.iter().copied()).collect();
    store.mesh.redis().client().run::<u64>(&words);
}

#[test]
fn a_value_is_a_hash_of_data_and_version() {
    on_redis(|store| {
        let key = unique("hash");
        store.put(&key, &json!({"a": "é<"}));
        assert_eq!(hash(store, &key), fields(&[("data", r#"{"a":"é<"}"#), ("version", "1")]));
        store.put(&key, &json!("text"));
        assert_eq!(hash(store, &key), fields(&[("data", "\"text\""), ("version", "2")]));
        dapr::no_content(&store.save(&json!([{"key": key, "value": null, "etag": "2"}])));
        assert_eq!(hash(store, &key), fields(&[("data", "null"), ("version", "3")]));
        dapr::no_content(&store.delete(&key));
        assert_eq!(hash(store, &key), fields(&[]));
    });
}

#[test]
fn a_first_write_leaves_its_mark() {
    on_redis(|store| {
        let (key, other) = (unique("mark"), unique("mark"));
        let item = |key: &str, etag: &str| json!({"key": key, "value": 1, "etag": etag, "options": {"concurrency": "first-write"}});
        dapr::no_content(&store.save(&json!([item(&key, "")])));
        assert_eq!(hash(store, &key), fields(&[("data", "1"), ("first-write", "0"), ("version", "1")]));
        dapr::no_content(&store.save(&json!([{"key": key, "value": 2, "etag": "1"}])));
        assert_eq!(hash(store, &key), fields(&[("data", "2"), ("first-write", "0"), ("version", "2")]));
        dapr::no_content(&store.save(&json!([{"key": other, "value": 0}])));
        dapr::no_content(&store.save(&json!([item(&other, "1")])));
        assert_eq!(hash(store, &other), fields(&[("data", "1"), ("first-write", "0"), ("version", "2")]));
    });
}

#[test]
fn a_transaction_writes_the_same_hashes() {
    on_redis(|store| {
        let (kept, removed) = (unique("kept"), unique("removed"));
        store.put(&removed, &json!(1));
        let operations = json!([
            {"operation": "upsert", "request": {"key": kept, "value": [1]}},
            {"operation": "delete", "request": {"key": removed, "etag": "1"}},
        ]);
        dapr::no_content(&store.transact(&operations));
        assert_eq!(hash(store, &kept), fields(&[("data", "[1]"), ("version", "1")]));
        assert_eq!(hash(store, &removed), fields(&[]));
    });
}

#[test]
fn what_daprd_wrote_is_read_and_carried_on() {
    on_redis(|store| {
        let key = unique("daprd");
        write(store, &key, &["data", "\"by daprd\"", "version", "7"]);
        let answer = store.get(&key).expect(200);
        assert_eq!((answer.text().as_str(), answer.header("etag")), ("\"by daprd\"", Some("7")));
        dapr::error(&store.save(&json!([{"key": key, "value": 1, "etag": "6"}])), 409, "ERR_STATE_SAVE");
        dapr::no_content(&store.save(&json!([{"key": key, "value": 1, "etag": "7"}])));
        assert_eq!(hash(store, &key), fields(&[("data", "1"), ("version", "8")]));
    });
}

#[test]
fn a_mark_that_daprd_left_is_respected() {
    on_redis(|store| {
        let key = unique("daprd");
        write(store, &key, &["data", "1", "version", "3", "first-write", "0"]);
        dapr::error(&store.save(&json!([{"key": key, "value": 2}])), 500, "ERR_STATE_SAVE");
        let last = json!([{"key": key, "value": 2, "etag": "3", "options": {"concurrency": "last-write"}}]);
        dapr::error(&store.save(&last), 409, "ERR_STATE_SAVE");
        dapr::no_content(&store.save(&json!([{"key": key, "value": 2, "etag": "3"}])));
        dapr::no_content(&store.delete(&key));
    });
}

#[test]
fn bytes_that_came_by_grpc_are_given_back_as_they_are() {
    on_redis(|store| {
        let key = unique("grpc");
        let full = format!("orders||{key}");
        let mut connection = store.mesh.redis().client();
        connection.run_bytes(&[b"HSET", full.as_bytes(), b"data", b"\x00\xff\r\n hello", b"version", b"1"]);
        let answer = store.get(&key).expect(200);
        assert_eq!(&answer.body[..], b"\x00\xff\r\n hello");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        connection.run_bytes(&[b"HSET", full.as_bytes(), b"data", b""]);
        assert!(store.get(&key).expect(200).body.is_empty());
    });
}

#[test]
fn a_plain_string_is_read_without_etag_and_any_other_type_is_overwritten() {
    on_redis(|store| {
        let (plain, list) = (unique("plain"), unique("list"));
        let mut redis = store.mesh.redis().client();
        redis.run::<()>(&["SET", &format!("orders||{plain}"), "text"]);
        redis.run::<u64>(&["LPUSH", &format!("orders||{list}"), "x"]);
        let answer = store.get(&plain).expect(200);
        assert_eq!((answer.text().as_str(), answer.header("etag")), ("text", None));
        dapr::error(&store.get(&list), 500, "ERR_STATE_GET");
        for key in [&plain, &list] {
            store.put(key, &json!(1));
            assert_eq!(hash(store, key), fields(&[("data", "1"), ("version", "1")]));
        }
        redis.run::<u64>(&["DEL", &format!("orders||{plain}")]);
        redis.run::<()>(&["SET", &format!("orders||{plain}"), "text"]);
        dapr::no_content(&store.delete_if(&plain, "5"));
        dapr::no_content(&store.get(&plain));
    });
}

#[test]
fn a_hash_that_is_not_daprs_is_told_by_its_key() {
    on_redis(|store| {
        for pairs in [&["data", "1"][..], &["version", "1"], &["other", "x"]] {
            let key = unique("foreign");
            write(store, &key, pairs);
            let body = dapr::error(&store.get(&key), 500, "ERR_STATE_GET");
            let message = body["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("fail to get {key} from state store statestore: ")), "{message}");
        }
        let key = unique("foreign");
        write(store, &key, &["data", "old", "version", "seven"]);
        assert_eq!(store.etag(&key), "seven");
        let body = dapr::error(&store.save(&json!([{"key": key, "value": 1}])), 500, "ERR_STATE_SAVE");
        assert!(body["message"].as_str().unwrap().contains("integer"), "{body}");
        assert_eq!(store.value(&key).as_deref(), Some("old"));
    });
}

#[test]
fn redis_may_forget_the_scripts_at_any_time() {
    on_redis(|store| {
        let key = unique("scripts");
        for value in 1..=3 {
            store.mesh.redis().client().run::<()>(&["SCRIPT", "FLUSH"]);
            store.put(&key, &json!(value));
            store.mesh.redis().client().run::<()>(&["SCRIPT", "FLUSH"]);
            dapr::error(&store.delete_if(&key, "99"), 409, "ERR_STATE_DELETE");
            store.mesh.redis().client().run::<()>(&["SCRIPT", "FLUSH"]);
            let operations = json!([{"operation": "upsert", "request": {"key": format!("{key}-2"), "value": value}}]);
            dapr::no_content(&store.transact(&operations));
        }
        assert_eq!(hash(store, &key), fields(&[("data", "3"), ("version", "3")]));
        assert_eq!(hash(store, &format!("{key}-2")), fields(&[("data", "3"), ("version", "3")]));
    });
}
