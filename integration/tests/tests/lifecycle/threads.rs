//! Envoy starts the module on its main thread, too, where it can do nothing and must not try.

use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

#[test]
fn the_main_threads_instance_knows_itself_and_opens_nothing() {
    for workers in [1, 4] {
        let subscription = json!([{"pubsubname": "pubsub", "topic": "t", "routes": {"default": "/t"}}]);
        let builder = Mesh::builder().workers(workers).redis(Redis::start()).app("orders").subscriptions(subscription);
        let mesh = builder.log_level(weft_core::config::LogLevel::Debug).start();
        mesh.envoy.admin().log_level("wasm", "debug");
        let orders = mesh.app("orders");
        orders.server.on("/t", Reply::status(200));
        wait::until_true("the main thread's instance has given up", || {
            mesh.envoy.log().contains("what=\"no worker, stays quiet\"")
        });
        dapr::no_content(&orders.post("/v1.0/publish/pubsub/t").body("x").send());
        let _ = orders.server.wait_for("/t", 1);
        let log = mesh.envoy.log();
        assert_eq!(log.matches("what=\"no worker, stays quiet\"").count(), 1, "{log}");
        // It would lose each connection that it opens, and each worker keeps what it has.
        assert_eq!(mesh.envoy.admin().stat("wasmcustom.weft.link.closed"), 0);
    }
}
