use super::*;
use crate::state::{DeleteRequest, Record};
use std::time::Duration;

#[test]
fn a_value_is_answered_byte_for_byte_as_json_with_its_etag() {
    let fixture = Fixture::new();
    fixture.store.holds_record("myapp||k", b"\x00\xff no json", "17");
    let reply = fixture.get("/v1.0/state/s/k?consistency=strong&metadata.x=y");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, b"\x00\xff no json");
    assert_eq!(reply.headers.text("content-type"), Some("application/json"));
    assert_eq!(reply.headers.text("etag"), Some("17"));
    assert_eq!(reply.headers.get("metadata.ttlexpiretime"), None);
}

#[test]
fn a_value_that_goes_away_says_when() {
    let fixture = Fixture::new();
    let record = Record { data: b"1".to_vec(), etag: None, expires: Some(Duration::from_secs(1_780_000_060)) };
    fixture.store.records.borrow_mut().insert("myapp||k".to_owned(), Ok(Some(record)));
    let reply = fixture.get("/v1.0/state/s/k");
    assert_eq!(reply.headers.text("metadata.ttlexpiretime"), Some("2026-05-28T20:27:40Z"));
    assert_eq!(reply.headers.get("etag"), None);
}

#[test]
fn an_etag_that_is_no_header_value_is_left_out() {
    let fixture = Fixture::new();
    fixture.store.holds_record("myapp||k", b"1", "1\r\nx-evil: 1");
    let reply = fixture.get("/v1.0/state/s/k");
    assert_eq!((reply.status, reply.headers.get("etag")), (200, None));
}

#[test]
fn a_missing_key_is_204_and_an_empty_value_is_200() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get("/v1.0/state/s/k"), Reply::no_content());
    fixture.store.holds_record("myapp||k", b"", "1");
    let reply = fixture.get("/v1.0/state/s/k");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn the_key_of_a_path_is_decoded_once() {
    let fixture = Fixture::new();
    for (in_path, key) in [("a%2Fb", "a/b"), ("a+b", "a b"), ("%25", "%"), ("%C3%A9", "é"), ("a|b", "a|b")] {
        fixture.get(&format!("/v1.0/state/s/{in_path}"));
        assert_eq!(fixture.store.read.borrow_mut().pop(), Some(format!("myapp||{key}")));
    }
}

#[test]
fn a_read_that_failed_is_daprs_error() {
    let fixture = Fixture::new();
    fixture.store.records.borrow_mut().insert("myapp||k".to_owned(), Err(failed()));
    let message = "fail to get k from state store s: it is full";
    expect_error(&fixture.get("/v1.0/state/s/k"), 500, "ERR_STATE_GET", message);
}

#[test]
fn a_delete_passes_etag_and_options_on() {
    let fixture = Fixture::new();
    is_saved(&fixture.call("DELETE /v1.0/state/s/k", ""));
    let line = "DELETE /v1.0/state/s/k?concurrency=first-write&consistency=strong";
    let headers = Headers::new().with("if-match", "\"1\"");
    is_saved(&fixture.begin(line, headers, "").unwrap());
    is_saved(&fixture.begin("DELETE /v1.0/state/s/k", Headers::new().with("if-match", ""), "").unwrap());
    let key = || "myapp||k".to_owned();
    let expected = [
        DeleteRequest { key: key(), ..DeleteRequest::default() },
        DeleteRequest {
            key: key(),
            etag: Some("\"1\"".to_owned()),
            concurrency: Concurrency::FirstWrite,
            consistency: Consistency::Strong,
        },
        DeleteRequest { key: key(), etag: Some(String::new()), ..DeleteRequest::default() },
    ];
    assert_eq!(*fixture.store.deleted.borrow(), expected);
}

#[test]
fn several_etags_are_one_that_fits_nothing() {
    let fixture = Fixture::new();
    let headers = Headers::new().with("if-match", "1").with("if-match", "2");
    fixture.begin("DELETE /v1.0/state/s/k", headers, "").unwrap();
    assert_eq!(fixture.store.deleted.borrow()[0].etag.as_deref(), Some("1,2"));
}

#[test]
fn an_etag_that_is_not_utf_8_reaches_the_store_damaged_and_so_fits_nothing() {
    let fixture = Fixture::new();
    let headers = Headers::new().with("if-match", b"\xff".to_vec());
    fixture.begin("DELETE /v1.0/state/s/k", headers, "").unwrap();
    assert_eq!(fixture.store.deleted.borrow()[0].etag.as_deref(), Some("\u{fffd}"));
}

#[test]
fn each_failure_of_a_delete_has_its_status() {
    let fixture = Fixture::new();
    for (why, status, text) in [
        (mismatch(), 409, "possible etag mismatch. error from state store: it has changed"),
        (invalid(), 400, "invalid etag value: no number"),
        (failed(), 500, "it is full"),
        (unknown(), 500, "the outcome is unknown, the write may or may not have been done: the link died"),
    ] {
        fixture.store.answers.borrow_mut().push_back(Err(why));
        let reply = fixture.call("DELETE /v1.0/state/s/k", "");
        expect_error(&reply, status, "ERR_STATE_DELETE", &format!("failed deleting state with key k: {text}"));
    }
}

#[test]
fn an_option_of_a_delete_that_is_not_daprs_deletes_nothing() {
    let fixture = Fixture::new();
    let reply = fixture.call("DELETE /v1.0/state/s/k?concurrency=First-Write", "");
    let message =
        "failed deleting state with key k: unrecognized concurrency \"First-Write\": use first-write or last-write";
    expect_error(&reply, 500, "ERR_STATE_DELETE", message);
    assert_eq!(fixture.call("DELETE /v1.0/state/s/k?consistency=weak", "").status, 500);
    assert!(fixture.store.deleted.borrow().is_empty());
}

#[test]
fn in_memory_an_etag_leads_from_get_to_delete() {
    let fixture = Fixture::new();
    is_saved(&fixture.call("POST /v1.0/state/m", r#"[{"key":"k","value":1}]"#));
    let etag = fixture.get("/v1.0/state/m/k").headers.get("etag").unwrap().to_vec();
    is_saved(&fixture.call("POST /v1.0/state/m", r#"[{"key":"k","value":2}]"#));
    let old = fixture.begin("DELETE /v1.0/state/m/k", Headers::new().with("if-match", etag), "").unwrap();
    assert_eq!((old.status, fixture.get("/v1.0/state/m/k").body), (409, b"2".to_vec()));
    let etag = fixture.get("/v1.0/state/m/k").headers.get("etag").unwrap().to_vec();
    is_saved(&fixture.begin("DELETE /v1.0/state/m/k", Headers::new().with("if-match", etag), "").unwrap());
    assert_eq!(fixture.get("/v1.0/state/m/k"), Reply::no_content());
}
