//! A trap kills the module's instance on one worker. Everything comes back by itself.

use super::{commands, message, value};
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use weft_tests::app::Reply;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

/// One that can be made to trap.
fn fragile(workers: u32) -> Builder {
    Mesh::builder().workers(workers).with_trap().redis(Redis::start())
}

/// Kills the instance of the worker that takes the request. The trap is announced to the harness by the caller.
fn trap(mesh: &Mesh, app: &str) {
    let answer = mesh.app(app).get("/weft-test/trap").send();
    assert_eq!(answer.status, 503, "{}", answer.text());
}

/// Announces that many traps.
fn expect_traps(mesh: &Mesh, count: RangeInclusive<usize>) {
    for sign in ["trap asked for", "Uncaught RuntimeError: unreachable"] {
        mesh.envoy.expect_log(sign, count.clone());
    }
}

/// Shortens the time after which a held request is ended, so that a test need not wait for fifteen seconds.
fn impatient(bootstrap: &mut Value) {
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        if manager["stream_idle_timeout"] == "15s" {
            manager["stream_idle_timeout"] = json!("2s");
        }
    }
}

#[test]
fn requests_that_were_held_when_the_module_trapped_are_ended_by_a_timer_with_daprs_error() {
    let mesh = fragile(1).edit(impatient).app("orders").start();
    expect_traps(&mesh, 1..=1);
    let orders = mesh.app("orders");
    dapr::no_content(&orders.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": "kept"}])).send());
    mesh.redis().freeze();
    let before = commands(&mesh);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| orders.get("/v1.0/state/statestore/k").send());
        let save = orders.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": "new"}]));
        let write = scope.spawn(|| save.send());
        wait::until_true("a command is under way", || commands(&mesh) > before);
        trap(&mesh, "orders");
        for held in [read, write] {
            let answer = held.join().expect("an answer");
            let why = message(&answer, 500, "ERR_DIRECT_INVOKE");
            assert_eq!(why, "the request was not answered in time");
        }
    });
    mesh.redis().thaw();
    // A link of the new instance: the old one's connection has gone with it.
    assert!(["\"kept\"", "\"new\""].contains(&value(&mesh, "orders", "/v1.0/state/statestore/k").as_str()));
}

#[test]
fn every_role_serves_again_after_a_trap() {
    const ROUNDS: usize = 3;
    for workers in [1, 4] {
        let mesh = fragile(workers).app("orders").app("warehouse").start();
        // Of several workers one may be asked that has no instance yet, and answers 503 for that.
        expect_traps(&mesh, if workers == 1 { ROUNDS } else { 1 }..=ROUNDS);
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        warehouse.server.on("/stock", Reply::bytes(200, "stocked"));
        for round in 1..=ROUNDS {
            wait::until_true("the module is there to trap", || {
                orders.get("/v1.0/healthz/outbound").send().status == 204
            });
            trap(&mesh, "orders");
            wait::until_true("invocations pass", || {
                let answer = orders.get("/v1.0/invoke/warehouse/method/stock").send();
                answer.status == 200 && answer.text() == "stocked"
            });
            let save = || orders.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": round}])).send();
            wait::until_true("state is saved", || save().status == 204);
            assert_eq!(value(&mesh, "orders", "/v1.0/state/statestore/k"), round.to_string());
        }
    }
}

#[test]
fn an_idle_pump_is_revived_without_any_traffic() {
    const TRAPS: usize = 8;
    for workers in [1, 4] {
        let subscription = json!([{"pubsubname": "quick", "topic": "t", "routes": {"default": "/t"}}]);
        // What a dead instance's connection had asked for goes to it and is claimed by another consumer after that time.
        let quick = json!({"processingTimeout": "1s", "redeliverInterval": "300ms"});
        let builder = fragile(workers).redis_component("quick", "pubsub.redis", quick);
        let mesh = builder.app("orders").subscriptions(subscription).start();
        let orders = mesh.app("orders");
        orders.server.on("/t", Reply::status(200));
        mesh.wait_until_subscribed("orders");
        expect_traps(&mesh, 1..=TRAPS);
        for _ in 0..if workers == 1 { 1 } else { TRAPS } {
            trap(&mesh, "orders");
        }
        // Past the proxy: nothing reaches it but its own health checks.
        let mut client = mesh.redis().client();
        for number in 1..=3 {
            let event = json!({"id": number.to_string(), "data": number}).to_string();
            client.run::<String>(&["XADD", "t", "*", "data", &event, "metadata", "{}"]);
        }
        let _ = orders.server.wait_for("/t", 3);
        wait::until_true("all is acknowledged", || client.pending("t", "orders") == 0);
    }
}
