//! Dapr's `Resiliency` on calls by name: tried again, cut short and held back as the resource says, seen at the callee.

use serde_json::json;
use std::sync::LazyLock;
use std::time::Duration;
use tonic::Code;
use weft::bootstrap::{Outside, Protocol};
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};
use weft_tests::env;
use weft_tests::grpc::Talk;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::runtime::block_on;
use weft_tests::shared::Meshes;
use weft_tests::stub::Stub;

/// The policies of calls that `orders` makes. Every target but `warehouse` has the same application behind it.
const POLICIES: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: calls}
scopes: [orders]
spec:
  policies:
    timeouts: {short: 300ms, DefaultTimeoutPolicy: 20s}
    retries:
      three: {duration: 10ms, maxRetries: 3}
      once: {duration: 10ms, maxRetries: 1}
      ten: {duration: 1ms, maxRetries: 10}
      none: {maxRetries: 0}
      ever: {duration: 1ms}
      paused: {duration: 600ms, maxRetries: 3}
      listed: {duration: 10ms, maxRetries: 2, matching: {httpStatusCodes: '200,304,429,500-502', gRPCStatusCodes: '3,14'}}
      growing: {policy: exponential, maxInterval: 20ms, maxRetries: 2}
      DefaultAppRetryPolicy: {duration: 10ms, maxRetries: 2, matching: {httpStatusCodes: '418'}}
    circuitBreakers:
      two: {trip: consecutiveFailures >= 2, timeout: 1s}
      three: {trip: totalFailures > 2 && requests > 2, timeout: 60s}
      interval: {trip: totalFailures > 2, interval: 3s, timeout: 60s}
      wide: {trip: consecutiveFailures >= 2, maxRequests: 2, timeout: 3s}
  targets:
    apps:
      warehouse: {retry: three}
      picky: {retry: listed}
      slow: {timeout: short, retry: once}
      growing: {retry: growing}
      flaky: {retry: three}
      broken: {circuitBreaker: two}
      probed: {circuitBreaker: two}
      tried: {retry: ten, circuitBreaker: three}
      modern: {retry: listed}
      left: {circuitBreaker: two}
      forgetful: {circuitBreaker: interval}
      wide: {circuitBreaker: wide}
      patient: {retry: ever}
      orders: {retry: paused}
      'http://127.0.0.1:FLAKY/base': {retry: three}
      guarded: {retry: none, circuitBreaker: two}
      endpoint: {retry: three}
---
apiVersion: dapr.io/v1alpha1
kind: HTTPEndpoint
metadata: {name: endpoint}
spec: {baseUrl: 'http://127.0.0.1:FLAKY'}
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: not-theirs}
scopes: [others]
spec: {policies: {timeouts: {DefaultTimeoutPolicy: 1ms}}}
";

/// Resets the first two connections of each three before it answers, then answers.
static FLAKY: LazyLock<Stub> = LazyLock::new(|| {
    Stub::start(|peer| {
        peer.head();
        if peer.number % 3 < 2 {
            peer.reset();
        } else {
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere");
        }
    })
});

/// On one worker with the module for routing alone, on four with the whole one.
pub(super) static MESHES: Meshes = Meshes::new(|workers| {
    let mut builder = Mesh::builder().workers(workers);
    if workers == 1 {
        builder = builder.module(env::route_module());
    }
    for id in [
        "warehouse",
        "picky",
        "slow",
        "growing",
        "broken",
        "probed",
        "left",
        "tried",
        "other",
        "forgetful",
        "wide",
        "patient",
    ] {
        builder = builder.app(id);
    }
    let flaky = json!({
        "name": "flaky", "type": "STATIC", "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "flaky", "endpoints": [{"lb_endpoints": [{"endpoint": {"address":
            {"socket_address": {"address": "127.0.0.1", "port_value": FLAKY.port()}}}}]}]},
    });
    builder
        .elsewhere(json!({"apps": {"flaky": {"cluster": "flaky", "authority": "flaky.example"}}}))
        .cluster(flaky)
        .dead_app("dead")
        .app("modern")
        .protocol(Protocol::H2c)
        .app("guarded")
        .protocol(Protocol::H2c)
        .outside(Outside {
            hosts: vec!["127.0.0.1".to_owned()],
            addresses: vec!["127.0.0.0/8".parse().unwrap()],
            ..Outside::default()
        })
        .app("orders")
        .resources(&POLICIES.replace("FLAKY", &FLAKY.port().to_string()))
        .start()
});

