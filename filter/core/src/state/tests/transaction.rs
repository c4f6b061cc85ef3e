use super::*;
use crate::state::{DeleteRequest, Operation, SetRequest};

const TRANSACT: &str = "POST /v1.0/state/s/transaction";

#[test]
fn operations_reach_the_store_in_order_and_together() {
    let fixture = Fixture::new();
    let body = r#"{"Operations":[
        {"operation":"upsert","request":{"key":"a","value":1.0,"etag":"3","metadata":{"ttlInSeconds":"9"},
            "options":{"concurrency":"first-write"}}},
        {"operation":"delete","request":{"Key":"b","etag":"4","options":{"consistency":"eventual"}}},
        {"operation":"upsert","request":{"key":"a"}}],
        "metadata":{"partitionKey":"p"}} trailing"#;
    is_saved(&fixture.call("PUT /v1.0/state/s/transaction", body));
    let expected = vec![
        Operation::Upsert(SetRequest {
            key: "myapp||a".to_owned(),
            data: b"1.0".to_vec(),
            etag: Some("3".to_owned()),
            concurrency: Concurrency::FirstWrite,
            ttl: Ttl::Seconds(9),
            ..SetRequest::default()
        }),
        Operation::Delete(DeleteRequest {
            key: "myapp||b".to_owned(),
            etag: Some("4".to_owned()),
            consistency: Consistency::Eventual,
            ..DeleteRequest::default()
        }),
        Operation::Upsert(SetRequest { key: "myapp||a".to_owned(), data: b"null".to_vec(), ..SetRequest::default() }),
    ];
    assert_eq!(*fixture.store.transactions.borrow(), [expected]);
}

