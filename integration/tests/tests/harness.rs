//! The harness itself, on an Envoy without the module: what it shows has to be what was sent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use weft_tests::app::{Reply, TestApp};
use weft_tests::client;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::ports;
use weft_tests::raw::Raw;
use weft_tests::redis::{Redis, RedisOptions};

fn plain_proxy(port: u16, app: u16) -> Value {
    let hcm = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({"static_resources": {
        "listeners": [{"name": "plain", "address": address(port), "filter_chains": [{"filters": [{
            "name": "hcm",
            "typed_config": {"@type": hcm, "stat_prefix": "plain",
                "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
                "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]}},
        }]}]}],
        "clusters": [{"name": "app", "type": "STATIC", "load_assignment": {"cluster_name": "app", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(app)}}]}]}}],
    }})
}

fn proxied() -> (EnvoyProcess, TestApp, String) {
    let app = TestApp::start();
    let port = ports::free();
    let envoy = EnvoyProcess::start(plain_proxy(port, app.port()), 1);
    (envoy, app, format!("127.0.0.1:{port}"))
}

#[test]
fn the_application_sees_a_request_as_it_was_sent_and_the_client_its_answer() {
    let (envoy, app, address) = proxied();
    app.on("/a", Reply::bytes(201, "made").with("x-one", "1").with("x-one", "2"));
    let sent = client::Call::new(hyper::Method::PUT, &address, "/a?b=%20c").header("x-many", "1").header("x-many", "2");
    let answer = sent.body("body").send().expect(201);
    assert_eq!(answer.text(), "made");
    assert_eq!(answer.headers.get_all("x-one").iter().count(), 2);
    let seen = app.wait_for("/a", 1);
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("PUT", "/a?b=%20c"));
    assert_eq!(seen[0].values("x-many"), ["1", "2"]);
    assert_eq!((&seen[0].body[..], seen[0].complete), (&b"body"[..], true));
    assert_eq!(envoy.admin().stat("http.plain.downstream_rq_2xx"), 1);
    envoy.stop();
}

#[test]
fn an_application_that_crashed_is_unreachable_until_it_is_back() {
    let (_envoy, app, address) = proxied();
    app.on_any(|_| Reply::status(200));
    client::get(&address, "/").send().expect(200);
    app.crash();
    assert_eq!(client::get(&address, "/").send().status, 503);
    app.resume();
    assert_eq!(client::get(&address, "/").send().status, 200);
}

#[test]
fn the_test_can_drive_both_bodies_of_a_request() {
    let (_envoy, app, address) = proxied();
    let streams = app.on_stream("/s");
    let mut client = Raw::connect(&address);
    client.write("POST /s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    let mut open = streams.next();
    assert_eq!(open.receive().as_deref(), Some(&b"one"[..]));
    open.send(b"first");
    client.read_until(b"first");
    client.write("3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(open.receive().as_deref(), Some(&b"two"[..]));
    assert_eq!(open.receive(), None);
    open.end();
    client.read_until(b"0\r\n\r\n");
}

#[test]
fn a_durable_redis_that_was_killed_comes_back_with_its_data() {
    let mut redis =
        Redis::with(RedisOptions { durable: true, password: Some("secret".to_owned()), ..RedisOptions::default() });
    redis.client().run::<()>(&["SET", "a", "1"]);
    redis.kill();
    redis.restart();
    assert_eq!(redis.client().run::<String>(&["GET", "a"]), "1");
}

#[test]
#[should_panic(expected = "ended by itself")]
fn an_envoy_that_refuses_its_bootstrap_fails_the_test() {
    let _envoy = EnvoyProcess::start(json!({"static_resources": {"listeners": "none"}}), 1);
}
