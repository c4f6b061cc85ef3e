//! The sample for Istio: every patch of it in a real Envoy, merged as istiod merges, with traffic through the result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weft_tests::app::{Reply, Secure, TestApp};
use weft_tests::certificates::Authority;
use weft_tests::client::{self, Call};
use weft_tests::collector::Collector;
use weft_tests::dapr;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::istio::{Service, Sidecar};
use weft_tests::prometheus::Scrape;
use weft_tests::redis::Redis;
use weft_tests::{tls, wait, weft, yaml};

/// Istio's default for sidecars.
const WORKERS: u32 = 2;

/// The mesh of the sample: "orders", its copy for "warehouse", and a plain service on port 80.
struct Mesh {
    orders: TestApp,
    warehouse: TestApp,
    ledger: TestApp,
    /// The host outside of the mesh.
    outside: TestApp,
    caller: Sidecar,
    callee: Sidecar,
    redis: Redis,
    /// The callee's and the caller's.
    envoys: [EnvoyProcess; 2],
}

impl Mesh {
    fn start() -> Self {
        let [orders, warehouse, ledger] = std::array::from_fn(|_| TestApp::start());
        let redis = Redis::start();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let outside = TestApp::secure(Secure::new(&authority.server("api.example"), &["http/1.1"]));
        // Its plugin configuration says `default`.
        let [own, other] =
            ["spiffe://cluster.local/ns/shop/sa/orders", "spiffe://cluster.local/ns/default/sa/warehouse"]
                .map(|identity| tls::common(&authority.workload(Some(identity)), &authority.certificate));
        let [mesh, one_app] = envoy_filters();
        let other_app = replaced(&one_app, "orders", "warehouse");
        let [entry, rule] = yaml::documents("istio-samples/outside.yaml").try_into().expect("two resources");
        let services = |warehouse: Service| {
            let outside = Service::outside(&entry, &rule, outside.port(), &authority.certificate);
            [warehouse, outside, Service::new("ledger", 80, ledger.port()), Service::new("redis", 6379, redis.port())]
        };
        let itself = Service::new("warehouse", 8080, warehouse.port());
        let callee = Sidecar::new(warehouse.port(), &services(itself)).strict(&other).with(&mesh).with(&other_app);
        let remote = Service::new("warehouse", 8080, callee.inbound()).meshed(&own);
        let caller = Sidecar::new(orders.port(), &services(remote)).with(&mesh).with(&one_app);
        let envoys = [callee.start(WORKERS), caller.start(WORKERS)];
        Self { orders, warehouse, ledger, outside, caller, callee, redis, envoys }
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
    the_application_is_told_who_calls_by_the_certificate(&mesh);
    without_a_certificate_the_sidecar_lets_nobody_in(&mesh);
    a_host_outside_is_called_by_tls_and_learns_nothing_of_the_mesh(&mesh);
    a_host_that_is_not_listed_is_refused(&mesh);
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

fn the_application_is_told_who_calls_by_the_certificate(mesh: &Mesh) {
    mesh.warehouse.on("/told", Reply::status(200));
    mesh.get("/v1.0/invoke/warehouse/method/told").header("dapr-caller-app-id", "boss").send().expect(200);
    let seen = mesh.warehouse.wait_for("/told", 1);
    assert_eq!(seen[0].value("dapr-caller-app-id").as_deref(), Some("orders"));
    assert_eq!(seen[0].value("dapr-caller-namespace").as_deref(), Some("shop"));
}

fn without_a_certificate_the_sidecar_lets_nobody_in(mesh: &Mesh) {
    let address = format!("127.0.0.1:{}", mesh.callee.inbound());
    assert!(client::get(&address, "/told").header("dapr-caller-app-id", "orders").try_send().is_err());
    assert_eq!(mesh.warehouse.seen("/told").len(), 1);
}

fn a_host_outside_is_called_by_tls_and_learns_nothing_of_the_mesh(mesh: &Mesh) {
    mesh.outside.on("/v2/orders/1", Reply::json(200, &json!({"paid": true})));
    let urls = ["https://api.example/v2", "https:/api.example/v2", "https:%2F%2Fapi.example%2Fv2"];
    for url in urls {
        let answer = mesh.get(&format!("/v1.0/invoke/{url}/method/orders/1?full=%2F")).send().expect(200);
        assert_eq!(answer.json(), json!({"paid": true}), "{url}");
    }
    let seen = mesh.outside.wait_for("/v2/orders/1", urls.len());
    for request in &seen {
        assert_eq!((request.value("host").as_deref(), request.query()), (Some("api.example"), Some("full=%2F")));
        let ours: Vec<_> = request
            .headers
            .iter()
            .map(|it| &it.0)
            .filter(|it| it.starts_with("dapr-") || it.starts_with("x-weft"))
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
    let names: Vec<_> = seen.iter().map(|it| it.server_name.as_deref()).collect();
    assert_eq!(names, [Some("api.example"); 3]);
}

fn a_host_that_is_not_listed_is_refused(mesh: &Mesh) {
    let answer = mesh.get("/v1.0/invoke/https://other.example/method/x").send();
    let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().unwrap().contains("invoke.external.hosts"), "{body}");
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

#[test]
fn a_caller_without_a_certificate_is_nobody_whatever_it_says() {
    let orders = TestApp::start();
    let [mesh, app] = envoy_filters();
    let redis = Redis::start();
    let services = [("warehouse", 8080, orders.port()), ("ledger", 80, orders.port()), ("redis", 6379, redis.port())]
        .map(|(name, port, real)| Service::new(name, port, real));
    // As with `PeerAuthentication` in mode PERMISSIVE.
    let sidecar = Sidecar::new(orders.port(), &services).with(&mesh).with(&app);
    let envoy = sidecar.start(WORKERS);
    orders.on("/open", Reply::status(200));
    let call = client::get(&format!("127.0.0.1:{}", sidecar.inbound()), "/open");
    call.header("dapr-caller-app-id", "boss").header("dapr-caller-namespace", "castle").send().expect(200);
    let seen = orders.wait_for("/open", 1).remove(0);
    assert_eq!((seen.value("dapr-caller-app-id"), seen.value("dapr-caller-namespace")), (None, None));
    envoy.stop();
}

/// The EnvoyFilter of an application with a member more in the filter's configuration of its calls.
fn configured(one_app: &Value, member: &str, value: &Value) -> Value {
    let mut resource = one_app.clone();
    let patches = resource["spec"]["configPatches"].as_array_mut().unwrap();
    let filter = patches.iter_mut().find(|it| it["patch"]["value"]["name"] == "weft.api").expect("the filter");
    let text = &mut filter["patch"]["value"]["typed_config"]["config"]["configuration"]["value"];
    let mut plugin: Value = serde_json::from_str(text.as_str().expect("JSON as text")).unwrap();
    plugin[member] = value.clone();
    *text = json!(plugin.to_string());
    resource
}

#[test]
fn calls_by_istios_routes_are_tried_again_and_held_back_by_the_filters_policies() {
    let [orders, warehouse, ledger] = std::array::from_fn(|_| TestApp::start());
    let redis = Redis::start();
    let [mesh, one_app] = envoy_filters();
    let services = [
        Service::new("warehouse", 8080, warehouse.port()),
        Service::new("ledger", 80, ledger.port()),
        Service::new("redis", 6379, redis.port()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let policies = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: calls}
spec:
  policies:
    retries: {three: {duration: 10ms, maxRetries: 3}}
    circuitBreakers: {two: {trip: consecutiveFailures >= 2, timeout: 60s}}
  targets: {apps: {warehouse: {retry: three}, ledger: {circuitBreaker: two}}}
";
    std::fs::write(folder.path().join("calls.yaml"), policies).unwrap();
    let out = folder.path().join("out");
    let words = ["render", "--app-id", "orders", "--module-path", "/opt/weft.wasm", "--resources-path"];
    let words = words.map(Path::new).into_iter().chain([folder.path(), Path::new("--out"), &out]);
    assert_eq!(weft::run(words).status, 0);
    let rendered = std::fs::read_to_string(out.join("plugin-orders.json")).unwrap();
    let rendered: Value = serde_json::from_str(&rendered).unwrap();
    let one_app = configured(&one_app, "resiliency", &rendered["resiliency"]);
    let sidecar = Sidecar::new(orders.port(), &services).with(&mesh).with(&one_app);
    let envoy = sidecar.start(WORKERS);
    let get = |path: &str| client::get(&sidecar.http(), path).send();
    warehouse.on_each("/x", vec![Reply::status(500), Reply::status(404), Reply::bytes(200, "there")]);
    assert_eq!(get("/v1.0/invoke/warehouse/method/x").expect(200).text(), "there");
    assert_eq!(warehouse.seen("/x").len(), 3);
    ledger.on("/y", Reply::status(500));
    for _ in 0..2 {
        get("/v1.0/invoke/ledger/method/y").expect(500);
    }
    let held = dapr::error(&get("/v1.0/invoke/ledger/method/y"), 500, "ERR_DIRECT_INVOKE");
    assert!(held["message"].as_str().unwrap().contains("circuit breaker is open"), "{held}");
    assert_eq!(ledger.seen("/y").len(), 2);
    envoy.stop();
}

/// Istio's tracing, as a Telemetry with an OpenTelemetry provider sets it up.
fn traced(collector: &Collector) -> Value {
    let uri = format!("http://127.0.0.1:{}/v1/traces", collector.port());
    let tracer = json!({
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "service_name": "orders",
        "http_service": {"http_uri": {"uri": uri, "cluster": "otel", "timeout": "1s"}},
    });
    let tracing = json!({"random_sampling": {"value": 100.0},
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": tracer}});
    let cluster = json!({"name": "otel", "type": "STATIC", "load_assignment": {"cluster_name": "otel", "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": {"socket_address":
            {"address": "127.0.0.1", "port_value": collector.port()}}}}]}]}});
    let whole = json!({"context": "SIDECAR_OUTBOUND", "listener": {"portNumber": 3500}});
    json!({"spec": {"configPatches": [
        {"applyTo": "NETWORK_FILTER", "match": whole,
            "patch": {"operation": "MERGE", "value": {"typed_config": {"tracing": tracing}}}},
        {"applyTo": "CLUSTER", "match": {}, "patch": {"operation": "ADD", "value": cluster}},
    ]}})
}

#[test]
fn with_istios_tracing_the_second_sample_makes_one_trace() {
    let (orders, warehouse, collector) = (TestApp::start(), TestApp::start(), Collector::start());
    let redis = Redis::start();
    let [mesh, one_app] = envoy_filters();
    let services = [
        Service::new("warehouse", 8080, warehouse.port()),
        Service::new("ledger", 80, warehouse.port()),
        Service::new("redis", 6379, redis.port()),
    ];
    let tracing = yaml::documents("istio-samples/tracing.yaml").remove(0);
    let sidecar = Sidecar::new(orders.port(), &services).with(&traced(&collector)).with(&mesh).with(&one_app);
    let caller = sidecar.with(&tracing);
    let http = caller.http();
    let envoy = caller.start(WORKERS);
    let warm = || client::get(&http, "/v1.0/healthz/outbound").try_send().is_ok_and(|answer| answer.status == 204);
    wait::until_true("the sidecar is usable", warm);
    warehouse.on("/traced", Reply::status(200));
    let trace = |text: &str| text.split('-').nth(1).expect("a traceparent").to_owned();
    let answer = client::get(&http, "/v1.0/invoke/warehouse/method/traced").send().expect(200);
    let told = trace(answer.header("traceparent").expect("the caller is told its trace"));
    assert_eq!(trace(&warehouse.seen("/traced")[0].value("traceparent").expect("the callee too")), told);
    let call = Call::new(hyper::Method::POST, &http, "/v1.0/publish/pubsub/traced").body("x");
    let published = call.send().expect(204);
    let stored = redis.client().stream("traced")[0].field("data").expect("an event").to_owned();
    let told = trace(published.header("traceparent").expect("the publisher is told its trace"));
    assert!(stored.contains(&told), "{stored}");
    // Istio's own span of the publish call has that trace.
    assert_eq!(collector.trace(&told, 1)[0].service, "orders");
    envoy.stop();
}

/// `extraStatTags` of the sample.
fn stat_tags() -> Vec<String> {
    let patch = yaml::documents("istio-samples/metrics.yaml").remove(0);
    let config = &patch["spec"]["template"]["metadata"]["annotations"]["proxy.istio.io/config"];
    let tags = config.as_str().and_then(|text| text.trim().strip_prefix("extraStatTags: [")?.strip_suffix(']'));
    tags.expect("the sample has a list").split(", ").map(str::to_owned).collect()
}

#[test]
fn with_the_samples_stat_tags_events_and_state_have_labels() {
    let tags = stat_tags();
    assert_eq!(tags, ::weft::bootstrap::LABELS);
    let (orders, redis) = (TestApp::start(), Redis::start());
    let [mesh, one_app] = envoy_filters();
    let services = [("warehouse", 8080, orders.port()), ("ledger", 80, orders.port()), ("redis", 6379, redis.port())]
        .map(|(name, port, real)| Service::new(name, port, real));
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let sidecar = Sidecar::new(orders.port(), &services).extra_stat_tags(&tags).with(&mesh).with(&one_app);
    let http = sidecar.http();
    let envoy = sidecar.start(WORKERS);
    orders.on("/parcels", Reply::status(200));
    let post = |path: &str| Call::new(hyper::Method::POST, &http, path).header("host", "localhost");
    dapr::no_content(&post("/v1.0/publish/pubsub/parcels").body("x").send());
    dapr::no_content(&post("/v1.0/state/statestore").json(&json!([{"key": "o-1", "value": 1}])).send());
    let app = [("app_id", "orders"), ("namespace", "default")];
    let state = [("component", "statestore"), ("operation", "set"), ("success", "true")];
    let events = [("component", "pubsub"), ("topic", "parcels"), ("process_status", "success"), ("status", "success")];
    for (name, labels) in
        [("dapr_component_state_count", &state[..]), ("dapr_component_pubsub_ingress_count", &events[..])]
    {
        let labels: Vec<_> = app.iter().chain(labels).copied().collect();
        wait::until_true(name, || Scrape::of(&envoy.admin().address()).sum(name, &labels) == 1.0);
    }
    envoy.stop();
}
