//! Calls of hosts outside of the mesh, by URL.

use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::LazyLock;
use weft::bootstrap::Outside;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;
use weft_tests::names::Names;
use weft_tests::shared::Meshes;
use weft_tests::wait;

pub(super) static NAMES: LazyLock<Names> = LazyLock::new(Names::start);
/// The one host of the outside, at a loopback address.
static HOST: LazyLock<TestApp> = LazyLock::new(TestApp::start);

pub(super) const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// A loopback address that may be called, where nobody listens.
const SPARE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Another loopback address, which no configuration here lists.
pub(super) const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

pub(super) fn outside(hosts: &[&str], addresses: &[&str]) -> Outside {
    let hosts = hosts.iter().map(|it| (*it).to_owned()).collect();
    let addresses = addresses.iter().map(|it| it.parse().expect("an address")).collect();
    Outside { hosts, addresses, authorities: None }
}

/// Names are asked at the test's own server.
pub(super) fn ask_test_server(value: &mut Value) {
    let resolver = json!({"socket_address": {"address": "127.0.0.1", "port_value": NAMES.port(), "protocol": "UDP"}});
    let kind = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
    let config =
        json!({"@type": kind, "resolvers": [resolver], "dns_resolver_options": {"no_default_search_domain": true}});
    let asked = json!({"name": "envoy.network.dns_resolver.cares", "typed_config": config});
    if value.get("dns_lookup_family").is_some() {
        value["typed_dns_resolver_config"] = asked;
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(ask_test_server),
        Value::Array(elements) => elements.iter_mut().for_each(ask_test_server),
        _ => {}
    }
}

static OPEN: Meshes = Meshes::new(|workers| {
    let hosts =
        ["api.outside.test", ".suffix.test", "127.0.0.1", "127.0.0.2", "localhost", "gone.outside.test", "[::1]"];
    let builder = Mesh::builder()
        .workers(workers)
        .app("orders")
        .app("warehouse")
        .outside(outside(&hosts, &["127.0.0.1", "127.0.0.3"]));
    builder.edit(ask_test_server).start()
});

pub(super) fn says(answer: &Answer, part: &str) {
    let body = dapr::error(answer, 500, "ERR_DIRECT_INVOKE");
    assert!(
        body["message"].as_str().is_some_and(|it| it.starts_with("failed to invoke, id: ") && it.contains(part)),
        "{body}"
    );
}

#[test]
fn a_host_that_is_listed_can_be_called_by_its_url_in_every_spelling() {
    NAMES.set("api.outside.test", &[HERE]);
    NAMES.set("a.suffix.test", &[HERE]);
    OPEN.each(|mesh| {
        let orders = mesh.app("orders");
        let port = HOST.port();
        let path = format!("/{}", unique("outside"));
        HOST.on(&path, Reply::bytes(200, "out there"));
        HOST.on(&format!("/base{path}"), Reply::bytes(200, "out there"));
        let targets = [
            format!("/v1.0/invoke/http://api.outside.test:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/http:/api.outside.test:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/http%3A%2F%2Fapi.outside.test%3A{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/HTTP:%2F/API.outside.test:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/http://a.suffix.test:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/http://127.0.0.1:{port}/method{path}?q=%2F"),
        ];
        for target in &targets {
            assert_eq!(orders.get(target).send().expect(200).text(), "out there", "{target}");
        }
        let by_header =
            orders.get(&format!("{path}?q=%2F")).header("dapr-app-id", &format!("http://api.outside.test:{port}"));
        assert_eq!(by_header.send().expect(200).text(), "out there");
        let seen = HOST.seen(&path);
        assert_eq!(seen.len(), targets.len() + 1);
        assert!(seen.iter().all(|it| it.query() == Some("q=%2F")));
        assert_eq!(seen[0].value("host"), Some(format!("api.outside.test:{port}")));
        let based = format!("/v1.0/invoke/http://api.outside.test:{port}/base/method{path}");
        assert_eq!(orders.get(&based).send().expect(200).text(), "out there");
    });
}

#[test]
fn a_host_outside_learns_nothing_of_the_mesh() {
    NAMES.set("api.outside.test", &[HERE]);
    OPEN.each(|mesh| {
        let path = format!("/{}", unique("private"));
        HOST.on(&path, Reply::status(200));
        let target = format!("/v1.0/invoke/http://api.outside.test:{}/method{path}", HOST.port());
        let call = mesh.app("orders").post(&target).body("body").header("dapr-api-token", "secret");
        let call = call.header("dapr-caller-app-id", "forged").header("authorization", "Bearer mine");
        call.header("connection", "x-drop").header("x-drop", "1").send().expect(200);
        let seen = &HOST.wait_for(&path, 1)[0];
        let told: Vec<_> = seen.headers.iter().map(|it| it.0.as_str()).collect();
        for part in ["dapr-", "x-weft", "x-envoy", "forwarded-host", "x-drop"] {
            assert!(told.iter().all(|name| !name.contains(part)), "{part} in {told:?}");
        }
        assert_eq!(seen.value("authorization").as_deref(), Some("Bearer mine"));
        assert_eq!(seen.value("traceparent").map(|it| it.len()), Some(55));
        assert_eq!(&seen.body[..], b"body");
    });
}

