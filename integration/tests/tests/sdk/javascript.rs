//! `@dapr/dapr` over HTTP: a client and a `DaprServer`.

use super::steps::{Steps, answered, fetched, port, warehouse};
use serde_json::{Value, json};
use std::process::Command;
use weft_tests::env;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;

#[test]
fn the_javascript_sdk_finds_everything_in_memory() {
    for workers in [1, 4] {
        let mesh = apps(workers).in_memory().start();
        judge(&run(&mesh, "memory", "membus"));
        mesh.envoy.check_log();
    }
}

#[test]
fn the_javascript_sdk_finds_everything_on_redis() {
    for workers in [1, 4] {
        let mesh = apps(workers).redis(Redis::start()).start();
        judge(&run(&mesh, "statestore", "pubsub"));
        mesh.envoy.check_log();
    }
}

fn apps(workers: u32) -> weft_tests::mesh::Builder {
    Mesh::builder().workers(workers).app("warehouse").dead_app("shop")
}

/// Runs the program beside the application `shop` to its end.
fn run(mesh: &Mesh, store: &str, pubsub: &str) -> Steps {
    warehouse(mesh);
    let shop = mesh.app("shop");
    let mut node = Command::new(env::on_path("node").expect("node is on PATH"));
    node.arg(fetched("WEFT_SDK_JAVASCRIPT").join("shop.js"))
        .env("DAPR_HTTP_PORT", port(&shop.http()))
        .env("APP_PORT", shop.server.port().to_string())
        .env("STORE", store)
        .env("PUBSUB", pubsub);
    Steps::of_program(&mut node)
}

fn judge(steps: &Steps) {
    assert_eq!(steps.of("healthy"), true);
    assert_eq!(steps.of("metadata")["id"], "shop");
    assert_eq!(steps.of("metadata")["components"].as_array().map(Vec::len), Some(2));
    let subscriptions = steps.of("metadata")["subscriptions"].as_array().unwrap();
    let mut topics: Vec<&str> = subscriptions.iter().map(|it| it["topic"].as_str().unwrap()).collect();
    topics.sort_unstable();
    assert_eq!(topics, ["bulk", "dead", "doomed", "failing", "orders"]);
    invocations(steps);
    states(steps);
    events(steps);
    assert_eq!(steps.of("done"), true);
}

fn invocations(steps: &Steps) {
    steps.gave("invoke post", &json!({"sku": "tea", "price": 12.5, "caller": null}));
    assert!(steps.of("invoke get").to_string().contains("name=ada"), "{}", steps.of("invoke get"));
    steps.gave("invoke from another", &json!({"tea": 42}));
    steps.refused("invoke nobody", "ERR_DIRECT_INVOKE");
    steps.gave("fetch get", &answered(200, r#"{"tea":42}"#));
    steps.gave("fetch post", &answered(200, "POST /orders/echo text/plain;charset=UTF-8 {\"n\":1}"));
    assert_eq!(steps.of("fetch nobody")["value"]["status"], 500);
    assert!(steps.of("fetch nobody").to_string().contains("ERR_DIRECT_INVOKE"), "{}", steps.of("fetch nobody"));
}

fn states(steps: &Steps) {
    steps.gave("save", &json!({}));
    steps.gave("get object", &json!({"price": 12.5, "tags": ["green"]}));
    steps.gave("get text", &json!("blue"));
    steps.gave("get nothing", &json!(""));
    let bulk = steps.of("bulk");
    assert_eq!(bulk[0]["data"], 7);
    assert_eq!(bulk[1], json!({"key": "none"}));
    assert_eq!(bulk[2]["data"]["price"], 12.5);
    steps.gave("save with etag", &json!({}));
    steps.refused("save with old etag", "etag");
    steps.refused("delete with old etag", "etag");
    steps.gave("transaction", &Value::Null);
    steps.gave("get written", &json!("white"));
    steps.gave("get deleted", &json!(""));
    steps.gave("delete", &json!({}));
    steps.refused("unknown store", "ERR_STATE_STORE_NOT_FOUND");
}

fn events(steps: &Steps) {
    steps.gave("publish object", &json!({}));
    let mut orders: Vec<String> = steps.of("orders").as_array().unwrap().iter().map(ToString::to_string).collect();
    orders.sort();
    assert_eq!(orders, [r#""two""#, r#"{"order":1}"#, r#"{"order":3}"#]);
    steps.gave("publish bulk", &json!({"failedMessages": []}));
    assert_eq!(steps.of("bulk events").as_array().map(Vec::len), Some(3));
    assert_eq!(steps.of("failing"), &json!([{"order": 4}, {"order": 4}, {"order": 4}]));
    assert_eq!(steps.of("dead"), &json!([{"order": 5}]));
    steps.refused("publish nowhere", "ERR_PUBSUB_NOT_FOUND");
}
