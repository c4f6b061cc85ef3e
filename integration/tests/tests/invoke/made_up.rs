//! Answers that the proxy makes up where no application gave one, told apart by how they came about.

use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::time::Duration;
use weft_tests::app::Reply;
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::ports;
use weft_tests::shared::Meshes;
use weft_tests::stub::Stub;

/// A port where nobody listens.
static NOBODY: LazyLock<u16> = LazyLock::new(ports::free);
/// A server that reads requests and resets the connection.
static RESETS: LazyLock<Stub> = LazyLock::new(|| {
    Stub::start(|peer| {
        peer.head();
        peer.reset();
    })
});
/// A server that answers something that is not HTTP.
static BABBLES: LazyLock<Stub> = LazyLock::new(|| {
    Stub::start(|peer| {
        peer.head();
        peer.write("this is no HTTP\r\n\r\n");
    })
});
/// A server that reads requests and says nothing.
static SILENT: LazyLock<Stub> = LazyLock::new(|| Stub::start(|peer| while peer.head().is_some() {}));
/// The port of a server that takes no more connections, and refuses none.
static CROWDED: LazyLock<u16> = LazyLock::new(crowded);

static FAILING: Meshes = Meshes::new(|workers| {
    let builder = Mesh::builder().workers(workers).app("orders").app("warehouse").elsewhere(json!({"apps": {
        "no-cluster": {"cluster": "not_there", "authority": "not-there.example"},
        "no-route": {"authority": "no-route.example"},
        "no-host": {"cluster": "no_host", "authority": "no-host.example"},
        "refuses": {"cluster": "refuses", "authority": "refuses.example"},
        "resets": {"cluster": "resets", "authority": "resets.example"},
        "babbles": {"cluster": "babbles", "authority": "babbles.example"},
        "silent": {"cluster": "silent", "authority": "silent.example"},
        "full": {"cluster": "full", "authority": "full.example"},
        "slow-to-connect": {"cluster": "slow_to_connect", "authority": "slow.example"},
    }}));
    let empty = json!({"name": "no_host", "type": "STATIC", "load_assignment": {"cluster_name": "no_host"}});
    let mut full = cluster("full", SILENT.port());
    full["circuit_breakers"] = json!({"thresholds": [{"max_requests": 0, "max_pending_requests": 0}]});
    let mut slow = cluster("slow_to_connect", *CROWDED);
    slow["connect_timeout"] = json!("0.1s");
    let clusters = [
        empty,
        full,
        slow,
        cluster("refuses", *NOBODY),
        cluster("resets", RESETS.port()),
        cluster("babbles", BABBLES.port()),
        cluster("silent", SILENT.port()),
    ];
    clusters.into_iter().fold(builder, Builder::cluster).edit(impatient).start()
});

/// Bounds calls of the silent application.
fn impatient(bootstrap: &mut Value) {
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().expect("routes");
        let silent = json!({"name": "x-weft-cluster", "string_match": {"exact": "silent"}});
        routes.insert(
            0,
            json!({"match": {"prefix": "/", "headers": [silent]}, "route": {"cluster": "silent", "timeout": "0.2s"}}),
        );
    }
}

fn cluster(name: &str, port: u16) -> Value {
    json!({"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": {"cluster_name": name, "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]},
    ]}})
}

fn crowded() -> u16 {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).and_then(|()| socket.listen(0)).expect("a free port");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("a bound socket");
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    // They and the listener stay for as long as the process lives.
    let waiting: Vec<_> = std::iter::from_fn(connect).take(64).collect();
    std::mem::forget((listener, waiting));
    address.port()
}

/// Asserts that the answer is Dapr's error that says `what` failed and on which `host`.
fn says(answer: &Answer, app: &str, what: &str, host: &str) {
    let body = dapr::error(answer, 500, "ERR_DIRECT_INVOKE");
    let message = body["message"].as_str().expect("a text");
    let wanted = format!("failed to invoke, id: {app}, err: {what}, host {host} (the proxy answered ");
    assert!(message.starts_with(&wanted), "{message}");
    assert!(answer.header("traceparent").is_some(), "the error belongs to a trace too");
}

fn fails(app: &str, what: &str, host: &str) {
    FAILING.each(|mesh| {
        let orders = mesh.app("orders");
        let path = format!("/v1.0/invoke/{app}/method/x");
        for call in [orders.get(&path), orders.post(&path).body("body"), orders.get(&path).http2()] {
            says(&call.send(), app, what, host);
        }
    });
}

fn here(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[test]
fn a_cluster_that_is_not_there_is_told_as_no_route() {
    fails("no-cluster", "no route to the application", "not-there.example");
}

#[test]
fn a_host_that_no_route_knows_is_told_as_no_route() {
    fails("no-route", "no route to the application", "no-route.example");
}

#[test]
fn a_cluster_without_hosts_is_told_as_no_healthy_host() {
    fails("no-host", "no healthy host", "no-host.example");
}

#[test]
fn a_refused_connection_is_told_with_its_address() {
    fails("refuses", "connection refused or lost", &here(*NOBODY));
}

#[test]
fn a_connection_that_comes_too_late_is_told_as_a_timeout() {
    fails("slow-to-connect", "timeout", &here(*CROWDED));
}

#[test]
fn a_reset_connection_is_told_as_a_reset() {
    fails("resets", "the connection was reset before an answer came", &here(RESETS.port()));
}

#[test]
fn an_answer_that_is_no_http_is_told_as_that() {
    fails("babbles", "the answer is no HTTP", &here(BABBLES.port()));
}

#[test]
fn an_answer_that_comes_too_late_is_told_as_a_timeout() {
    fails("silent", "timeout", &here(SILENT.port()));
}

#[test]
fn a_full_cluster_is_told_as_an_overflow() {
    fails("full", "too many requests wait", "full.example");
}

#[test]
fn an_application_that_answers_what_the_proxy_would_make_up_is_not_corrected() {
    let texts = [
        "no healthy upstream",
        "upstream request timeout",
        "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
    ];
    FAILING.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        for status in [404, 500, 502, 503, 504] {
            for text in texts {
                let path = format!("/{}", unique("copied"));
                let reply = Reply::bytes(status, text).with("server", "envoy").with("x-envoy-overloaded", "true");
                warehouse.server.on(&path, reply.with("content-type", "text/plain"));
                let answer = orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(status);
                assert_eq!((answer.text(), answer.header("content-type")), (text.to_owned(), Some("text/plain")));
            }
        }
    });
}
