//! Keys that few applications use.

use super::on_each_store;
use serde_json::{Value, json};
use weft_tests::dapr::{self, unique};

/// What the bulk request says of one key.
fn entry(store: &super::Store<'_>, key: &str) -> Value {
    store.bulk(&json!({"keys": [key]})).expect(200).json()[0].clone()
}

#[test]
fn a_key_of_64_kib_is_a_key_wherever_it_stands_in_a_body() {
    on_each_store(|store| {
        let key = unique("long") + &"k".repeat(64 * 1024);
        store.put(&key, &json!(1));
        assert_eq!(entry(store, &key)["data"], 1);
        dapr::no_content(&store.transact(&json!([{"operation": "delete", "request": {"key": key}}])));
        assert_eq!(entry(store, &key), json!({"key": key}));
        // In a path it is more than the proxy takes of a request's head.
        let mut raw = store.app().raw();
        raw.write(format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", store.path(&key)));
        assert_eq!(raw.answer().map(|answer| answer.status), Some(431));
    });
}

#[test]
fn a_key_may_hold_nul_and_line_ends() {
    on_each_store(|store| {
        // A text in PostgreSQL holds no NUL.
        let key = unique(if store.name == "postgres" { "ab\r\n$5\r\n" } else { "a\0b\r\n$5\r\n" });
        store.put(&key, &json!(1));
        assert_eq!(entry(store, &key)["data"], 1);
        let path = key.replace('\0', "%00").replace('\r', "%0D").replace('\n', "%0A");
        assert_eq!(store.value(&path).as_deref(), Some("1"));
        dapr::no_content(&store.delete(&path));
        assert_eq!(store.value(&path), None);
    });
}

#[test]
fn what_is_not_utf_8_in_a_key_is_the_replacement_character_as_with_daprd() {
    on_each_store(|store| {
        let name = unique("odd");
        let send = |path: &str, body: &[u8]| store.app().post(path).body(body.to_vec()).send();
        let path = format!("/v1.0/state/{}", store.name);
        for odd in [&b"\xff"[..], b"\\ud800", "\u{fffd}".as_bytes()] {
            let body = [b"[{\"key\":\"", name.as_bytes(), odd, b"\",\"value\":1}]"].concat();
            dapr::no_content(&send(&path, &body));
            let body = [b"{\"keys\":[\"", name.as_bytes(), odd, b"\"]}"].concat();
            let entries = send(&store.path("bulk"), &body).expect(200).json();
            assert_eq!((&entries[0]["key"], &entries[0]["data"]), (&json!(format!("{name}\u{fffd}")), &json!(1)));
            dapr::no_content(&store.delete(&format!("{name}%EF%BF%BD")));
        }
    });
}

#[test]
fn bulk_and_transaction_take_an_empty_key_as_any_other() {
    on_each_store(|store| {
        let upsert = json!({"operation": "upsert", "request": {"key": "", "value": 7}});
        dapr::no_content(&store.transact(&json!([upsert])));
        assert_eq!(entry(store, "")["data"], 7);
        dapr::no_content(&store.transact(&json!([{"operation": "delete"}])));
        assert_eq!(entry(store, ""), json!({"key": ""}));
    });
}
