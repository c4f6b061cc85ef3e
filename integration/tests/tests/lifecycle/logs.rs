//! The log: one form for every line, a level that can be chosen, no secrets.

use serde_json::json;
use weft_core::config::LogLevel;
use weft_tests::app::Reply;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::{dapr, wait};

const PASSWORD: &str = "p4ss w0rd";

fn guarded() -> Builder {
    let subscription = json!([{"pubsubname": "pubsub", "topic": "t", "routes": {"default": "/t"}}]);
    let redis = Redis::with(RedisOptions { password: Some(PASSWORD.to_owned()), ..RedisOptions::default() });
    let wrong = json!({"redisPassword": "wr0ng"});
    let builder = Mesh::builder().redis(redis).redis_component("closed", "state.redis", wrong);
    builder.app("orders").subscriptions(subscription)
}

/// What the filter wrote, without Envoy's words before it.
fn lines(mesh: &Mesh) -> Vec<String> {
    let log = mesh.envoy.log();
    let ours = log.lines().filter_map(|line| line.split_once("wasm log "));
    ours.filter_map(|(_, said)| said.split_once(": ")).map(|(_, line)| line.to_owned()).collect()
}

/// Does everything that is worth a line: connects, is refused, delivers, loses the backend.
fn live(mesh: &Mesh) {
    mesh.envoy.admin().log_level("wasm", "debug");
    mesh.envoy.expect_log("what=\"refused by the backend\"", 0..=1000);
    mesh.envoy.expect_log("what=\"an event was not taken\"", 0..=1000);
    let orders = mesh.app("orders");
    orders.server.on("/t", Reply::status(500));
    assert_eq!(orders.get("/v1.0/state/closed/k").send().status, 500);
    dapr::no_content(&orders.post("/v1.0/publish/pubsub/t").body("x").send());
    let _ = orders.server.wait_for("/t", 2);
    orders.server.on("/t", Reply::status(200));
    mesh.redis().kill();
    assert_eq!(orders.get("/v1.0/state/statestore/k").send().status, 500);
    mesh.redis().restart();
    wait::until_true("the store is back", || orders.get("/v1.0/state/statestore/k").send().status == 204);
}

#[test]
fn every_line_names_component_application_and_what_happened_and_none_a_secret() {
    let mesh = guarded().log_level(LogLevel::Debug).start();
    live(&mesh);
    let lines = lines(&mesh);
    assert!(lines.len() > 5, "{lines:?}");
    for line in &lines {
        let is_whole = line.starts_with("component=") && line.contains(" app=orders ") && line.contains(" what=\"");
        assert!(is_whole, "{line}");
    }
    for what in ["connected", "connection lost", "refused by the backend", "subscribed"] {
        assert!(lines.iter().any(|line| line.contains(&format!("what=\"{what}\""))), "{what} in {lines:?}");
    }
    let log = mesh.envoy.log();
    for secret in [PASSWORD, "wr0ng"] {
        assert!(!log.contains(secret), "a password stands in the log:\n{log}");
    }
}

#[test]
fn the_configuration_sets_the_least_severe_line() {
    let mesh = guarded().log_level(LogLevel::Error).start();
    live(&mesh);
    let lines = lines(&mesh);
    assert!(lines.iter().any(|line| line.contains("what=\"refused by the backend\"")), "{lines:?}");
    for what in ["configured", "connected", "connection lost", "subscribed"] {
        assert!(!lines.iter().any(|line| line.contains(&format!("what=\"{what}\""))), "{what} in {lines:?}");
    }
}
