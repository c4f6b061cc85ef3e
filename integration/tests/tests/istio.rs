//! The sample for Istio: every patch of it in a real Envoy, merged as istiod merges, with traffic through the result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::time::Duration;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::{self, Call};
use weft_tests::dapr;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::istio::{Service, Sidecar};
use weft_tests::redis::Redis;
use weft_tests::wait;
use weft_tests::yaml;

/// Istio's default for sidecars.
const WORKERS: u32 = 2;

/// The mesh of the sample: "orders", its copy for "warehouse", and a plain service on port 80.
struct Mesh {
    orders: TestApp,
    warehouse: TestApp,
    ledger: TestApp,
    caller: Sidecar,
    redis: Redis,
    envoys: [EnvoyProcess; 2],
}

impl Mesh {
    fn start() -> Self {
        let (orders, warehouse, ledger) = (TestApp::start(), TestApp::start(), TestApp::start());
        let redis = Redis::start();
        let [mesh, one_app] = envoy_filters();
        let other_app = replaced(&one_app, "orders", "warehouse");
        let services = |inbound: u16| {
            [
                Service::new("warehouse", 8080, inbound),
                Service::new("ledger", 80, ledger.port()),
                Service::new("redis", 6379, redis.port()),
            ]
        };
        let callee = Sidecar::new(warehouse.port(), &services(warehouse.port())).with(&mesh).with(&other_app);
        let caller = Sidecar::new(orders.port(), &services(callee.inbound())).with(&mesh).with(&one_app);
        let envoys = [callee.start(WORKERS), caller.start(WORKERS)];
        Self { orders, warehouse, ledger, caller, redis, envoys }
    }

    fn get(&self, path: &str) -> Call {
        client::get(&self.caller.http(), path)
    }

    fn stop(self) {
        self.envoys.into_iter().for_each(EnvoyProcess::stop);
    }
}

/// The EnvoyFilter for the mesh and the one for an application.
fn envoy_filters() -> [Value; 2] {
    let mut all = yaml::documents("istio-samples/weft.yaml");
    all.retain(|it| it["kind"] == "EnvoyFilter");
    all.try_into().expect("the sample has two EnvoyFilters")
}

/// The same with another text in its place.
fn replaced(resource: &Value, text: &str, fresh: &str) -> Value {
    let written = resource.to_string();
    assert!(written.contains(text), "the sample has no {text}");
    serde_json::from_str(&written.replace(text, fresh)).expect("JSON still")
}

#[test]
fn the_sample_carries_calls_events_and_state_between_two_sidecars() {
    let mesh = Mesh::start();
    calls_go_by_istios_routes_through_both_sidecars(&mesh);
    a_service_on_another_port_is_reached_by_an_internal_hop(&mesh);
    an_application_may_call_itself(&mesh);
    an_unknown_application_gets_daprs_error(&mesh);
    events_reach_the_subscribers(&mesh);
    state_lies_in_redis(&mesh);
    the_grpc_port_leads_to_the_same_filter(&mesh);
    mesh.stop();
}

fn calls_go_by_istios_routes_through_both_sidecars(mesh: &Mesh) {
    mesh.warehouse.on("/stock/42", Reply::json(200, &json!({"left": 7})));
    let answer = mesh.get("/v1.0/invoke/warehouse/method/stock/42").send().expect(200);
    assert_eq!(answer.json(), json!({"left": 7}));
    let seen = mesh.warehouse.wait_for("/stock/42", 1);
    assert_eq!(seen[0].value("dapr-caller-app-id").as_deref(), Some("orders"));
    assert_eq!(seen[0].value("dapr-callee-app-id").as_deref(), Some("warehouse"));
    let admin = mesh.envoys[1].admin();
    assert_eq!(admin.stat("cluster.outbound|8080||warehouse.default.svc.cluster.local.upstream_rq_200"), 1);
}

fn a_service_on_another_port_is_reached_by_an_internal_hop(mesh: &Mesh) {
    mesh.ledger.on("/entries", Reply::json(200, &json!([])));
    mesh.get("/v1.0/invoke/ledger/method/entries").send().expect(200);
    assert_eq!(
        mesh.ledger.wait_for("/entries", 1)[0].value("host").as_deref(),
        Some("ledger.default.svc.cluster.local:80")
    );
}

fn an_application_may_call_itself(mesh: &Mesh) {
    mesh.orders.on("/own", Reply::status(200));
    mesh.get("/v1.0/invoke/orders/method/own").header("host", "localhost:3500").send().expect(200);
    assert_eq!(mesh.orders.wait_for("/own", 1)[0].value("x-weft-cluster"), None);
}

fn an_unknown_application_gets_daprs_error(mesh: &Mesh) {
    let answer = mesh.get("/v1.0/invoke/nobody/method/x").send();
    let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().unwrap().contains("no healthy host"), "{body}");
}

fn events_reach_the_subscribers(mesh: &Mesh) {
    for app in [&mesh.orders, &mesh.warehouse] {
        app.on("/parcels", Reply::event("SUCCESS"));
    }
    let path = "/v1.0/publish/pubsub/parcels";
    let publish = Call::new(hyper::Method::POST, &mesh.caller.http(), path).header("host", "localhost");
    dapr::no_content(&publish.json(&json!({"order": "o-1"})).send());
    for app in [&mesh.orders, &mesh.warehouse] {
        assert_eq!(app.wait_for("/parcels", 1)[0].json()["data"], json!({"order": "o-1"}));
    }
    let mut redis = mesh.redis.client();
    wait::until_true("both groups have acknowledged", || {
        ["orders", "warehouse"].iter().all(|group| redis.pending("parcels", group) == 0)
    });
}

fn state_lies_in_redis(mesh: &Mesh) {
    let save = Call::new(hyper::Method::POST, &mesh.caller.http(), "/v1.0/state/statestore");
    dapr::no_content(&save.json(&json!([{"key": "o-1", "value": {"item": "lamp"}}])).send());
    assert_eq!(mesh.get("/v1.0/state/statestore/o-1").send().expect(200).json(), json!({"item": "lamp"}));
    assert_eq!(mesh.redis.client().hash("orders||o-1")[1], ("version".to_owned(), "1".to_owned()));
}

fn the_grpc_port_leads_to_the_same_filter(mesh: &Mesh) {
    let answer = client::get(&mesh.caller.grpc(), "/v1.0/metadata").send().expect(200);
    assert_eq!(answer.json()["id"], "orders");
}

#[test]
fn the_sample_ends_held_requests_by_its_own_timer_but_never_a_call() {
    // Takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let warehouse = TestApp::start();
    let orders = TestApp::start();
    let [mesh, app] = envoy_filters();
    let services = [
        Service::new("warehouse", 8080, warehouse.port()),
        Service::new("ledger", 80, warehouse.port()),
        Service::new("redis", 6379, silent.local_addr().unwrap().port()),
    ];
    // Shorter than the filter's own patience with Redis.
    let sidecar = Sidecar::new(orders.port(), &services).with(&replaced(&mesh, "15s", "0.5s")).with(&app);
    let envoy = sidecar.start(WORKERS);
    for host in ["127.0.0.1:3500", "localhost"] {
        let answer = client::get(&sidecar.http(), "/v1.0/state/statestore/o-1").header("host", host).send();
        let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
        assert_eq!(body["message"], "the request was not answered in time");
    }
    warehouse.on("/slow", Reply::status(200).after(Duration::from_secs(2)));
    client::get(&sidecar.http(), "/v1.0/invoke/warehouse/method/slow").send().expect(200);
    envoy.stop();
}
