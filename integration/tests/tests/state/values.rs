//! Storing, reading and removing single values.

use super::{on_each_store, on_redis};
use serde_json::json;
use weft_tests::dapr::{self, unique};

#[test]
fn a_value_is_stored_read_and_removed() {
    on_each_store(|store| {
        let key = unique("life");
        dapr::no_content(&store.get(&key));
        store.put(&key, &json!({"a": [1, 2]}));
        let answer = store.get(&key).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json(), json!({"a": [1, 2]}));
        assert!(!answer.header("etag").unwrap().contains('"'), "{:?}", answer.headers);
        dapr::no_content(&store.delete(&key));
        dapr::no_content(&store.get(&key));
        dapr::no_content(&store.delete(&key));
    });
}

#[test]
fn a_value_keeps_every_byte() {
    on_each_store(|store| {
        let key = unique("bytes");
        for value in [
            "9223372036854775807",
            "-9223372036854775808",
            "123456789012345678901234567890",
            "1e400",
            "0.1000000000000000055511151231257827",
            "1.0",
            r#""\u00e9\/\ud83d\ude00 \ud800 <&>""#,
            "\"caf\u{e9} \u{2028}\"",
            r#"{"a":1,"a":2,"b":{}}"#,
            "[ 1,\n\t2 ]",
            "\"\"",
            "null",
            "true",
        ] {
            let body = format!("[{{\"key\":\"{key}\",\"value\": {value} }}]");
            let call = store.app().post(&format!("/v1.0/state/{}", store.name));
            dapr::no_content(&call.body(body).send());
            assert_eq!(store.value(&key).as_deref(), Some(value), "{}", store.name);
        }
    });
}

#[test]
fn put_and_http_2_and_any_content_type_are_as_good_as_post_and_json() {
    on_each_store(|store| {
        let key = unique("verb");
        let path = format!("/v1.0/state/{}", store.name);
        let body = |value: u32| format!("[{{\"key\":\"{key}\",\"value\":{value}}}]");
        dapr::no_content(&store.app().put(&path).body(body(1)).send());
        assert_eq!(store.value(&key).as_deref(), Some("1"));
        let call = store.app().post(&path).header("content-type", "text/plain; charset=latin1").http2();
        dapr::no_content(&call.body(body(2)).send());
        let answer = store.app().get(&store.path(&key)).http2().send().expect(200);
        assert_eq!((answer.text().as_str(), answer.header("content-type")), ("2", Some("application/json")));
        dapr::no_content(&store.app().delete(&store.path(&key)).http2().send());
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn the_body_of_a_get_or_delete_means_nothing() {
    on_each_store(|store| {
        let key = unique("body");
        store.put(&key, &json!(1));
        let body = vec![b'x'; 256 * 1024];
        assert_eq!(store.app().get(&store.path(&key)).body(body.clone()).send().expect(200).text(), "1");
        dapr::no_content(&store.app().delete(&store.path(&key)).body(body).send());
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn several_items_are_stored_by_one_request() {
    on_each_store(|store| {
        let keys: Vec<String> = (0..300).map(|number| unique(&format!("many-{number}"))).collect();
        let items: Vec<_> = keys.iter().enumerate().map(|(at, key)| json!({"key": key, "value": at})).collect();
        dapr::no_content(&store.save(&json!(items)));
        for at in [0, 1, 99, 100, 199, 299] {
            assert_eq!(store.value(&keys[at]), Some(at.to_string()));
        }
    });
}

#[test]
fn what_daprd_forgives_is_forgiven() {
    on_each_store(|store| {
        let key = unique("lenient");
        let send = |body: String| store.app().post(&format!("/v1.0/state/{}", store.name)).body(body).send();
        dapr::no_content(&send("[]".to_owned()));
        dapr::no_content(&send("null".to_owned()));
        dapr::no_content(&send(format!(
            "[{{\"KEY\":\"{key}\",\"Value\":1,\"etag\":null,\"options\":null}}] trailing {{"
        )));
        assert_eq!(store.value(&key).as_deref(), Some("1"));
        dapr::no_content(&send(format!("[{{\"key\":\"{key}\",\"vlue\":2}}]")));
        assert_eq!(store.value(&key).as_deref(), Some("null"));
        dapr::no_content(&send(format!("[{{\"key\":\"{key}\",\"value\":3}},{{\"key\":\"{key}\",\"value\":3}}]")));
        assert_eq!(store.value(&key).as_deref(), Some("3"));
    });
}

#[test]
fn a_key_may_hold_any_character_but_the_separator() {
    on_each_store(|store| {
        for (key, in_path) in [
            ("a/b", "a%2Fb"),
            ("a b", "a+b"),
            ("a b", "a%20b"),
            ("100%", "100%25"),
            ("caf\u{e9}", "caf%C3%A9"),
            ("a|b", "a%7Cb"),
            ("?x=1&y", "%3Fx%3D1%26y"),
            ("..", "%2E%2E"),
            ("\u{1}\n", "%01%0A"),
            ("bulk", "bulk"),
        ] {
            store.put(key, &json!(key));
            assert_eq!(store.get(in_path).expect(200).json(), json!(key), "{in_path}");
            dapr::no_content(&store.delete(in_path));
            assert_eq!(store.value(in_path), None, "{in_path}");
        }
    });
}

#[test]
fn two_applications_do_not_see_each_others_values() {
    on_each_store(|store| {
        let key = unique("own");
        store.put(&key, &json!("orders"));
        dapr::no_content(&store.mesh.app("warehouse").get(&store.path(&key)).send());
        dapr::no_content(&store.mesh.app("warehouse").delete(&store.path(&key)).send());
        assert_eq!(store.value(&key).as_deref(), Some("\"orders\""));
    });
}

#[test]
fn the_stores_are_told_in_the_metadata_with_what_they_can() {
    on_redis(|store| {
        let metadata = store.app().get("/v1.0/metadata").send().expect(200).json();
        let components = metadata["components"].as_array().unwrap();
        for (name, kind) in [("statestore", "state.redis"), ("memory", "state.in-memory")] {
            let found = components.iter().find(|component| component["name"] == name).unwrap();
            assert_eq!(found["type"], kind);
            assert_eq!(found["capabilities"], json!(["ETAG", "TRANSACTIONAL", "TTL"]), "{name}");
        }
    });
}

#[test]
fn a_content_type_and_metadata_that_a_store_does_not_know_change_nothing() {
    on_each_store(|store| {
        let key = unique("content-type");
        let item = json!({
            "key": key, "value": {"a": 0.1}, "contentType": "application/octet-stream",
            "metadata": {"contentType": "application/json", "partitionKey": "p"},
        });
        dapr::no_content(&store.save(&json!([item])));
        assert_eq!(store.value(&key).as_deref(), Some(r#"{"a":0.1}"#));
        let query = "metadata.contentType=application%2Fjson&metadata.partitionKey=p&consistency=strong";
        let bulk = store.app().post(&store.path(&format!("bulk?{query}"))).json(&json!({"keys": [key]})).send();
        assert_eq!(bulk.expect(200).json()[0]["data"], json!({"a": 0.1}));
        assert_eq!(store.get(&format!("{key}?{query}")).expect(200).text(), r#"{"a":0.1}"#);
        let body = json!({"operations": [{"operation": "upsert", "request": item}], "metadata": {"contentType": "x"}});
        dapr::no_content(&store.app().post(&store.path(&format!("transaction?{query}"))).json(&body).send());
        dapr::no_content(&store.delete(&format!("{key}?{query}")));
        assert_eq!(store.value(&key), None);
    });
}
