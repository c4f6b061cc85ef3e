//! `@dapr/dapr` over HTTP: a client and a `DaprServer`.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use weft_tests::app::Reply;
use weft_tests::env;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;

/// What the program printed, by step.
struct Steps(Vec<Value>);

impl Steps {
    fn of(&self, step: &str) -> &Value {
        let found = self.0.iter().find(|it| it["step"] == step);
        &found.unwrap_or_else(|| panic!("the program did not come to {step:?}: {:?}", self.0))["value"]
    }

    /// Asserts what a promise gave.
    fn gave(&self, step: &str, value: &Value) {
        assert_eq!(self.of(step), &json!({"value": value}), "{step}");
    }

    /// Asserts that a promise failed with an error that names `text`.
    fn refused(&self, step: &str, text: &str) {
        let outcome = self.of(step);
        let error = outcome["error"].as_str().unwrap_or_else(|| panic!("{step}: {outcome}"));
        assert!(error.contains(text), "{step}: {error}");
    }
}

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
    let stock = Reply::json(200, &json!({"tea": 42}));
    mesh.app("warehouse").server.on("/stock", stock);
    let shop = mesh.app("shop");
    let http = shop.http();
    let mut node = Command::new(env::on_path("node").expect("node is on PATH"));
    node.arg(program())
        .env("DAPR_HTTP_PORT", http.rsplit(':').next().unwrap())
        .env("APP_PORT", shop.server.port().to_string())
        .env("STORE", store)
        .env("PUBSUB", pubsub);
    let mut child = Ended(node.stdout(Stdio::piped()).spawn().expect("node starts"));
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut steps = Vec::new();
    for line in lines {
        match serde_json::from_str(&line) {
            Ok(step) => steps.push(step),
            Err(_) => eprintln!("shop: {line}"),
        }
    }
    let steps = Steps(steps);
    assert!(child.0.wait().unwrap().success(), "the program failed after {:?}", steps.0.last());
    steps
}

/// The program, in the folder where its packages were installed.
fn program() -> PathBuf {
    let folder = std::env::var_os("WEFT_SDK_JAVASCRIPT").expect("run the tests with `cargo xtask test --only sdk`");
    Path::new(&folder).join("shop.js")
}

/// A process that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
