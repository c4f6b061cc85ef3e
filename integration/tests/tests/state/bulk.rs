//! Reading many values with one request.

use super::{on_each_store, on_redis};
use serde_json::{Value, json};
use weft_tests::dapr::{self, unique};

#[test]
fn every_key_has_its_entry_in_the_order_of_the_request() {
    on_each_store(|store| {
        let (first, second, missing) = (unique("a<b"), unique("b"), unique("none"));
        store.put(&first, &json!({"n": 1}));
        store.put(&second, &json!("text"));
        let answer = store.bulk(&json!({"keys": [second, missing, first, second]})).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.text().ends_with("]\n"));
        let entries = answer.json();
        let etag = |key: &str| store.etag(&key.replace('<', "%3C"));
        let text = json!({"key": second, "data": "text", "etag": etag(&second)});
        assert_eq!(
            entries,
            json!([text, {"key": missing}, {"key": first, "data": {"n": 1}, "etag": etag(&first)}, text])
        );
    });
}

#[test]
fn a_thousand_keys_are_read_with_any_parallelism() {
    on_each_store(|store| {
        let prefix = unique("bulk");
        let keys: Vec<String> = (0..1000).map(|number| format!("{prefix}-{number}")).collect();
        let items: Vec<Value> = keys.iter().enumerate().map(|(at, key)| json!({"key": key, "value": at})).collect();
        dapr::no_content(&store.save(&json!(items)));
        for parallelism in [1, 7, 0, -1, 100_000] {
            let answer = store.bulk(&json!({"keys": keys, "parallelism": parallelism, "metadata": {"a": "b"}}));
            let entries = answer.expect(200).json();
            let entries = entries.as_array().unwrap();
            assert_eq!(entries.len(), keys.len());
            for (at, entry) in entries.iter().enumerate() {
                assert_eq!((&entry["key"], &entry["data"]), (&json!(keys[at]), &json!(at)), "{parallelism}");
            }
        }
    });
}

#[test]
fn numbers_keep_their_digits_among_others() {
    on_each_store(|store| {
        let key = unique("digits");
        let value = r#"{"big":123456789012345678901234567890, "e":1e400}"#;
        let body = format!("[{{\"key\":\"{key}\",\"value\":{value}}}]");
        dapr::no_content(&store.app().post(&format!("/v1.0/state/{}", store.name)).body(body).send());
        let answer = store.bulk(&json!({"keys": [key]})).expect(200);
        assert!(answer.text().contains(value), "{}", answer.text());
    });
}

#[test]
fn no_keys_give_an_empty_array() {
    on_each_store(|store| {
        for body in [json!({"keys": []}), json!({}), json!(null), json!({"KEYS": null})] {
            assert_eq!(store.bulk(&body).expect(200).text(), "[]\n", "{body}");
        }
    });
}

#[test]
fn what_cannot_be_read_is_an_error_of_its_key_alone() {
    on_redis(|store| {
        let (plain, binary, list, good) = (unique("plain"), unique("binary"), unique("list"), unique("good"));
        let mut redis = store.mesh.redis().client();
        let full = |key: &str| format!("orders||{key}");
        redis.run::<u64>(&["HSET", &full(&plain), "data", "no json", "version", "4"]);
        redis.run::<u64>(&["HSET", &full(&binary), "data", "{\"open\":", "version", "1"]);
        redis.run::<u64>(&["LPUSH", &full(&list), "x"]);
        store.put(&good, &json!(1));
        let entries = store.bulk(&json!({"keys": [plain, binary, list, good]})).expect(200).json();
        for (at, key) in [&plain, &binary, &list].into_iter().enumerate() {
            assert_eq!(entries[at]["key"], **key);
            assert!(entries[at]["error"].as_str().is_some_and(|text| !text.is_empty()), "{entries}");
            assert_eq!(entries[at].get("data"), None);
        }
        assert_eq!((&entries[0]["etag"], &entries[3]["data"]), (&json!("4"), &json!(1)));
        assert_eq!(store.value(&plain).as_deref(), Some("no json"), "alone it is readable");
    });
}
