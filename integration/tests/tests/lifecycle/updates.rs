//! New configurations for a running proxy: bad ones change nothing, good ones take over without a loss.

use super::{commands, message};
use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::raw::Raw;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

fn updatable(workers: u32) -> Builder {
    Mesh::builder().workers(workers).listeners_in_file()
}

fn updates(mesh: &Mesh, outcome: &str) -> u64 {
    mesh.envoy.admin().stat(&format!("listener_manager.lds.update_{outcome}"))
}

#[test]
fn a_bad_configuration_is_refused_with_every_mistake_and_the_present_one_serves_on() {
    for workers in [1, 4] {
        let mesh = updatable(workers).in_memory().app("orders").start();
        let orders = mesh.app("orders");
        let save = |size: usize| {
            let value = "x".repeat(size);
            orders.post("/v1.0/state/memory").json(&json!([{"key": "k", "value": value}])).send()
        };
        dapr::no_content(&save(1000));
        for sign in ["what=\"configuration refused\"", "Wasm VM failed", "failed to load"] {
            mesh.envoy.expect_log(sign, 0..=1000);
        }
        mesh.update_plugins(|plugin| {
            plugin["appID"] = plugin["appId"].take();
            plugin["components"][0]["metadata"] = json!({"colour": "s3cret"});
            plugin["subscriptions"] = json!([{"pubsubname": "nobody", "topic": "t", "routes": {"default": "/t"}}]);
            plugin["limits"] = json!({"maxBodyBytes": 100});
        });
        wait::until_true("Envoy refuses the update", || updates(&mesh, "rejected") == 1);
        let log = mesh.envoy.log();
        for path in ["$.appID", "$.appId", "$.components[0].metadata.colour", "$.subscriptions[0].pubsubname"] {
            assert!(log.contains(&format!("path=\"{path}\" what=\"configuration refused\"")), "{path} in {log}");
        }
        assert!(!log.contains("s3cret"), "{log}");
        dapr::no_content(&save(1000));
        // The next good one is taken.
        mesh.update_plugins(|plugin| {
            plugin["appId"] = json!("orders");
            plugin.as_object_mut().unwrap().remove("appID");
            plugin["components"][0]["metadata"] = json!({});
            plugin["subscriptions"] = json!([]);
        });
        wait::until_true("the new bound holds", || save(1000).status == 400);
        let why = message(&save(1000), 400, "ERR_MALFORMED_REQUEST");
        assert!(why.contains("maxBodyBytes"), "{why}");
        dapr::no_content(&save(10));
    }
}

#[test]
fn a_request_that_is_held_while_the_configuration_changes_gets_its_answer() {
    for workers in [1, 4] {
        let mesh = updatable(workers).drain_seconds(15).redis(Redis::start()).app("orders").start();
        let orders = mesh.app("orders");
        let save = |value: u32| orders.post("/v1.0/state/statestore").json(&json!([{"key": "k", "value": value}]));
        dapr::no_content(&save(1).send());
        mesh.redis().freeze();
        let before = commands(&mesh);
        std::thread::scope(|scope| {
            let read = scope.spawn(|| orders.get("/v1.0/state/statestore/k").send());
            wait::until_true("the read is under way", || commands(&mesh) > before);
            mesh.update_plugins(|plugin| plugin["limits"] = json!({"maxBodyBytes": 1_000_000}));
            wait::until_true("the update is taken", || {
                mesh.envoy.admin().stat("listener_manager.listener_modified") > 0
            });
            mesh.redis().thaw();
            assert_eq!(read.join().expect("an answer").expect(200).text(), "1");
        });
        wait::until_true("the new configuration serves", || save(2).send().status == 204);
    }
}

#[test]
fn an_invocation_that_streams_while_the_configuration_changes_goes_on() {
    let mesh = updatable(1).drain_seconds(15).app("orders").app("warehouse").start();
    let streams = mesh.app("warehouse").server.on_stream("/stream");
    let mut client = Raw::connect(&mesh.app("orders").http());
    client.write("POST /v1.0/invoke/warehouse/method/stream HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.write("3\r\none\r\n");
    let mut open = streams.next();
    assert_eq!(open.receive().as_deref(), Some(&b"one"[..]));
    mesh.update_plugins(|plugin| plugin["limits"] = json!({"maxBodyBytes": 1_000_000}));
    wait::until_true("the update is taken", || mesh.envoy.admin().stat("listener_manager.listener_modified") > 0);
    open.send(b"first");
    client.read_until(b"first");
    client.write("3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(open.receive().as_deref(), Some(&b"two"[..]));
    assert_eq!(open.receive(), None);
    open.end();
    client.read_until(b"0\r\n\r\n");
    mesh.app("warehouse").server.on("/other", Reply::status(200));
    mesh.app("orders").get("/v1.0/invoke/warehouse/method/other").send().expect(200);
}