/// The path of a method of an application, and how the caller names it.
pub(super) fn method(app: &str) -> (String, String) {
    let name = unique("call");
    (format!("/{name}"), format!("/v1.0/invoke/{app}/method/{name}"))
}

pub(super) fn calls(app: &MeshApp, path: &str) -> usize {
    app.server.seen(path).len()
}

#[test]
fn an_error_is_tried_again_as_often_as_the_policy_says_and_the_last_answer_is_passed_on() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let (path, call) = method("warehouse");
        let answers =
            (1..=9).map(|number| Reply::bytes(500, format!("try {number}")).with("x-try", number.to_string()));
        warehouse.server.on_each(&path, answers.collect());
        let answer = orders.get(&call).send().expect(500);
        assert_eq!((answer.text().as_str(), answer.header("x-try")), ("try 4", Some("4")));
        assert_eq!(calls(warehouse, &path), 4);
        // What another application's policies say is not for this one.
        let other = mesh.app("other").get(&call).send().expect(500);
        assert_eq!((other.text().as_str(), calls(warehouse, &path)), ("try 5", 5));
    });
}

#[test]
fn a_policy_without_a_number_of_retries_ends_when_a_try_succeeds() {
    MESHES.each(|mesh| {
        let (orders, patient) = (mesh.app("orders"), mesh.app("patient"));
        let (path, call) = method("patient");
        let failures = (0..20).map(|_| Reply::status(503));
        patient.server.on_each(&path, failures.chain([Reply::bytes(200, "at last")]).collect());
        assert_eq!(orders.get(&call).send().expect(200).text(), "at last");
        assert_eq!(calls(patient, &path), 21);
    });
}

#[test]
fn a_try_that_succeeds_is_the_last_one() {
    MESHES.each(|mesh| {
        for (status, tries) in [(200, 1), (204, 1), (302, 1), (404, 2), (409, 2), (503, 2), (599, 2)] {
            let (path, call) = method("warehouse");
            mesh.app("warehouse").server.on_each(&path, vec![Reply::status(status), Reply::bytes(201, "made")]);
            let answer = mesh.app("orders").get(&call).send();
            assert_eq!(answer.status, if tries == 1 { status } else { 201 }, "{status}");
            assert_eq!(calls(mesh.app("warehouse"), &path), tries, "{status}");
        }
    });
}

#[test]
fn only_listed_statuses_are_tried_again_and_no_success_ever_is() {
    MESHES.each(|mesh| {
        let listed = [(429, 3), (500, 3), (502, 3), (400, 1), (503, 1), (504, 1), (200, 1), (304, 1)];
        for (status, tries) in listed {
            let (path, call) = method("picky");
            mesh.app("picky").server.on(&path, Reply::status(status));
            mesh.app("orders").get(&call).send().expect(status);
            assert_eq!(calls(mesh.app("picky"), &path), tries, "{status}");
        }
    });
}

