use super::*;
use crate::state::Record;
use std::time::Duration;

const BULK: &str = "POST /v1.0/state/s/bulk";

#[test]
fn every_key_has_its_entry_in_the_order_of_the_request() {
    let fixture = Fixture::new();
    fixture.store.holds_record("myapp||b", br#"{"x": 1e400}"#, "3");
    let expiring = Record { data: b"\"<\"".to_vec(), etag: None, expires: Some(Duration::from_secs(1_780_000_060)) };
    fixture.store.records.borrow_mut().insert("myapp||c<".to_owned(), Ok(Some(expiring)));
    fixture.store.records.borrow_mut().insert("myapp||d".to_owned(), Err(failed()));
    let reply = fixture.call(BULK, r#"{"Keys":["a","b","c<","d","b"],"metadata":{"x":"y"}}"#);
    assert_eq!((reply.status, reply.headers.text("content-type")), (200, Some("application/json")));
    let expected = r#"[{"key":"a"},{"key":"b","data":{"x": 1e400},"etag":"3"},{"key":"c\u003c","data":"<","metadata":{"ttlExpireTime":"2026-05-28T20:27:40Z"}},{"key":"d","error":"it is full"},{"key":"b","data":{"x": 1e400},"etag":"3"}]"#;
    assert_eq!(String::from_utf8(reply.body).unwrap(), format!("{expected}\n"));
}

#[test]
fn a_value_that_is_not_json_is_an_error_of_its_key_alone() {
    let fixture = Fixture::new();
    for (at, data) in [&b"hello"[..], b"", b"1 2", b"\"\xff\"", b"{", b"1", b" 2 "].iter().enumerate() {
        fixture.store.holds_record(&format!("myapp||{at}"), data, "1");
    }
    let reply = fixture.call(BULK, r#"{"keys":["0","1","2","3","4","5","6"]}"#);
    let entries: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
    for entry in &entries[..5] {
        assert!(entry["error"].as_str().unwrap().contains("not JSON"), "{entry}");
        assert_eq!((entry.get("data"), &entry["etag"]), (None, &json!("1")));
    }
    assert_eq!((&entries[5]["data"], &entries[6]["data"]), (&json!(1), &json!(2)));
}

#[test]
fn no_keys_give_an_empty_array() {
    let fixture = Fixture::new();
    for body in [r#"{"keys":[]}"#, "{}", "null", r#"{"keys":null} trailing"#] {
        assert_eq!(fixture.call(BULK, body).body, b"[]\n", "{body}");
    }
    assert_eq!(fixture.call(BULK, r#"{"keys":["",null]}"#).body, b"[{\"key\":\"\"},{\"key\":\"\"}]\n");
}

#[test]
fn no_more_keys_are_read_at_once_than_asked_for() {
    for (parallelism, at_once) in [("3", 3), ("1000000", 100), ("0", 100), ("-5", 100), ("null", 100)] {
        let fixture = Fixture::new();
        fixture.store.holds.set(true);
        let keys = vec!["k"; 150];
        let body = format!("{{\"keys\":{},\"parallelism\":{parallelism}}}", json!(keys));
        assert_eq!(fixture.begin(BULK, Headers::new(), body), None);
        assert_eq!(fixture.store.waiting(), at_once, "{parallelism}");
        fixture.store.holds.set(false);
        fixture.store.release();
        assert_eq!(fixture.run().unwrap().status, 200);
        assert_eq!(fixture.store.read.borrow().len(), 150);
    }
}

#[test]
fn when_the_store_does_not_answer_the_keys_that_wait_are_not_tried() {
    let fixture = Fixture::new();
    fixture.store.records.borrow_mut().insert("myapp||b".to_owned(), Err(unavailable()));
    let reply = fixture.call(BULK, r#"{"keys":["a","b","c"],"parallelism":1}"#);
    let expected = r#"[{"key":"a"},{"key":"b","error":"no connection"},{"key":"c","error":"not tried: the store did not answer for another key"}]"#;
    assert_eq!(String::from_utf8(reply.body).unwrap(), format!("{expected}\n"));
    assert_eq!(fixture.store.read.borrow().len(), 2);
}

#[test]
fn more_values_than_an_answer_may_hold_are_refused_as_a_whole() {
    let fixture = Fixture::new();
    fixture.store.holds_record("myapp||big", &vec![b'1'; 12 * 1024 * 1024], "1");
    let reply = fixture.call(BULK, r#"{"keys":["big","big"]}"#);
    assert_eq!(reply.status, 200);
    let reply = fixture.call(BULK, r#"{"keys":["big","a","big","big","b","big"],"parallelism":1}"#);
    let message = "the values are larger than 33554432 bytes together; ask for fewer keys at once";
    expect_error(&reply, 500, "ERR_STATE_BULK_GET", message);
    assert_eq!(fixture.store.read.borrow().len(), 2 + 4, "the rest is not read");
}

#[test]
fn more_keys_than_one_request_may_have_are_refused_before_any_is_read() {
    let fixture = Fixture::new();
    let body = |count: usize| format!(r#"{{"keys":[{}"k"]}}"#, r#""k","#.repeat(count - 1));
    let message = "100001 keys are more than 100000; ask for fewer keys at once";
    expect_error(&fixture.call(BULK, &body(100_001)), 500, "ERR_STATE_BULK_GET", message);
    assert!(fixture.store.read.borrow().is_empty());
    assert_eq!(fixture.call(BULK, &body(100_000)).status, 200);
}

#[test]
fn what_cannot_be_read_is_named() {
    let fixture = Fixture::new();
    for (body, names) in [
        ("", "the text ends"),
        ("[]", "object"),
        (r#"{"keys":"a"}"#, "keys must be an array"),
        (r#"{"keys":["a",1]}"#, "every key must be a string"),
        (r#"{"keys":["a"],"parallelism":"1"}"#, "parallelism must be a whole number"),
        (r#"{"keys":["a"],"parallelism":1.5}"#, "parallelism must be a whole number"),
        (r#"{"keys":["a"],"metadata":{"a":1}}"#, "metadata.a must be a string"),
    ] {
        let (status, code, message) = error(&fixture.call(BULK, body));
        assert_eq!((status, code.as_str()), (400, "ERR_MALFORMED_REQUEST"), "{body}");
        assert!(message.starts_with("failed deserializing HTTP body: "), "{message}");
        assert!(message.contains(names), "{body}: {message}");
    }
    assert!(fixture.store.read.borrow().is_empty());
}
