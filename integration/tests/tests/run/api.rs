//! What an application finds.

use crate::{http, stays};
use hyper::Method;
use serde_json::json;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::{Call, get};
use weft_tests::{ports, weft};

#[test]
fn the_environment_names_the_application_and_daprs_ports() {
    let (http, grpc) = (ports::free().to_string(), ports::free().to_string());
    let arguments =
        ["run", "--app-id", "orders", "--app-port", "9", "--dapr-http-port", &http, "--dapr-grpc-port", &grpc];
    let script = "echo $APP_ID $APP_PORT $APP_PROTOCOL $DAPR_HTTP_PORT $DAPR_GRPC_PORT";
    let ended = weft::run(arguments.into_iter().chain(["--", "sh", "-c", script]));
    assert_eq!(ended.out, format!("orders | orders 9 http {http} {grpc}\n"));
}

#[test]
fn the_application_is_called_by_name() {
    let app = TestApp::start();
    app.on("/add", Reply::bytes(201, "added"));
    let weft = stays(Some(app.port()), &[]);
    let answer = Call::new(Method::POST, &http(&weft), "/v1.0/invoke/orders/method/add?n=1").body("one").send();
    assert_eq!(answer.expect(201).text(), "added");
    let seen = app.wait_for("/add", 1);
    assert_eq!((seen[0].target.as_str(), &seen[0].body[..]), ("/add?n=1", &b"one"[..]));
}

#[test]
fn without_resources_there_are_a_store_and_a_broker_in_memory() {
    let app = TestApp::start();
    app.subscribes(&json!([{"pubsubname": "pubsub", "topic": "orders", "route": "/events"}]));
    app.on("/events", Reply::status(200));
    let weft = stays(Some(app.port()), &[]);
    let http = http(&weft);
    let post = |path: &str| Call::new(Method::POST, &http, path);
    let metadata = get(&http, "/v1.0/metadata").send().json();
    let components =
        metadata["components"].as_array().unwrap().iter().map(|it| (it["name"].clone(), it["type"].clone()));
    let wanted = [("statestore", "state.in-memory"), ("pubsub", "pubsub.in-memory")];
    assert_eq!(components.collect::<Vec<_>>(), wanted.map(|(name, kind)| (json!(name), json!(kind))));
    post("/v1.0/state/statestore").json(&json!([{"key": "a", "value": {"n": 1}}])).send().expect(204);
    assert_eq!(get(&http, "/v1.0/state/statestore/a").send().expect(200).json(), json!({"n": 1}));
    weft_tests::wait::until_true("the subscription is made", || {
        get(&http, "/v1.0/metadata").send().json()["subscriptions"].is_array()
    });
    post("/v1.0/publish/pubsub/orders").json(&json!({"n": 2})).send().expect(204);
    let event: serde_json::Value = serde_json::from_slice(&app.wait_for("/events", 1)[0].body).unwrap();
    assert_eq!(event["data"], json!({"n": 2}));
}

#[test]
fn the_grpc_port_answers_unimplemented() {
    let weft = stays(None, &[]);
    let address = format!("127.0.0.1:{}", weft.number("grpc="));
    let call = Call::new(Method::POST, &address, "/dapr.proto.runtime.v1.Dapr/GetState");
    let answer = call.header("content-type", "application/grpc").header("te", "trailers").http2().send().expect(200);
    assert_eq!(answer.header("grpc-status"), Some("12"));
    let message = answer.header("grpc-message").unwrap();
    assert!(message.contains("/dapr.proto.runtime.v1.Dapr/GetState"), "{message}");
}

#[test]
fn an_application_without_a_port_cannot_be_called() {
    let weft = stays(None, &[]);
    let answer = get(&http(&weft), "/v1.0/invoke/orders/method/x").send().expect(500);
    assert_eq!(answer.json()["errorCode"], "ERR_DIRECT_INVOKE");
}

#[test]
fn a_token_in_the_environment_is_demanded_of_every_request() {
    let arguments = ["run", "--app-id", "orders", "--", "sh", "-c", crate::STAYS];
    let mut command = weft::command(arguments);
    command.env("DAPR_API_TOKEN", "s3cret");
    let weft = weft::Weft::of(command);
    let state = || get(&http(&weft), "/v1.0/state/statestore/key");
    assert_eq!(state().send().expect(401).text(), "invalid api token");
    state().header("dapr-api-token", "another").send().expect(401);
    state().header("dapr-api-token", "s3cret").send().expect(204);
}
