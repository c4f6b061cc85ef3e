//! The application's own token: by it the application knows that its proxy calls.

use super::guarded;
use hyper::Method;
use serde_json::{Value, json};
use weft::bootstrap::{Guard, Protocol};
use weft_tests::app::{Reply, Seen};
use weft_tests::dapr::{self, unique};
use weft_tests::grpc::Talk;
use weft_tests::mesh::Mesh;
use weft_tests::runtime::block_on;
use weft_tests::shared::Meshes;

/// `%` means something to Envoy, not to Dapr.
const TOKEN: &str = "100%secret%DOWNSTREAM_PEER_ID%";

static MESHES: Meshes = Meshes::new(|workers| {
    let guard = Guard { token: Some(TOKEN.to_owned()), ..Guard::default() };
    let subscription = json!([{"pubsubname": "membus", "topic": "parcels", "routes": {"default": "/parcels"}}]);
    guarded(workers, guard, subscription)
});

fn token(seen: &Seen) -> Option<String> {
    seen.value("dapr-api-token")
}

#[test]
fn a_call_brings_the_callees_token_and_never_the_callers() {
    MESHES.each(|mesh| {
        for (callee, wanted) in [("warehouse", Some(TOKEN.to_owned())), ("orders", None)] {
            for caller in ["orders", "warehouse"] {
                let path = format!("/{}", unique("token"));
                mesh.app(callee).server.on(&path, Reply::status(200));
                let call = mesh.app(caller).get(&format!("/v1.0/invoke/{callee}/method{path}"));
                call.header("dapr-api-token", "mine").send().expect(200);
                assert_eq!(token(&mesh.app(callee).server.wait_for(&path, 1)[0]), wanted, "{caller} to {callee}");
            }
        }
    });
}

#[test]
fn events_and_the_question_for_subscriptions_bring_the_token() {
    MESHES.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        let before = warehouse.server.seen("/parcels").len();
        warehouse.server.on("/parcels", Reply::event("SUCCESS"));
        let publish = mesh.app("orders").call(Method::POST, "/v1.0/publish/membus/parcels");
        dapr::no_content(&publish.json(&json!({"n": 1})).send());
        let delivered = warehouse.server.wait_for("/parcels", before + 1);
        assert_eq!(delivered.last().and_then(token).as_deref(), Some(TOKEN));
        assert_eq!(token(&warehouse.server.wait_for("/dapr/subscribe", 1)[0]).as_deref(), Some(TOKEN));
    });
}

#[test]
fn a_grpc_call_brings_the_callees_token_and_never_the_callers() {
    let guard = Guard { token: Some(TOKEN.to_owned()), ..Guard::default() };
    let builder = Mesh::builder().app("orders").app("modern").protocol(Protocol::Grpc).guard(guard);
    let mesh = builder.start();
    for caller in ["orders", "modern"] {
        let talk = Talk::at(&mesh.app(caller).grpc()).with("dapr-app-id", "modern").with("dapr-api-token", "mine");
        block_on(talk.unary("/weft.test.Talk/Say", caller)).unwrap();
    }
    let seen = mesh.app("modern").server.wait_for("/weft.test.Talk/Say", 2);
    assert_eq!(seen.iter().map(token).collect::<Vec<_>>(), [Some(TOKEN.to_owned()), Some(TOKEN.to_owned())]);
    mesh.envoy.check_log();
}

/// The same by the plugin's configuration, as people write it by hand; the cluster adds nothing.
static WRITTEN: Meshes = Meshes::new(|workers| {
    let subscriptions = json!([{"pubsubname": "membus", "topic": "parcels", "routes": {"default": "/parcels"}},
        {"pubsubname": "membus", "topic": "crates", "routes": {"default": "/crates"},
            "bulkSubscribe": {"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 10}}]);
    let builder = Mesh::builder().workers(workers).in_memory().app("orders").app("warehouse");
    builder.subscriptions(subscriptions).edit(write_token).start()
});

/// Writes the token's variable into the plugin's configuration of the warehouse, and gives it to the filters.
fn write_token(value: &mut Value) {
    if value.get("root_id").is_some() {
        value["vm_config"]["environment_variables"] = json!({"key_values": {"WEFT_TEST_TOKEN": TOKEN}});
        let text = value["configuration"]["value"].as_str().unwrap_or("{}");
        let mut plugin: Value = serde_json::from_str(text).unwrap();
        if plugin["appId"] == "warehouse" {
            plugin["app"]["apiToken"] = json!({"env": "WEFT_TEST_TOKEN"});
            value["configuration"]["value"] = plugin.to_string().into();
        }
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(write_token),
        Value::Array(elements) => elements.iter_mut().for_each(write_token),
        _ => {}
    }
}

#[test]
fn a_token_in_the_plugins_configuration_comes_with_every_request_to_the_application() {
    WRITTEN.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        for (callee, wanted) in [("warehouse", Some(TOKEN.to_owned())), ("orders", None)] {
            for caller in [orders, warehouse] {
                let path = format!("/{}", unique("written"));
                mesh.app(callee).server.on(&path, Reply::status(200));
                for theirs in ["mine", TOKEN] {
                    let call = caller.get(&format!("/v1.0/invoke/{callee}/method{path}"));
                    call.header("dapr-api-token", theirs).send().expect(200);
                }
                let seen = mesh.app(callee).server.wait_for(&path, 2);
                assert_eq!((token(&seen[0]), token(&seen[1])), (wanted.clone(), wanted.clone()), "{callee}");
            }
        }
        for topic in ["parcels", "crates"] {
            let path = format!("/{topic}");
            let before = warehouse.server.seen(&path).len();
            warehouse.server.on(&path, Reply::event("SUCCESS"));
            let publish = orders.call(Method::POST, &format!("/v1.0/publish/membus/{topic}"));
            dapr::no_content(&publish.header("metadata.dapr-api-token", "forged").json(&json!({"n": 1})).send());
            assert_eq!(warehouse.server.wait_for(&path, before + 1).last().and_then(token).as_deref(), Some(TOKEN));
        }
        assert_eq!(token(&warehouse.server.wait_for("/dapr/subscribe", 1)[0]).as_deref(), Some(TOKEN));
    });
}