#[test]
fn a_body_of_known_length_is_sent_again_whole_and_one_of_unknown_length_once() {
    MESHES.each(|mesh| {
        let (path, call) = method("warehouse");
        mesh.app("warehouse").server.on(&path, Reply::status(500));
        let body: Vec<u8> = (0..200_000u32).map(|number| number.to_le_bytes()[0]).collect();
        mesh.app("orders").post(&call).body(body.clone()).send().expect(500);
        let seen = mesh.app("warehouse").server.seen(&path);
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|it| it.complete && it.body == body));
        let (path, call) = method("warehouse");
        mesh.app("warehouse").server.on(&path, Reply::status(500));
        let chunked =
            format!("POST {call} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let mut raw = mesh.app("orders").raw();
        raw.write(chunked.as_bytes());
        assert_eq!(raw.answer().unwrap().status, 500);
        assert_eq!(calls(mesh.app("warehouse"), &path), 1);
    });
}

#[test]
fn a_body_that_is_larger_than_the_proxy_keeps_is_sent_once_and_whole() {
    MESHES.each(|mesh| {
        let (path, call) = method("warehouse");
        mesh.app("warehouse").server.on(&path, Reply::status(500));
        mesh.app("orders").post(&call).body(vec![7; 20_000_000]).send().expect(500);
        let seen = mesh.app("warehouse").server.seen(&path);
        assert_eq!((seen.len(), seen[0].body.len()), (1, 20_000_000));
    });
}

#[test]
fn a_timeout_is_for_each_try_and_says_so() {
    MESHES.each(|mesh| {
        let (path, call) = method("slow");
        mesh.app("slow").server.on(&path, Reply::status(200).after(Duration::from_secs(3)));
        let answer = mesh.app("orders").get(&call).send();
        let text = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE")["message"].to_string();
        assert!(text.contains("failed to invoke, id: slow, err: timeout, host "), "{text}");
        assert_eq!(calls(mesh.app("slow"), &path), 2);
        // One that is in time on its second try.
        let (path, call) = method("slow");
        let late = Reply::status(200).after(Duration::from_secs(3));
        mesh.app("slow").server.on_each(&path, vec![late, Reply::bytes(200, "in time")]);
        assert_eq!(mesh.app("orders").get(&call).send().expect(200).text(), "in time");
    });
}

#[test]
fn a_connection_that_is_lost_is_tried_again() {
    MESHES.each(|mesh| {
        for target in ["flaky", "endpoint", "http://127.0.0.1:FLAKY/base", "HTTP:/127.0.0.1:FLAKY/base"] {
            let target = target.replace("FLAKY", &FLAKY.port().to_string());
            let call = format!("/v1.0/invoke/{target}/method/x");
            assert_eq!(mesh.app("orders").get(&call).send().expect(200).text(), "there");
        }
    });
}

#[test]
fn a_growing_pause_ends_too() {
    MESHES.each(|mesh| {
        let (path, call) = method("growing");
        mesh.app("growing").server.on(&path, Reply::status(500));
        mesh.app("orders").get(&call).send().expect(500);
        assert_eq!(calls(mesh.app("growing"), &path), 3);
    });
}

#[test]
fn defaults_hold_for_those_that_are_not_named() {
    MESHES.each(|mesh| {
        for (app, status, tries) in [("other", 418, 3), ("other", 500, 1), ("warehouse", 418, 4)] {
            let (path, call) = method(app);
            mesh.app(app).server.on(&path, Reply::status(status));
            mesh.app("orders").get(&call).send().expect(status);
            assert_eq!(calls(mesh.app(app), &path), tries, "{app} {status}");
        }
        // By header and with its namespace an application is the same one.
        let name = unique("call");
        mesh.app("warehouse").server.on(&format!("/{name}"), Reply::status(500));
        mesh.app("orders").get(&format!("/{name}")).header("dapr-app-id", "warehouse.default").send().expect(500);
        assert_eq!(calls(mesh.app("warehouse"), &format!("/{name}")), 4);
    });
}

#[test]
fn applications_do_not_see_what_the_router_is_asked() {
    MESHES.each(|mesh| {
        let (path, call) = method("warehouse");
        mesh.app("warehouse").server.on(&path, Reply::status(200));
        mesh.app("orders").get(&call).header("x-envoy-max-retries", "9").send().expect(200);
        let seen = &mesh.app("warehouse").server.seen(&path)[0];
        let asked = seen.headers.iter().filter(|(name, _)| name.contains("retr") || name.contains("timeout"));
        assert_eq!(asked.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [""; 0]);
    });
}

