//! The application's own token: by it the application knows that its proxy calls.

use super::guarded;
use hyper::Method;
use serde_json::json;
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