#[test]
fn a_host_that_is_not_listed_is_refused_with_the_setting_that_lists_it() {
    OPEN.each(|mesh| {
        let orders = mesh.app("orders");
        for host in [
            "other.test",
            "suffix.test",
            "evilsuffix.test",
            "api.outside.test.evil.test",
            "api.outside.test.",
            "169.254.169.254",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
        ] {
            for scheme in ["http", "https"] {
                let answer = orders.get(&format!("/v1.0/invoke/{scheme}://{host}/method/latest/meta-data")).send();
                says(&answer, "invoke.external.hosts");
            }
        }
        for odd in ["http://user@api.outside.test", "http://api.outside.test:0", "http://api.outside.test%00"] {
            let answer = orders.get(&format!("/v1.0/invoke/{odd}/method/x")).send();
            says(&answer, "the URL's host must be a name or an address");
        }
    });
}

#[test]
fn without_a_list_no_host_can_be_called() {
    let mesh = Mesh::builder().app("orders").start();
    let path = format!("/{}", unique("closed"));
    HOST.on(&path, Reply::status(200));
    for host in ["localhost", "127.0.0.1", "[::1]", "api.outside.test"] {
        let target = format!("/v1.0/invoke/http://{host}:{}/method{path}", HOST.port());
        says(&mesh.app("orders").get(&target).send(), "invoke.external.hosts");
    }
    assert!(HOST.seen(&path).is_empty());
}

#[test]
fn a_listed_name_that_leads_inside_is_refused() {
    NAMES.set("loopback.suffix.test", &[THERE]);
    NAMES.set("metadata.suffix.test", &[Ipv4Addr::new(169, 254, 169, 254)]);
    NAMES.set("private.suffix.test", &[Ipv4Addr::new(10, 1, 2, 3)]);
    NAMES.set("any.suffix.test", &[Ipv4Addr::UNSPECIFIED]);
    OPEN.each(|mesh| {
        for host in [
            "loopback.suffix.test",
            "metadata.suffix.test",
            "private.suffix.test",
            "any.suffix.test",
            "127.0.0.2",
            "[::1]",
        ] {
            let answer = mesh.app("orders").get(&format!("/v1.0/invoke/http://{host}:{}/method/x", HOST.port())).send();
            says(&answer, "private, link-local or loopback");
        }
    });
}

#[test]
fn a_name_that_changes_to_an_address_inside_is_refused_from_then_on() {
    let inside = std::net::TcpListener::bind((THERE, HOST.port())).expect("the port is free at the other address");
    inside.set_nonblocking(true).expect("a bound socket");
    OPEN.each(|mesh| {
        let name = format!("{}.suffix.test", unique("rebinding"));
        NAMES.set(&name, &[HERE]);
        let path = format!("/{}", unique("rebinding"));
        HOST.on(&path, Reply::status(200).with("connection", "close"));
        let target = format!("/v1.0/invoke/http://{name}:{}/method{path}", HOST.port());
        mesh.app("orders").get(&target).send().expect(200);
        NAMES.set(&name, &[THERE]);
        wait::until_true("the proxy has asked again", || mesh.app("orders").get(&target).send().status == 500);
        says(&mesh.app("orders").get(&target).send(), "private, link-local or loopback");
        assert!(inside.accept().is_err(), "nobody came to the address inside");
    });
}

#[test]
fn a_name_that_is_not_there_and_a_host_that_does_not_answer_are_daprs_500() {
    NAMES.set("dead.suffix.test", &[HERE]);
    let port = weft_tests::ports::free();
    OPEN.each(|mesh| {
        let orders = mesh.app("orders");
        says(&orders.get("/v1.0/invoke/http://gone.outside.test/method/x").send(), "its name has no address");
        let dead = orders.get(&format!("/v1.0/invoke/http://dead.suffix.test:{port}/method/x")).send();
        says(&dead, "connection_failure");
    });
}

#[test]
fn every_address_of_a_name_is_judged_before_it_is_called() {
    let port = weft_tests::ports::free();
    let inside = std::net::TcpListener::bind((THERE, port)).expect("the port is free at the other address");
    inside.set_nonblocking(true).expect("a bound socket");
    OPEN.each(|mesh| {
        // The first one refuses the connection, as somebody may have it do who wants the second one called.
        for addresses in [[HERE, THERE], [THERE, HERE]] {
            let name = format!("{}.suffix.test", unique("several"));
            NAMES.set(&name, &addresses);
            let target = format!("/v1.0/invoke/http://{name}:{port}/method/x");
            for call in [mesh.app("orders").get(&target), mesh.app("orders").post(&target).body("body")] {
                for _ in 0..5 {
                    says(&call.clone().send(), "private, link-local or loopback");
                }
            }
        }
        assert!(inside.accept().is_err(), "nobody came to the address inside");
    });
}

#[test]
fn a_name_with_an_address_that_does_not_answer_is_called_at_another() {
    OPEN.each(|mesh| {
        let name = format!("{}.suffix.test", unique("spare"));
        NAMES.set(&name, &[SPARE, HERE]);
        let path = format!("/{}", unique("spare"));
        HOST.on(&path, Reply::status(200));
        for _ in 0..4 {
            let target = format!("/v1.0/invoke/http://{name}:{}/method{path}", HOST.port());
            mesh.app("orders").post(&target).body("body").send().expect(200);
        }
        assert!(HOST.seen(&path).iter().all(|it| &it.body[..] == b"body"));
    });
}