#[test]
fn pauses_of_calls_of_itself_are_the_policys() {
    MESHES.each(|mesh| {
        let (path, call) = method("orders");
        mesh.app("orders").server.on(&path, Reply::status(500));
        mesh.app("orders").get(&call).send().expect(500);
        let seen = mesh.app("orders").server.seen(&path);
        assert_eq!(seen.len(), 4);
        // Three pauses between nothing and 1.2 s; with Envoy's own the whole takes 0.2 s at most.
        assert!(seen[3].at - seen[0].at > Duration::from_millis(220), "{:?}", seen[3].at - seen[0].at);
    });
}

#[test]
fn where_a_policy_says_none_the_routes_own_retries_do_not_hold() {
    let retries = json!({"retry_on": "5xx", "num_retries": 2,
        "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.02s"}});
    let policies = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: none}
spec:
  policies: {retries: {none: {maxRetries: 0}, one: {maxRetries: 1, duration: 1ms}}}
  targets: {apps: {warehouse: {retry: none}, streamed: {retry: one}}}
";
    let builder = Mesh::builder().app("warehouse").app("streamed").app("other").app("orders").resources(policies);
    let mesh = builder
        .edit(move |bootstrap| {
            for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
                let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
                let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
                for route in
                    routes.as_array_mut().unwrap().iter_mut().filter(|it| it["route"]["cluster_header"] != json!(null))
                {
                    route["route"]["retry_policy"] = retries.clone();
                }
            }
        })
        .start();
    for (app, framing, tries) in [
        ("other", "content-length: 2\r\n\r\nhi", 3),
        ("warehouse", "content-length: 2\r\n\r\nhi", 1),
        ("streamed", "content-length: 2\r\n\r\nhi", 2),
        ("streamed", "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1),
    ] {
        let (path, call) = method(app);
        mesh.app(app).server.on(&path, Reply::status(500));
        let mut raw = mesh.app("orders").raw();
        raw.write(format!("POST {call} HTTP/1.1\r\nhost: x\r\n{framing}").as_bytes());
        assert_eq!(raw.answer().unwrap().status, 500);
        assert_eq!(calls(mesh.app(app), &path), tries, "{app} {framing}");
    }
    mesh.envoy.check_log();
}

/// A client of an application, whose calls carry a mark by which they are counted.
pub(super) fn talk(mesh: &Mesh, app: &str, mark: &str) -> Talk {
    Talk::at(&mesh.app("orders").grpc()).with("dapr-app-id", app).with("x-mark", mark)
}

fn marked(mesh: &Mesh, app: &str, path: &str, mark: &str) -> usize {
    let seen = mesh.app(app).server.seen(path);
    seen.iter().filter(|it| it.value("x-mark").as_deref() == Some(mark)).count()
}

#[test]
fn grpc_calls_are_tried_again_by_their_status() {
    MESHES.each(|mesh| {
        for (status, tries) in [(Code::Unavailable, 3), (Code::InvalidArgument, 3), (Code::NotFound, 1)] {
            let mark = unique("mark");
            let number = (status as i32).to_string();
            let failed = block_on(talk(mesh, "modern", &mark).unary("/weft.test.Talk/Give", &number)).unwrap_err();
            assert_eq!((failed.code(), failed.message()), (status, "as asked"));
            assert_eq!(marked(mesh, "modern", "/weft.test.Talk/Give", &mark), tries, "{status}");
            // What has begun cannot begin anew.
            assert_eq!(block_on(talk(mesh, "modern", &mark).broken_off(status)).code(), status);
            assert_eq!(marked(mesh, "modern", "/weft.test.Talk/Break", &mark), 1, "{status}");
        }
    });
}
