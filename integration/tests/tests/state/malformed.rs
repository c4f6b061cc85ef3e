//! Requests that no well-behaved client sends.

use super::on_each_store;
use serde_json::json;
use weft_tests::dapr::{self, unique};

#[test]
fn a_save_that_cannot_be_read_stores_nothing_and_says_why() {
    on_each_store(|store| {
        let key = unique("malformed");
        let send = |body: &[u8]| store.app().post(&format!("/v1.0/state/{}", store.name)).body(body.to_vec()).send();
        let good = format!("{{\"key\":\"{key}\",\"value\":1}}");
        for (rest, names) in [
            ("", "the text ends"),
            (",", "the text ends"),
            (",]", "column"),
            (",1]", "item 2"),
            (",\"x\"]", "item 2"),
            (",[]]", "item 2"),
            (",{\"key\":1}]", "item 2: key must be a string"),
            (",{\"key\":\"x\",}]", "column"),
            (",{\"key\":\"x\",\"value\":}]", "column"),
            (",{\"key\":\"x\",\"value\":01}]", "column"),
            (",{\"key\":\"x\",\"value\":NaN}]", "column"),
            (",{\"key\":\"x\",\"value\":'x'}]", "column"),
            (",{\"key\":\"x\",\"value\":\"\x01\"}]", "column"),
            (",{\"key\":\"x\",\"value\":\"\\x\"}]", "column"),
            (",{\"key\":\"x\",\"etag\":1}]", "item 2: etag must be a string"),
            (",{\"key\":\"x\",\"etag\":{}}]", "item 2: etag must be a string"),
            (",{\"key\":\"x\",\"metadata\":\"a\"}]", "metadata must be an object"),
            (",{\"key\":\"x\",\"metadata\":{\"ttlInSeconds\":5}}]", "metadata.ttlInSeconds must be a string"),
            (",{\"key\":\"x\",\"options\":[]}]", "options must be an object"),
            (",{\"key\":\"x\",\"options\":{\"consistency\":true}}]", "consistency must be a string"),
            (",{\"key\":\"x\",\"contentType\":{}}]", "contentType must be a string"),
            (",{}]", "\"key\" is a required field"),
            (",null]", "\"key\" is a required field"),
            (",{\"key\":\"\"}]", "\"key\" is a required field"),
            (",{\"ey\":\"x\"}]", "\"key\" is a required field"),
        ] {
            let body = format!("[{good}{rest}");
            let error = dapr::error(&send(body.as_bytes()), 400, "ERR_MALFORMED_REQUEST");
            assert!(error["message"].as_str().unwrap().contains(names), "{body}: {error}");
        }
        for body in
            [&b""[..], b" ", b"{}", b"foobar", b"\"[]\"", b"1", b"\x00", b"\xff\xfe", b"[\xff]", b"\xef\xbb\xbf[]"]
        {
            dapr::error(&send(body), 400, "ERR_MALFORMED_REQUEST");
        }
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn a_bulk_get_and_a_transaction_that_cannot_be_read_say_why() {
    on_each_store(|store| {
        for (operation, body, names) in [
            ("bulk", "", "the text ends"),
            ("bulk", "[]", "object"),
            ("bulk", "{\"keys\":\"a\"}", "keys must be an array"),
            ("bulk", "{\"keys\":[1]}", "every key must be a string"),
            ("bulk", "{\"keys\":[],\"parallelism\":\"9\"}", "parallelism must be a whole number"),
            ("bulk", "{\"keys\":[],\"parallelism\":1e3}", "parallelism must be a whole number"),
            ("bulk", "{\"keys\":[],\"metadata\":[]}", "metadata must be an object"),
            ("transaction", "", "the text ends"),
            ("transaction", "[]", "object"),
            ("transaction", "{\"operations\":1}", "operations must be an array"),
            ("transaction", "{\"operations\":[\"upsert\"]}", "every operation must be an object"),
            ("transaction", "{\"operations\":[{\"operation\":null,\"request\":1}]", "the text ends"),
            ("transaction", "{\"operations\":[{\"operation\":1}]}", "operation must be a string"),
            (
                "transaction",
                "{\"operations\":[{\"operation\":\"upsert\",\"request\":\"k\"}]}",
                "operation 1: request must be an object",
            ),
            (
                "transaction",
                "{\"operations\":[{\"operation\":\"delete\",\"request\":{\"key\":[]}}]}",
                "operation 1: key must be a string",
            ),
            ("transaction", "{\"operations\":[],\"metadata\":{\"a\":1}}", "metadata.a must be a string"),
        ] {
            let answer = store.app().post(&store.path(operation)).body(body).send();
            let error = dapr::error(&answer, 400, "ERR_MALFORMED_REQUEST");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.starts_with("failed deserializing HTTP body: ") && message.contains(names),
                "{body}: {message}"
            );
        }
    });
}

#[test]
fn deep_nesting_is_a_value_like_any_other() {
    on_each_store(|store| {
        let key = unique("deep");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let path = format!("/v1.0/state/{}", store.name);
        let body = |value: &str| format!("[{{\"key\":\"{key}\",\"value\":{value}}}]");
        dapr::no_content(&store.app().post(&path).body(body(&deep)).send());
        assert_eq!(store.value(&key), Some(deep.clone()));
        let bulk = store.bulk(&json!({"keys": [key]})).expect(200).text();
        assert!(bulk.contains(&deep));
        dapr::error(&store.app().post(&path).body(body(&deep[1..])).send(), 400, "ERR_MALFORMED_REQUEST");
    });
}

#[test]
fn a_body_that_breaks_off_stores_nothing_and_the_proxy_serves_on() {
    on_each_store(|store| {
        let key = unique("broken-off");
        let item = format!("[{{\"key\":\"{key}\",\"value\":1}}]");
        let (path, size) = (format!("/v1.0/state/{}", store.name), item.len());
        let head = |framing: &str| format!("POST {path} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let chunked = head("transfer-encoding: chunked");
        for (sent, reset) in [
            (format!("{chunked}{size:x}\r\n{item}\r\n"), true),
            (format!("{chunked}{size:x}\r\n{item}\r\n"), false),
            (format!("{chunked}{:x}\r\n{item}", size + 10), true),
            (format!("{}{item}", head(&format!("content-length: {}", size + 1))), true),
            (format!("{}{item}", head(&format!("content-length: {}", size + 1))), false),
        ] {
            let mut raw = store.app().raw();
            raw.write(&sent);
            if reset {
                raw.reset();
            } else {
                raw.half_close();
                // A proxy may answer 400 or only close; it must not say that the item was stored.
                assert_ne!(raw.answer().map(|answer| answer.status), Some(204), "{sent}");
            }
        }
        for wrong in ["xyz\r\n", "-1\r\n", "ffffffffffffffffff\r\n"] {
            let mut raw = store.app().raw();
            raw.write(format!("{chunked}{wrong}{item}"));
            assert_eq!(raw.answer().map(|answer| answer.status), Some(400), "{wrong}");
        }
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn a_body_in_pieces_and_with_trailers_is_one_body() {
    on_each_store(|store| {
        let key = unique("pieces");
        let item = format!("[{{\"key\":\"{key}\",\"value\":\"é\"}}]");
        let mut raw = store.app().raw();
        raw.write(format!(
            "POST /v1.0/state/{} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n",
            store.name
        ));
        for byte in item.as_bytes() {
            raw.write([b"1\r\n", &[*byte][..], b"\r\n"].concat());
        }
        raw.write("0\r\nx: y\r\n\r\n");
        assert_eq!(raw.answer().map(|answer| answer.status), Some(204));
        assert_eq!(store.value(&key).as_deref(), Some("\"é\""));
    });
}

#[test]
fn a_path_that_is_not_utf_8_is_no_route_of_the_state_api() {
    on_each_store(|store| {
        for key in ["%FF", "a%C3", "%ED%A0%80"] {
            dapr::error(&store.get(key), 404, "ERR_DIRECT_INVOKE");
            dapr::error(&store.delete(key), 404, "ERR_DIRECT_INVOKE");
        }
        let mut raw = store.app().raw();
        raw.write(b"GET /v1.0/state/memory/\xff HTTP/1.1\r\nhost: a\r\n\r\n");
        let status = raw.answer().map(|answer| answer.status);
        assert!(matches!(status, Some(400 | 404 | 500)), "{status:?}");
    });
}

#[test]
fn escapes_that_are_none_stay_as_they_are() {
    on_each_store(|store| {
        for (in_path, key) in [("a%", "a%"), ("a%2", "a%2"), ("a%zz", "a%zz")] {
            store.put(key, &json!(in_path));
            assert_eq!(store.get(in_path).expect(200).json(), in_path);
            dapr::no_content(&store.delete(in_path));
        }
    });
}

#[test]
fn metadata_that_is_not_utf_8_is_left_out() {
    on_each_store(|store| {
        let key = unique("query");
        let path = format!("/v1.0/state/{}?metadata.%FF=1&metadata.x=%FF&metadata.ttlInSeconds=100&&=&%", store.name);
        dapr::no_content(&store.app().post(&path).json(&json!([{"key": key, "value": 1}])).send());
        assert_eq!(store.value(&key).as_deref(), Some("1"));
    });
}
