//! What an application is told when its request cannot be served.

use super::{MESHES, on_each_store};
use serde_json::{Value, json};
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::{Mesh, MeshApp};

/// Every operation on a store.
fn every_operation(app: &MeshApp, store: &str) -> Vec<Answer> {
    let path = format!("/v1.0/state/{store}");
    [
        app.get(&format!("{path}/k")),
        app.delete(&format!("{path}/k")),
        app.post(&path),
        app.put(&path).body("no json"),
        app.post(&format!("{path}/bulk")).body("no json"),
        app.post(&format!("{path}/transaction")).body("no json"),
        app.post(&format!("/v1.0-alpha1/state/{store}/query")).body("no json"),
    ]
    .map(weft_tests::client::Call::send)
    .into()
}

fn details(body: &Value) -> usize {
    body["details"].as_array().unwrap().len()
}

#[test]
fn without_any_store_state_is_not_configured() {
    let whole = Mesh::builder().app("orders").component("bus", "pubsub.in-memory", json!({}));
    for builder in [whole, Mesh::builder().app("orders").module(weft_tests::env::route_module())] {
        let mesh = builder.start();
        for answer in every_operation(mesh.app("orders"), "a+store") {
            let body = dapr::error(&answer, 500, "ERR_STATE_STORE_NOT_CONFIGURED");
            assert_eq!(body["message"], "state store a store is not configured");
            assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_STATE_NOT_CONFIGURED");
            assert_eq!(details(&body), 1);
        }
    }
}

#[test]
fn an_unknown_store_is_told_by_its_name_whatever_the_body() {
    MESHES.each(|mesh| {
        // A broker's name is no store's.
        for store in ["nowhere", "pubsub"] {
            for answer in every_operation(mesh.app("orders"), store) {
                let body = dapr::error(&answer, 400, "ERR_STATE_STORE_NOT_FOUND");
                assert_eq!(body["message"], format!("state store {store} is not found"));
                let info = dapr::detail(&body, "ErrorInfo");
                assert_eq!((&info["reason"], &info["domain"]), (&json!("DAPR_STATE_NOT_FOUND"), &json!("dapr.io")));
                assert_eq!(info["metadata"], json!({"appID": "orders"}));
                assert_eq!(details(&body), 1);
            }
        }
    });
}

#[test]
fn a_key_with_the_separator_is_refused_wherever_it_stands() {
    on_each_store(|store| {
        let good = unique("good");
        let operation = |name: &str| json!([{"operation": name, "request": {"key": "a||b"}}]);
        let answers = [
            store.get("a%7C%7Cb"),
            store.get("a%7c|b"),
            store.delete("a%7C%7Cb"),
            store.save(&json!([{"key": good, "value": 1}, {"key": "a||b", "value": 1}])),
            store.bulk(&json!({"keys": [good, "a||b"]})),
            store.transact(&operation("upsert")),
            store.transact(&operation("delete")),
        ];
        for answer in answers {
            let body = dapr::error(&answer, 400, "ERR_MALFORMED_REQUEST");
            let message = "input key/keyPrefix 'a||b' can't contain '||'";
            assert_eq!(body["message"], message);
            assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_STATE_ILLEGAL_KEY");
            let resource = dapr::detail(&body, "ResourceInfo");
            assert_eq!((&resource["resource_type"], &resource["resource_name"]), (&json!("state"), &json!(store.name)));
            let violations = json!([{"field": "a||b", "description": message}]);
            assert_eq!(dapr::detail(&body, "BadRequest")["field_violations"], violations);
            assert_eq!(details(&body), 3);
        }
        assert_eq!(store.value(&good), None, "nothing of the request is stored");
    });
}

#[test]
fn an_empty_key_is_no_route_of_the_state_api() {
    on_each_store(|store| {
        for answer in [store.get(""), store.delete(""), store.get("/"), store.get("a/b")] {
            dapr::error(&answer, 404, "ERR_DIRECT_INVOKE");
        }
    });
}

#[test]
fn an_option_that_is_not_daprs_stores_nothing_and_is_named_with_those_that_are() {
    on_each_store(|store| {
        let key = unique("option");
        for (option, text, known) in [
            ("concurrency", "First-Write", "first-write or last-write"),
            ("concurrency", "none", "first-write or last-write"),
            ("consistency", "STRONG", "strong or eventual"),
        ] {
            let mut item = json!({"key": key, "value": 1});
            item["options"][option] = json!(text);
            let why = format!("unrecognized {option} {text:?}: use {known}");
            let body = dapr::error(&store.save(&json!([item])), 500, "ERR_STATE_SAVE");
            assert_eq!(body["message"], format!("failed saving state in state store {}: {why}", store.name));
            let body = dapr::error(&store.delete(&format!("{key}?{option}={text}")), 500, "ERR_STATE_DELETE");
            assert_eq!(body["message"], format!("failed deleting state with key {key}: {why}"));
            let operations = json!([{"operation": "upsert", "request": item}]);
            let body = dapr::error(&store.transact(&operations), 500, "ERR_STATE_TRANSACTION");
            assert_eq!(body["message"], format!("error while executing state transaction: {why}"));
        }
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn of_several_items_each_failure_is_told_by_its_key_and_the_others_are_stored() {
    on_each_store(|store| {
        let (good, bad, worse) = (unique("good"), unique("bad"), unique("worse"));
        store.put(&bad, &json!("old"));
        store.put(&worse, &json!("old"));
        let etag = store.strange_etag();
        let items = json!([{"key": bad, "value": 1, "etag": etag}, {"key": good, "value": 2}, {"key": worse, "value": 3, "etag": etag}]);
        let body = dapr::error(&store.save(&items), 409, "ERR_STATE_SAVE");
        let message = body["message"].as_str().unwrap();
        let start = format!(
            "failed saving state in state store {}: 2 of 3 items failed: {bad}: possible etag mismatch",
            store.name
        );
        assert!(message.starts_with(&start) && message.contains(&format!("; {worse}: possible")), "{message}");
        let values = [&good, &bad, &worse].map(|key| store.value(key).unwrap());
        assert_eq!(values, ["2", "\"old\"", "\"old\""]);
    });
}

#[test]
fn an_operation_that_is_not_daprs_is_named_and_nothing_is_done() {
    on_each_store(|store| {
        let key = unique("operation");
        for name in ["Upsert", "get", ""] {
            let operations =
                json!([{"operation": "upsert", "request": {"key": key}}, {"operation": name, "request": {}}]);
            let body = dapr::error(&store.transact(&operations), 400, "ERR_NOT_SUPPORTED_STATE_OPERATION");
            assert_eq!(body["message"], format!("operation type {name} not supported"));
        }
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn queries_are_not_supported() {
    on_each_store(|store| {
        let path = format!("/v1.0-alpha1/state/{}/query", store.name);
        let body = dapr::error(&store.app().post(&path).json(&json!({})).send(), 500, "ERR_STATE_STORE_NOT_SUPPORTED");
        assert_eq!(body["message"], "state store does not support querying");
        assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_STATE_QUERYING_NOT_SUPPORTED");
        assert_eq!(dapr::detail(&body, "ResourceInfo")["resource_name"], store.name);
        assert_eq!(details(&body), 2);
    });
}
