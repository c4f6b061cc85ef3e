//! `kind: Resiliency` from a file.

use crate::resources::files;
use crate::{http, stays};
use serde_json::Value;
use std::path::Path;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::get;
use weft_tests::weft;

const POLICIES: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: calls}
scopes: [orders]
spec:
  policies:
    retries: {three: {duration: 10ms, maxRetries: 3}, DaprBuiltInActorRetries: {maxRetries: 9}}
    circuitBreakers: {two: {trip: consecutiveFailures >= 6, timeout: 60s}}
  targets: {apps: {orders: {retry: three, circuitBreaker: two}}}
";

#[test]
fn calls_are_tried_again_and_held_back_as_the_resource_says() {
    let app = TestApp::start();
    app.on_each("/x", vec![Reply::status(503), Reply::status(500), Reply::bytes(200, "there")]);
    app.on("/y", Reply::status(500));
    let folder = files(&[("calls.yaml", POLICIES.to_owned())]);
    let weft = stays(Some(app.port()), &["--resources-path", folder.path().to_str().unwrap()]);
    let address = http(&weft);
    assert_eq!(get(&address, "/v1.0/invoke/orders/method/x").send().expect(200).text(), "there");
    assert_eq!(app.seen("/x").len(), 3);
    // Four tries, then two more until the breaker opens.
    for _ in 0..2 {
        get(&address, "/v1.0/invoke/orders/method/y").send().expect(500);
    }
    let held = get(&address, "/v1.0/invoke/orders/method/y").send().expect(500).text();
    assert!(held.contains("circuit breaker is open"), "{held}");
    assert_eq!(app.seen("/y").len(), 6);
    weft.err("spec.policies.retries.DaprBuiltInActorRetries has no effect");
}

#[test]
fn what_is_rendered_holds_the_policies_for_the_filter() {
    let folder = files(&[("calls.yaml", POLICIES.to_owned())]);
    let out = folder.path().join("out");
    let words = ["render", "--app-id", "orders", "--module-path", "/opt/weft.wasm", "--resources-path"];
    let words = words.map(Path::new).into_iter().chain([folder.path(), Path::new("--out"), &out]);
    assert_eq!(weft::run(words).status, 0);
    let plugin: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("plugin-orders.json")).unwrap()).unwrap();
    let policy = &plugin["resiliency"]["apps"]["orders"];
    assert_eq!((&policy["retry"]["maxRetries"], &policy["circuitBreaker"]["timeoutMs"]), (&3.into(), &60_000.into()));
    assert!(out.join("weft-route.wasm").is_file(), "the small module does it");
}
