//! The bootstraps in `envoy-config/examples` and `linkerd-notes`, each with only Envoy and the module, as their users start them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::{self, Call};
use weft_tests::dapr;
use weft_tests::example::Example;
use weft_tests::redis::Redis;
use weft_tests::wait;
use weft_tests::yaml;

const WORKERS: u32 = 2;

fn post(address: &str, path: &str) -> Call {
    Call::new(hyper::Method::POST, address, path)
}

#[test]
fn the_example_for_invocation_calls_an_application_by_name() {
    let (orders, warehouse) = (TestApp::start(), TestApp::start());
    warehouse.on("/stock/42", Reply::json(200, &json!({"left": 7})));
    let example =
        Example::read("envoy-config/examples/invoke.yaml").with(8080, orders.port()).with(8081, warehouse.port());
    let envoy = example.start(WORKERS);
    let api = example.address(3500);

    let answer = client::get(&api, "/v1.0/invoke/warehouse/method/stock/42?unit=box").send().expect(200);
    assert_eq!(answer.json(), json!({"left": 7}));
    let seen = warehouse.wait_for("/stock/42", 1);
    assert_eq!(seen[0].query(), Some("unit=box"));
    assert_eq!(seen[0].value("dapr-caller-app-id").as_deref(), Some("orders"));
    assert_eq!(seen[0].value("dapr-callee-app-id").as_deref(), Some("warehouse"));
    assert_eq!(seen[0].value("host"), Some(format!("127.0.0.1:{}", warehouse.port())));
    assert!(seen[0].value("traceparent").is_some());
    assert_eq!(seen[0].value("x-weft-cluster"), None);

    let by_header = client::get(&api, "/stock/42").header("dapr-app-id", "warehouse").send();
    assert_eq!(by_header.expect(200).json(), json!({"left": 7}));
    let unknown = client::get(&api, "/v1.0/invoke/nobody/method/stock/42").send();
    dapr::error(&unknown, 500, "ERR_DIRECT_INVOKE");
    envoy.stop();
}

