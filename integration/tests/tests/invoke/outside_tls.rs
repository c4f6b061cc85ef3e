//! Calls of hosts outside of the mesh by `https` URLs.

use super::outside::{HERE, NAMES, THERE, ask_test_server, outside, says};
use hyper::Version;
use std::sync::LazyLock;
use tempfile::TempDir;
use weft::bootstrap::Outside;
use weft_tests::app::{Reply, Secure, TestApp};
use weft_tests::certificates::{Authority, self_signed};
use weft_tests::dapr::unique;
use weft_tests::mesh::Mesh;
use weft_tests::shared::Meshes;

const NAME: &str = "secure.outside.test";
const BOTH: &[&str] = &["h2", "http/1.1"];

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));
/// The one that the proxy trusts.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new(FOLDER.path()));
static HOST: LazyLock<TestApp> = LazyLock::new(|| TestApp::secure(Secure::new(&AUTHORITY.server(NAME), BOTH)));

static MESHES: Meshes = Meshes::new(|workers| {
    NAMES.set(NAME, &[HERE]);
    NAMES.set("other.outside.test", &[HERE]);
    let authorities = Some(AUTHORITY.certificate.clone());
    let outside = Outside { authorities, ..outside(&[".outside.test", "127.0.0.1"], &["127.0.0.1"]) };
    Mesh::builder().workers(workers).app("orders").outside(outside).edit(ask_test_server).start()
});

#[test]
fn a_host_whose_certificate_names_it_can_be_called_in_every_spelling() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let port = HOST.port();
        let path = format!("/{}", unique("secure"));
        HOST.on(&path, Reply::bytes(200, "out there"));
        let targets = [
            format!("/v1.0/invoke/https://{NAME}:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/https:/{NAME}:{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/https%3A%2F%2F{NAME}%3A{port}/method{path}?q=%2F"),
            format!("/v1.0/invoke/HTTPS://SECURE.outside.test:{port}/method{path}?q=%2F"),
        ];
        for target in &targets {
            assert_eq!(orders.get(target).send().expect(200).text(), "out there", "{target}");
        }
        let by_header = orders.post(&format!("{path}?q=%2F")).header("dapr-app-id", &format!("https://{NAME}:{port}"));
        assert_eq!(by_header.body("body").send().expect(200).text(), "out there");
        let seen = HOST.seen(&path);
        assert_eq!(seen.len(), targets.len() + 1);
        for one in &seen {
            assert_eq!((one.query(), one.version), (Some("q=%2F"), Version::HTTP_11));
            assert_eq!(one.server_name.as_deref().map(str::to_lowercase).as_deref(), Some(NAME));
            assert_eq!(one.value("host").map(|it| it.to_lowercase()), Some(format!("{NAME}:{port}")));
        }
        assert_eq!(&seen[targets.len()].body[..], b"body");
    });
}

#[test]
fn an_address_can_be_called_if_the_certificate_names_it() {
    let host = TestApp::secure(Secure::new(&AUTHORITY.server("127.0.0.1"), BOTH));
    host.on("/x", Reply::bytes(200, "out there"));
    MESHES.each(|mesh| {
        let target = format!("/v1.0/invoke/https://127.0.0.1:{}/method/x", host.port());
        assert_eq!(mesh.app("orders").get(&target).send().expect(200).text(), "out there");
    });
    assert!(host.all_seen().iter().all(|it| it.server_name.is_none()));
}

#[test]
fn a_host_whose_certificate_is_not_sound_gets_no_request() {
    let elsewhere = tempfile::tempdir().unwrap();
    let strangers = Authority::new(elsewhere.path());
    let secure = |pair| TestApp::secure(Secure::new(&pair, BOTH));
    let hosts = [
        ("another name", secure(AUTHORITY.server("elsewhere.outside.test"))),
        ("a name below", secure(AUTHORITY.server("deep.other.outside.test"))),
        ("an address", secure(AUTHORITY.server("127.0.0.1"))),
        ("another authority", secure(strangers.server("other.outside.test"))),
        ("no authority", secure(self_signed())),
        ("a client's", secure(AUTHORITY.client())),
        ("plain text", TestApp::start()),
    ];
    MESHES.each(|mesh| {
        for (what, host) in &hosts {
            let target = format!("/v1.0/invoke/https://other.outside.test:{}/method/x", host.port());
            for call in [mesh.app("orders").get(&target), mesh.app("orders").post(&target).body("secret")] {
                let answer = call.send();
                says(&answer, &format!("id: other.outside.test:{}, err: ", host.port()));
                says(&answer, if *what == "plain text" { "TLS" } else { "CERTIFICATE_VERIFY_FAILED" });
            }
            assert!(host.all_seen().is_empty(), "{what}");
        }
    });
}

#[test]
fn a_name_that_leads_inside_gets_no_connection() {
    // A certificate for the name would be there.
    let inside = std::net::TcpListener::bind((THERE, HOST.port())).expect("the port is free at the other address");
    inside.set_nonblocking(true).expect("a bound socket");
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let name = format!("{}.outside.test", unique("inside"));
        NAMES.set(&name, &[THERE]);
        let target = format!("/v1.0/invoke/https://{name}:{}/method/x", HOST.port());
        for call in [orders.get(&target), orders.post(&target).body("secret"), orders.get(&target).http2()] {
            let answer = call.send();
            says(&answer, &format!("id: {name}:{}, err: ", HOST.port()));
            says(&answer, "private, link-local or loopback");
        }
        assert!(inside.accept().is_err(), "nobody came to the address inside");
    });
}

#[test]
fn a_host_of_the_same_address_is_never_called_on_anothers_connection() {
    MESHES.each(|mesh| {
        let path = format!("/{}", unique("shared"));
        HOST.on(&path, Reply::status(200));
        let call =
            |name: &str| mesh.app("orders").get(&format!("/v1.0/invoke/https://{name}:{}/method{path}", HOST.port()));
        call(NAME).send().expect(200);
        says(&call("other.outside.test").send(), "CERTIFICATE_VERIFY_FAILED");
        assert_eq!(HOST.seen(&path).len(), 1);
    });
}

#[test]
fn a_certificate_of_another_host_says_nothing_of_plain_calls() {
    MESHES.each(|mesh| {
        let answer = mesh.app("orders").get(&format!("/v1.0/invoke/http://{NAME}:{}/method/x", HOST.port())).send();
        says(&answer, &format!("id: {NAME}:{}", HOST.port()));
    });
}
