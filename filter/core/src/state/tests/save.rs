use super::*;
use crate::state::SetRequest;

const SAVE: &str = "POST /v1.0/state/s";

#[test]
fn every_member_of_an_item_reaches_the_store() {
    let fixture = Fixture::new();
    let body = r#"[{"KEY":"k","Value":{"a": 1},"eTag":"7","metadata":{"ttlInSeconds":"60","x":null},"contentType":"text/plain",
        "options":{"Concurrency":"first-write","consistency":"strong"},"unknown":[]},{"key":"l","options":null}]"#;
    is_saved(&fixture.call("PUT /v1.0/state/s", body));
    let expected = [
        SetRequest {
            key: "myapp||k".to_owned(),
            data: br#"{"a": 1}"#.to_vec(),
            etag: Some("7".to_owned()),
            concurrency: Concurrency::FirstWrite,
            consistency: Consistency::Strong,
            ttl: Ttl::Seconds(60),
        },
        SetRequest { key: "myapp||l".to_owned(), data: b"null".to_vec(), ..SetRequest::default() },
    ];
    assert_eq!(*fixture.store.set.borrow(), expected);
}

#[test]
fn a_value_keeps_every_byte() {
    let fixture = Fixture::new();
    for value in [
        "9223372036854775807",
        "123456789012345678901234567890",
        "1e400",
        "-0.0",
        "0.1000000000000000055511151231257827",
        r#""\u00e9\/\ud83d\ude00\ud800""#,
        "\"<&>\u{2028}\"",
        r#"{"a":1,"a":2,"b":{}}"#,
        "[ 1,\n 2 ]",
        "null",
        "\"\"",
    ] {
        is_saved(&fixture.call(SAVE, &format!("[{{\"key\":\"k\",\"value\": {value} }}]")));
        assert_eq!(fixture.store.set.borrow_mut().pop().unwrap().data, value.as_bytes());
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_as_go_does() {
    let fixture = Fixture::new();
    let body = b"[{\"key\":\"k\",\"value\":\"\xff\"}]".to_vec();
    is_saved(&fixture.begin(SAVE, Headers::new(), body).unwrap());
    assert_eq!(fixture.store.set.borrow()[0].data, "\"\u{fffd}\"".as_bytes());
}

#[test]
fn metadata_of_the_query_goes_before_the_items() {
    let fixture = Fixture::new();
    let body = r#"[{"key":"a","metadata":{"ttlInSeconds":"60"}},{"key":"b"},
        {"key":"c","metadata":{"TTLINSECONDS":"60"}}]"#;
    is_saved(&fixture.call("POST /v1.0/state/s?metadata.ttlInSeconds=5", body));
    let ttls: Vec<_> = fixture.store.set.borrow().iter().map(|set| set.ttl).collect();
    assert_eq!(ttls, [Ttl::Seconds(5); 3]);
}

#[test]
fn nothing_to_store_and_trailing_bytes_are_fine() {
    let fixture = Fixture::new();
    for body in ["[]", "null", " [ ] trailing {", "[]["] {
        is_saved(&fixture.call(SAVE, body));
    }
    assert!(fixture.store.set.borrow().is_empty());
    is_saved(&fixture.call(SAVE, r#"[{"key":"k","value":1},{"key":"k","value":2}] x"#));
    assert_eq!(fixture.store.set.borrow().len(), 2, "the same key twice is no error");
    is_saved(&fixture.call(SAVE, r#"[{"key":"misspelled","vlue":1}]"#));
}

#[test]
fn what_is_malformed_is_named_and_nothing_is_stored() {
    let fixture = Fixture::new();
    for (body, names) in [
        ("", "the text ends"),
        ("{}", "array"),
        ("foobar", "column"),
        ("\"[]\"", "array"),
        (r#"[{"key":"a"},]"#, "column"),
        (r#"[{"key":"a",}]"#, "column"),
        (r#"[{"key":"a"}"#, "the text ends"),
        (r#"[{"key":"a","value":}]"#, "column"),
        (r#"[{"key":"a","value":01}]"#, "column"),
        (r#"[{"key":"a","value":NaN}]"#, "column"),
        ("[{\"key\":\"a\",\"value\":\"\u{1}\"}]", "column"),
        (r#"[{"key":"a"},1]"#, "item 2"),
        (r#"[{"key":"a"},"b"]"#, "item 2"),
        (r#"[{"key":1}]"#, "item 1: key must be a string"),
        (r#"[{"key":["a"]}]"#, "key must be a string"),
        (r#"[{"key":"a"},{"key":"b","etag":1}]"#, "item 2: etag must be a string"),
        (r#"[{"key":"a","metadata":[]}]"#, "metadata must be an object"),
        (r#"[{"key":"a","metadata":{"ttlInSeconds":60}}]"#, "metadata.ttlInSeconds must be a string"),
        (r#"[{"key":"a","options":"strong"}]"#, "options must be an object"),
        (r#"[{"key":"a","options":{"concurrency":1}}]"#, "concurrency must be a string"),
        (r#"[{"key":"a","contentType":1}]"#, "contentType must be a string"),
    ] {
        let (status, code, message) = error(&fixture.call(SAVE, body));
        assert_eq!((status, code.as_str()), (400, "ERR_MALFORMED_REQUEST"), "{body}");
        assert!(message.contains(names), "{body}: {message}");
    }
    for body in ["[{}]", "[null]", r#"[{"key":""}]"#, r#"[{"key":null}]"#, r#"[{"ey":"a"}]"#, r#"[{"key":"a"},{}]"#] {
        expect_error(&fixture.call(SAVE, body), 400, "ERR_MALFORMED_REQUEST", "\"key\" is a required field");
    }
    assert!(fixture.store.set.borrow().is_empty());
}

#[test]
fn options_that_are_not_daprs_are_a_failed_save_and_nothing_is_stored() {
    let fixture = Fixture::new();
    for (item, text) in [
        (r#""options":{"concurrency":"FIRST"}"#, "unrecognized concurrency \"FIRST\": use first-write or last-write"),
        (r#""options":{"consistency":"x"}"#, "unrecognized consistency \"x\": use strong or eventual"),
        (
            r#""metadata":{"ttlInSeconds":"1.5"}"#,
            "incorrect value \"1.5\" for metadata ttlInSeconds: use a whole number of seconds",
        ),
    ] {
        let reply = fixture.call(SAVE, &format!(r#"[{{"key":"a"}},{{"key":"b",{item}}}]"#));
        expect_error(&reply, 500, "ERR_STATE_SAVE", &format!("failed saving state in state store s: {text}"));
    }
    assert!(fixture.store.set.borrow().is_empty());
}

#[test]
fn the_failure_of_a_single_item_has_its_status() {
    let fixture = Fixture::new();
    for (why, status, text) in [
        (mismatch(), 409, "possible etag mismatch. error from state store: it has changed"),
        (invalid(), 400, "invalid etag value: no number"),
        (failed(), 500, "it is full"),
        (unavailable(), 500, "no connection"),
        (unknown(), 500, "the outcome is unknown, the write may or may not have been done: the link died"),
    ] {
        fixture.store.answers.borrow_mut().push_back(Err(why));
        let reply = fixture.call(SAVE, r#"[{"key":"k"}]"#);
        expect_error(&reply, status, "ERR_STATE_SAVE", &format!("failed saving state in state store s: {text}"));
    }
}

#[test]
fn of_several_items_each_failure_is_named_by_its_key() {
    let fixture = Fixture::new();
    fixture.store.answers.borrow_mut().extend([Ok(()), Err(failed()), Err(mismatch())]);
    let reply = fixture.call(SAVE, r#"[{"key":"a"},{"key":"b"},{"key":"c"}]"#);
    let message = "failed saving state in state store s: 2 of 3 items failed: b: it is full; \
        c: possible etag mismatch. error from state store: it has changed";
    expect_error(&reply, 409, "ERR_STATE_SAVE", message);
}

#[test]
fn an_unknown_outcome_is_never_hidden_behind_a_conflict() {
    let fixture = Fixture::new();
    fixture.store.answers.borrow_mut().extend([Err(mismatch()), Err(unknown())]);
    let reply = fixture.call(SAVE, r#"[{"key":"a"},{"key":"b"}]"#);
    let (status, _, message) = error(&reply);
    assert_eq!(status, 500);
    assert!(message.contains("b: the outcome is unknown"), "{message}");
}

#[test]
fn when_the_store_does_not_answer_the_items_that_wait_are_not_tried() {
    for why in [unavailable(), unknown()] {
        let fixture = Fixture::new();
        fixture.store.holds.set(true);
        fixture.store.answers.borrow_mut().push_back(Err(why.clone()));
        let items: Vec<_> = (0..250).map(|n| json!({"key": format!("k{n}")})).collect();
        assert_eq!(fixture.begin(SAVE, Headers::new(), Value::from(items).to_string()), None);
        fixture.store.release();
        let (status, _, message) = error(&fixture.run().unwrap());
        let start = "failed saving state in state store s: 1 of 250 items failed, 150 more were not tried: k0: ";
        assert_eq!((status, message), (500, format!("{start}{why}")));
        assert_eq!(fixture.store.set.borrow().len(), 100);
    }
}

#[test]
fn a_message_about_very_many_items_is_cut() {
    let fixture = Fixture::new();
    fixture.store.answers.borrow_mut().extend(vec![Err(failed()); 1000]);
    let items: Vec<_> = (0..1000).map(|n| json!({"key": format!("k{n}")})).collect();
    let (status, _, message) = error(&fixture.call(SAVE, &Value::from(items).to_string()));
    assert_eq!((status, message.len()), (500, crate::error::MAX_MESSAGE));
    assert!(message.contains("1000 of 1000 items failed: k0: it is full; k1: "), "{message}");
}

#[test]
fn the_answer_comes_only_after_the_store_has_all_items() {
    let fixture = Fixture::new();
    fixture.store.holds.set(true);
    let items: Vec<_> = (0..250).map(|n| json!({"key": n.to_string()})).collect();
    assert_eq!(fixture.begin(SAVE, Headers::new(), Value::from(items).to_string()), None);
    for (waiting, stored) in [(100, 100), (100, 200), (50, 250)] {
        assert_eq!((fixture.store.waiting(), fixture.store.set.borrow().len()), (waiting, stored));
        fixture.store.release();
        let reply = fixture.run();
        assert_eq!(reply.is_some(), stored == 250);
    }
}

#[test]
fn in_memory_first_write_needs_that_there_is_no_value() {
    let fixture = Fixture::new();
    let body = r#"[{"key":"k","value":1,"options":{"concurrency":"first-write"}}]"#;
    is_saved(&fixture.call("POST /v1.0/state/m", body));
    let (status, code, message) = error(&fixture.call("POST /v1.0/state/m", body));
    assert_eq!((status, code.as_str()), (409, "ERR_STATE_SAVE"));
    assert!(message.contains("possible etag mismatch"), "{message}");
    assert_eq!(fixture.get("/v1.0/state/m/k").body, b"1");
}

#[test]
fn in_memory_a_ttl_ends_a_value() {
    let fixture = Fixture::new();
    is_saved(&fixture.call("POST /v1.0/state/m", r#"[{"key":"k","value":1,"metadata":{"ttlInSeconds":"60"}}]"#));
    let reply = fixture.get("/v1.0/state/m/k");
    assert_eq!(reply.headers.text("metadata.ttlexpiretime"), Some("2026-05-28T20:27:40Z"));
    fixture.host.pass(&fixture.runtime, std::time::Duration::from_secs(60));
    assert_eq!(fixture.get("/v1.0/state/m/k"), Reply::no_content());
}