#[test]
fn the_example_for_state_keeps_values_in_redis_and_in_memory() {
    let redis = Redis::start();
    let example = Example::read("envoy-config/examples/state.yaml").with(6379, redis.port());
    let envoy = example.start(WORKERS);
    let api = example.address(3500);

    for store in ["statestore", "scratch"] {
        let path = format!("/v1.0/state/{store}");
        let save = post(&api, &path).json(&json!([{"key": "o-1", "value": {"item": "lamp"}}]));
        dapr::no_content(&save.send());
        let answer = client::get(&api, &format!("{path}/o-1")).send().expect(200);
        assert_eq!(answer.text(), r#"{"item":"lamp"}"#, "{store}");
        let etag = answer.header("etag").unwrap().to_owned();
        let stale = post(&api, &path).json(&json!([{"key": "o-1", "value": 2, "etag": format!("{etag}9")}]));
        assert_eq!(stale.send().status, 409, "{store}");
    }
    let stored = redis.client().hash("orders||o-1");
    assert_eq!(stored, [("data".to_owned(), r#"{"item":"lamp"}"#.to_owned()), ("version".to_owned(), "1".to_owned())]);
    envoy.stop();
}

#[test]
fn the_example_for_publish_and_subscribe_delivers_what_was_published() {
    let redis = Redis::start();
    let courier = TestApp::start();
    courier.on("/parcels", Reply::event("SUCCESS"));
    let example =
        Example::read("envoy-config/examples/pubsub.yaml").with(6379, redis.port()).with(8082, courier.port());
    let envoy = example.start(WORKERS);

    let trace = "0af7651916cd43dd8448eb211c80319c";
    let publish = post(&example.address(3500), "/v1.0/publish/pubsub/parcels")
        .header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"))
        .json(&json!({"order": "o-1"}));
    dapr::no_content(&publish.send());
    let event = courier.wait_for("/parcels", 1)[0].json();
    assert_eq!(event["data"], json!({"order": "o-1"}));
    assert_eq!(event["source"], "shop");
    assert_eq!(event["topic"], "parcels");
    assert_eq!(event["pubsubname"], "pubsub");
    assert!(event["traceparent"].as_str().unwrap().contains(trace), "{event}");

    let mut client = redis.client();
    wait::until_true("the event is acknowledged", || client.pending("parcels", "courier") == 0);
    assert_eq!(client.stream("parcels").len(), 1);
    envoy.stop();
}

#[test]
fn a_subscriber_that_only_subscribes_is_kept_alive_by_the_example_itself() {
    let redis = Redis::start();
    let courier = TestApp::start();
    let example =
        Example::read("envoy-config/examples/pubsub.yaml").with(6379, redis.port()).with(8082, courier.port());
    let envoy = example.start(WORKERS);
    wait::until_true("Envoy calls the courier's Dapr port by itself", || {
        envoy.admin().stat("cluster.weft_self_courier.health_check.success") >= 2
    });
    envoy.stop();
}

#[test]
fn the_example_for_linkerd_carries_calls_events_and_state() {
    let redis = Redis::start();
    let (orders, callee) = (TestApp::start(), TestApp::start());
    // What linkerd-proxy would lead to the callee's pod.
    let service = format!("127.0.0.1:{}", callee.port());
    let example = Example::read("linkerd-notes/envoy.yaml")
        .with(8080, orders.port())
        .with(6379, redis.port())
        .replace("redis.default.svc.cluster.local", "127.0.0.1")
        .replace("{app}.{namespace}.svc.cluster.local:80", &service)
        // As the notes have it for hosts outside of the mesh.
        .replace(
            "\"invoke\": {",
            "\"invoke\": {\"external\": {\"hosts\": [\"localhost\"], \"httpCluster\": \"mesh\"},",
        );
    let envoy = example.start(WORKERS);
    client::get(&example.address(9902), "/ready").send().expect(200);

    callee.on("/outside", Reply::status(200));
    let url = format!("/v1.0/invoke/http://localhost:{}/method/outside", callee.port());
    client::get(&example.address(3500), &url).send().expect(200);
    assert_eq!(callee.wait_for("/outside", 1)[0].value("dapr-caller-app-id"), None);

    callee.on("/stock/42", Reply::json(200, &json!({"left": 7})));
    client::get(&example.address(3500), "/v1.0/invoke/warehouse/method/stock/42").send().expect(200);
    let seen = callee.wait_for("/stock/42", 1);
    assert_eq!(seen[0].value("dapr-callee-app-id").as_deref(), Some("warehouse"));
    assert_eq!(seen[0].value("host"), Some(service));

    orders.on("/own", Reply::status(200));
    // As linkerd-proxy says it, and as a caller that it does not know.
    let identity = "shop.retail.serviceaccount.identity.linkerd.cluster.local";
    let call = || client::get(&example.address(8880), "/own").header("dapr-caller-app-id", "boss");
    call().header("l5d-client-id", identity).send().expect(200);
    call().send().expect(200);
    let seen = orders.wait_for("/own", 2);
    let told = |name| [&seen[0], &seen[1]].map(|it| it.value(name));
    assert_eq!(told("dapr-caller-app-id"), [Some("shop".to_owned()), None]);
    assert_eq!(told("dapr-caller-namespace"), [Some("retail".to_owned()), None]);
    assert_eq!(seen[0].value("dapr-callee-app-id").as_deref(), Some("orders"));

    orders.on("/parcels", Reply::event("SUCCESS"));
    let publish = post(&example.address(50001), "/v1.0/publish/pubsub/parcels").json(&json!({"order": "o-1"}));
    dapr::no_content(&publish.send());
    assert_eq!(orders.wait_for("/parcels", 1)[0].json()["data"], json!({"order": "o-1"}));

    let save = post(&example.address(3500), "/v1.0/state/statestore").json(&json!([{"key": "o-1", "value": 1}]));
    dapr::no_content(&save.send());
    assert_eq!(redis.client().hash("orders||o-1")[0], ("data".to_owned(), "1".to_owned()));
    envoy.stop();
}

#[test]
fn the_manifest_for_linkerd_fits_its_bootstrap() {
    let text = std::fs::read_to_string(weft_tests::env::workspace().join("linkerd-notes/envoy.yaml")).unwrap();
    let [account, deployment, service] = yaml::documents("linkerd-notes/orders.yaml").try_into().unwrap();
    // Without a list of accounts, an account stands for the application of its name.
    let name = &account["metadata"]["name"];
    assert_eq!(&deployment["spec"]["template"]["spec"]["serviceAccountName"], name);
    assert!(text.contains(&format!("\"appId\": {name}")) && !text.contains("serviceAccounts"));
    let sidecar = &deployment["spec"]["template"]["spec"]["initContainers"][0];
    assert_eq!(sidecar["restartPolicy"], "Always", "a native sidecar");
    for port in [&sidecar["startupProbe"]["httpGet"]["port"], &service["spec"]["ports"][0]["targetPort"]] {
        assert!(text.contains(&format!("port_value: {port}")), "{port}");
    }
}
