//! Health checks of the application.

use super::guarded;
use hyper::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use weft::bootstrap::{AppHealth, Guard};
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::wait;

fn start(workers: u32) -> Mesh {
    let health = AppHealth { path: "/alive".to_owned(), interval: Duration::from_millis(50), ..AppHealth::default() };
    let guard = Guard { token: Some("secret".to_owned()), health: Some(health), ..Guard::default() };
    let subscriptions = json!([
        {"pubsubname": "membus", "topic": "parcels", "routes": {"default": "/parcels"}, "deadLetterTopic": "dead"},
        {"pubsubname": "membus", "topic": "dead", "routes": {"default": "/dead"}},
    ]);
    guarded(workers, guard, subscriptions)
}

/// Lets the application answer health checks with the status that is in the cell.
fn alive(app: &MeshApp) -> Arc<AtomicU16> {
    let status = Arc::new(AtomicU16::new(204));
    let told = Arc::clone(&status);
    app.server.on_call("/alive", move |_| Reply::status(told.load(Ordering::SeqCst)));
    status
}

fn gates(workers: u32) {
    let mesh = start(workers);
    let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
    let status = alive(warehouse);
    warehouse.server.on("/stock", Reply::status(200));
    warehouse.server.on("/parcels", Reply::event("SUCCESS"));
    let call = || orders.get("/v1.0/invoke/warehouse/method/stock").send();
    let publish = || {
        let publish = orders.call(Method::POST, "/v1.0/publish/membus/parcels");
        dapr::no_content(&publish.json(&json!({"n": 1})).send());
    };
    wait::until_true("the healthy application is called", || call().status == 200);
    mesh.wait_until_subscribed("warehouse");
    publish();
    assert_eq!(warehouse.server.wait_for("/parcels", 1).len(), 1);
    assert_eq!(warehouse.server.wait_for("/alive", 1)[0].value("dapr-api-token").as_deref(), Some("secret"));

    status.store(503, Ordering::SeqCst);
    wait::until_true("the sick application is not called", || call().status != 200);
    let called = warehouse.server.seen("/stock").len();
    let body = dapr::error(&call(), 500, "ERR_DIRECT_INVOKE");
    assert_eq!(body["message"], "failed to invoke, id: warehouse, err: app is not in a healthy state");
    assert_eq!(warehouse.server.seen("/stock").len(), called);
    publish();
    wait::until_true("the event was tried", || mesh.envoy.log().contains("an event has to wait"));
    assert_eq!(warehouse.server.seen("/parcels").len(), 1);

    status.store(200, Ordering::SeqCst);
    wait::until_true("the application is called again", || call().status == 200);
    assert_eq!(warehouse.server.wait_for("/parcels", 2).len(), 2);
    assert!(warehouse.server.seen("/dead").is_empty(), "an event that waits is not dead");
}

#[test]
fn a_sick_application_gets_neither_calls_nor_events_until_it_is_well() {
    gates(1);
}

#[test]
fn a_sick_application_gets_neither_calls_nor_events_on_four_workers() {
    gates(4);
}
