//! Etags, first-write and last-write.

use super::{Store, in_memory, on_each_store, on_redis};
use serde_json::{Value, json};
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::raw::Raw;

fn save_if(store: &Store<'_>, key: &str, value: u32, etag: &str) -> Answer {
    store.save(&json!([{"key": key, "value": value, "etag": etag}]))
}

fn save_with(store: &Store<'_>, key: &str, value: u32, concurrency: &str) -> Answer {
    store.save(&json!([{"key": key, "value": value, "options": {"concurrency": concurrency}}]))
}

fn message(body: &Value) -> &str {
    body["message"].as_str().unwrap()
}

#[test]
fn a_save_with_the_present_etag_succeeds_and_with_an_old_one_is_409() {
    on_each_store(|store| {
        let key = unique("etag");
        store.put(&key, &json!(1));
        let old = store.etag(&key);
        dapr::no_content(&save_if(store, &key, 2, &old));
        assert_ne!(store.etag(&key), old);
        let body = dapr::error(&save_if(store, &key, 3, &old), 409, "ERR_STATE_SAVE");
        let start = format!(
            "failed saving state in state store {}: possible etag mismatch. error from state store: ",
            store.name
        );
        assert!(message(&body).starts_with(&start) && message(&body).contains(&key), "{body}");
        assert_eq!(store.value(&key).as_deref(), Some("2"));
    });
}

#[test]
fn a_delete_with_the_present_etag_succeeds_and_with_another_is_409() {
    on_each_store(|store| {
        let key = unique("gone");
        store.put(&key, &json!(1));
        for etag in [store.strange_etag(), "abc", "\"1\"", "W/\"1\"", "*", "-1", "0x1", "1.0", "99999999999999999999"] {
            let body = dapr::error(&store.delete_if(&key, etag), 409, "ERR_STATE_DELETE");
            let start =
                format!("failed deleting state with key {key}: possible etag mismatch. error from state store: ");
            assert!(message(&body).starts_with(&start), "{etag}: {body}");
        }
        dapr::no_content(&store.delete_if(&key, &store.etag(&key)));
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn an_empty_etag_is_none() {
    on_each_store(|store| {
        let key = unique("empty");
        store.put(&key, &json!(1));
        dapr::no_content(&save_if(store, &key, 2, ""));
        assert_eq!(store.value(&key).as_deref(), Some("2"));
        dapr::no_content(&store.delete_if(&key, ""));
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn last_write_goes_over_any_etag() {
    on_each_store(|store| {
        let key = unique("last");
        store.put(&key, &json!(1));
        let item =
            json!([{"key": key, "value": 2, "etag": store.strange_etag(), "options": {"concurrency": "last-write"}}]);
        dapr::no_content(&store.save(&item));
        assert_eq!(store.value(&key).as_deref(), Some("2"));
    });
}

#[test]
fn an_etag_that_no_version_of_redis_can_be_is_400() {
    on_redis(|store| {
        let key = unique("invalid");
        store.put(&key, &json!(1));
        for etag in ["abc", "\"1\"", "1.5", " 1", "0x1", "99999999999999999999", "\u{e9}"] {
            let body = dapr::error(&save_if(store, &key, 2, etag), 400, "ERR_STATE_SAVE");
            assert!(
                message(&body).starts_with("failed saving state in state store statestore: invalid etag value: "),
                "{body}"
            );
            assert!(message(&body).contains(etag.trim_matches('"')), "{body}");
        }
        assert_eq!(store.value(&key).as_deref(), Some("1"));
    });
}

#[test]
fn in_memory_any_other_etag_is_409() {
    in_memory(|store| {
        let key = unique("invalid");
        store.put(&key, &json!(1));
        let own = store.etag(&key);
        for etag in ["abc", "1", &own.to_uppercase(), &format!("\"{own}\""), &own.replace('-', "")] {
            dapr::error(&save_if(store, &key, 2, etag), 409, "ERR_STATE_SAVE");
        }
        assert_eq!(store.value(&key).as_deref(), Some("1"));
    });
}

#[test]
fn in_memory_an_etag_for_a_missing_key_is_409_and_first_write_needs_that_there_is_none() {
    in_memory(|store| {
        let key = unique("missing");
        dapr::error(&save_if(store, &key, 1, store.strange_etag()), 409, "ERR_STATE_SAVE");
        dapr::error(&store.delete_if(&key, store.strange_etag()), 409, "ERR_STATE_DELETE");
        dapr::no_content(&save_with(store, &key, 1, "first-write"));
        let body = dapr::error(&save_with(store, &key, 2, "first-write"), 409, "ERR_STATE_SAVE");
        assert!(message(&body).contains("there is a value"), "{body}");
        assert_eq!(store.value(&key).as_deref(), Some("1"));
    });
}

#[test]
fn in_redis_an_etag_for_a_missing_key_fits_and_first_write_marks_the_value() {
    on_redis(|store| {
        let key = unique("missing");
        dapr::no_content(&store.delete_if(&key, "7"));
        dapr::no_content(&save_if(store, &key, 1, "7"));
        assert_eq!(store.etag(&key), "1");
        dapr::no_content(&save_with(store, &key, 2, "first-write"));
        for concurrency in ["first-write", "last-write", ""] {
            let body = dapr::error(&save_with(store, &key, 3, concurrency), 500, "ERR_STATE_SAVE");
            assert!(message(&body).contains(&key) && message(&body).contains("its etag must be given"), "{body}");
        }
        dapr::no_content(&save_if(store, &key, 3, "2"));
        assert_eq!((store.value(&key).as_deref(), store.etag(&key).as_str()), (Some("3"), "3"));
    });
}

#[test]
fn several_if_match_headers_and_bytes_that_are_not_utf_8_fit_nothing() {
    on_each_store(|store| {
        let key = unique("headers");
        store.put(&key, &json!(1));
        let etag = store.etag(&key);
        let path = store.path(&key);
        let send = |headers: &[u8]| {
            let mut raw: Raw = store.app().raw();
            raw.write(format!("DELETE {path} HTTP/1.1\r\nhost: a\r\n"));
            raw.write(headers);
            raw.write("\r\n\r\n");
            raw.answer().expect("an answer").status
        };
        assert_eq!(send(b"if-match: \xff\xfe"), 409);
        assert_eq!(send(format!("if-match: {}\r\nif-match: {etag}", store.strange_etag()).as_bytes()), 409);
        assert_eq!(send(format!("if-match: {etag}\r\nif-match: {etag}").as_bytes()), 409);
        let odd = [b"x-odd: \xff\r\nx-odd: \xfe\r\nIF-MATCH:   ", etag.as_bytes(), b"  "].concat();
        assert_eq!(send(&odd), 204);
    });
}

#[test]
fn consistency_is_accepted_everywhere() {
    on_each_store(|store| {
        let key = unique("consistency");
        for consistency in ["strong", "eventual"] {
            let item = json!([{"key": key, "value": consistency, "options": {"consistency": consistency}}]);
            dapr::no_content(&store.save(&item));
            let answer = store.get(&format!("{key}?consistency={consistency}")).expect(200);
            assert_eq!(answer.json(), consistency);
            let path = format!("{key}?concurrency=last-write&consistency={consistency}");
            dapr::no_content(&store.delete(&path));
        }
    });
}