#[test]
fn metadata_of_the_query_reaches_each_operation_and_that_of_the_body_none() {
    let fixture = Fixture::new();
    let operations = r#"[{"operation":"upsert","request":{"key":"a","metadata":{"ttlInSeconds":"9"}}}]"#;
    let body = format!(r#"{{"operations":{operations},"metadata":{{"ttlInSeconds":"7"}}}}"#);
    is_saved(&fixture.call(TRANSACT, &body));
    is_saved(&fixture.call("POST /v1.0/state/s/transaction?metadata.ttlInSeconds=5", &body));
    let ttls: Vec<_> = fixture
        .store
        .transactions
        .borrow()
        .iter()
        .map(|operations| match &operations[0] {
            Operation::Upsert(set) => set.ttl,
            Operation::Delete(_) => Ttl::Never,
        })
        .collect();
    assert_eq!(ttls, [Ttl::Seconds(9), Ttl::Seconds(5)]);
}

#[test]
fn no_operations_are_done_at_once() {
    let fixture = Fixture::new();
    for body in ["{}", r#"{"operations":[]}"#, r#"{"operations":null}"#, "null"] {
        is_saved(&fixture.call(TRANSACT, body));
    }
    assert!(fixture.store.transactions.borrow().is_empty());
}

#[test]
fn a_key_may_be_empty_or_missing_as_in_daprd() {
    let fixture = Fixture::new();
    let body = r#"{"operations":[{"operation":"delete","request":{"key":""}},{"operation":"delete"}]}"#;
    is_saved(&fixture.call(TRANSACT, body));
    let empty = Operation::Delete(DeleteRequest { key: "myapp||".to_owned(), ..DeleteRequest::default() });
    assert_eq!(fixture.store.transactions.borrow()[0], [empty.clone(), empty]);
}

#[test]
fn an_operation_that_is_not_daprs_is_named() {
    let fixture = Fixture::new();
    for operation in ["Upsert", "get", ""] {
        let reply = fixture.call(TRANSACT, &format!(r#"{{"operations":[{{"operation":"{operation}"}}]}}"#));
        let message = format!("operation type {operation} not supported");
        expect_error(&reply, 400, "ERR_NOT_SUPPORTED_STATE_OPERATION", &message);
    }
    assert!(fixture.store.transactions.borrow().is_empty());
}

#[test]
fn what_cannot_be_read_is_named() {
    let fixture = Fixture::new();
    for (body, names) in [
        ("", "the text ends"),
        ("[]", "object"),
        (r#"{"operations":{}}"#, "operations must be an array"),
        (r#"{"operations":[1]}"#, "every operation must be an object"),
        (r#"{"operations":[{"operation":1}]}"#, "operation must be a string"),
        (r#"{"operations":[{"operation":"upsert","request":[]}]}"#, "operation 1: request must be an object"),
        (r#"{"operations":[{"operation":"upsert","request":{"key":1}}]}"#, "operation 1: key must be a string"),
        (r#"{"operations":[],"metadata":[]}"#, "metadata must be an object"),
    ] {
        let (status, code, message) = error(&fixture.call(TRANSACT, body));
        assert_eq!((status, code.as_str()), (400, "ERR_MALFORMED_REQUEST"), "{body}");
        assert!(message.starts_with("failed deserializing HTTP body: "), "{message}");
        assert!(message.contains(names), "{body}: {message}");
    }
}

#[test]
fn every_failure_is_500_and_says_what_the_store_said() {
    let fixture = Fixture::new();
    for (why, text) in [
        (mismatch(), "possible etag mismatch. error from state store: it has changed"),
        (invalid(), "invalid etag value: no number"),
        (failed(), "it is full"),
        (unknown(), "the outcome is unknown, the write may or may not have been done: the link died"),
    ] {
        fixture.store.answers.borrow_mut().push_back(Err(why));
        let reply = fixture.call(TRANSACT, r#"{"operations":[{"operation":"delete","request":{"key":"k"}}]}"#);
        expect_error(&reply, 500, "ERR_STATE_TRANSACTION", &format!("error while executing state transaction: {text}"));
    }
    let body = r#"{"operations":[{"operation":"upsert","request":{"key":"k","metadata":{"ttlInSeconds":"x"}}}]}"#;
    let (status, code, message) = error(&fixture.call(TRANSACT, body));
    assert_eq!((status, code.as_str()), (500, "ERR_STATE_TRANSACTION"));
    assert!(message.contains("ttlInSeconds"), "{message}");
}

#[test]
fn more_operations_than_the_store_takes_are_refused() {
    let fixture = Fixture::new();
    fixture.store.max_operations.set(Some(1));
    let body =
        r#"{"operations":[{"operation":"delete","request":{"key":"a"}},{"operation":"delete","request":{"key":"b"}}]}"#;
    let reply = fixture.call(TRANSACT, body);
    let message = "the transaction contains 2 operations, which is more than what the state store supports: 1";
    expect_error(&reply, 400, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", message);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["details"][0]["reason"], "DAPR_STATE_TOO_MANY_TRANSACTIONS");
    let numbers = json!({"currentOpsTransaction": "2", "maxOpsPerTransaction": "1"});
    assert_eq!(body["details"][0]["metadata"], numbers);
}

#[test]
fn a_store_without_transactions_says_so_before_the_body_is_read() {
    let fixture = Fixture::new();
    fixture.store.has_no_transactions.set(true);
    let reply = fixture.call(TRANSACT, "no json");
    let message = "state store s doesn't support transactions";
    expect_error(&reply, 500, "ERR_STATE_STORE_NOT_SUPPORTED", message);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["details"][0]["reason"], "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED");
    assert_eq!(body["details"][1]["resource_name"], "s");
    assert_eq!(body["details"][2]["@type"], "type.googleapis.com/google.rpc.Help");
}

#[test]
fn in_memory_a_conflict_changes_nothing() {
    let fixture = Fixture::new();
    is_saved(&fixture.call("POST /v1.0/state/m", r#"[{"key":"a","value":1}]"#));
    let body = r#"{"operations":[{"operation":"upsert","request":{"key":"b","value":2}},
        {"operation":"delete","request":{"key":"a","etag":"00000000-0000-4000-8000-000000000000"}}]}"#;
    let (status, code, message) = error(&fixture.call("POST /v1.0/state/m/transaction", body));
    assert_eq!((status, code.as_str()), (500, "ERR_STATE_TRANSACTION"));
    assert!(message.contains("possible etag mismatch"), "{message}");
    assert_eq!(fixture.get("/v1.0/state/m/a").body, b"1");
    assert_eq!(fixture.get("/v1.0/state/m/b"), Reply::no_content());
}
