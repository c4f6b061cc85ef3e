//! Which headers reach the callee, and which come back.

use super::MESHES;
use weft_tests::app::{Reply, Seen};
use weft_tests::dapr::unique;
use weft_tests::mesh::Mesh;
use weft_tests::raw::RawAnswer;

/// Sends `GET` with these header lines to the warehouse and gives what it saw and what came back.
fn call(mesh: &Mesh, lines: &str, reply: Reply) -> (Seen, RawAnswer) {
    let warehouse = mesh.app("warehouse");
    let path = format!("/{}", unique("headers"));
    warehouse.server.on(&path, reply);
    let mut client = mesh.app("orders").raw();
    let mut request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n{lines}\r\n").into_bytes();
    // Latin-1 letters in header values are single bytes on the wire.
    request = String::from_utf8(request).unwrap().chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
    client.write(request);
    let answer = client.answer().expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    (warehouse.server.wait_for(&path, 1).remove(0), answer)
}

#[test]
fn the_callee_learns_who_calls_and_not_by_which_header() {
    MESHES.each(|mesh| {
        let (seen, _) = call(mesh, "dapr-api-token: secret\r\n", Reply::status(200));
        assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some("orders"));
        assert_eq!(seen.value("dapr-caller-namespace").as_deref(), Some("default"));
        assert_eq!(seen.value("dapr-callee-app-id").as_deref(), Some("warehouse"));
        assert_eq!(seen.value("dapr-app-id"), None);
        assert_eq!(seen.value("dapr-api-token"), None);
        let host = format!("127.0.0.1:{}", mesh.app("warehouse").server.port());
        assert_eq!(seen.value("host"), Some(host));
        let ours: Vec<_> = seen.headers.iter().filter(|(name, _)| name.starts_with("x-weft")).collect();
        assert!(ours.is_empty(), "{ours:?}");
    });
}

#[test]
fn a_caller_cannot_forge_who_calls_nor_where_a_request_goes() {
    MESHES.each(|mesh| {
        let forged = "dapr-caller-app-id: boss\r\ndapr-caller-app-id: chief\r\ndapr-caller-namespace: castle\r\n\
                      dapr-callee-app-id: ghost\r\nx-weft-cluster: weft_invoke_ghost\r\n";
        let (seen, _) = call(mesh, forged, Reply::status(200));
        assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some("orders"));
        assert_eq!(seen.value("dapr-caller-namespace").as_deref(), Some("default"));
        assert_eq!(seen.value("dapr-callee-app-id").as_deref(), Some("warehouse"));
    });
}

#[test]
fn a_request_that_only_looks_like_grpc_reaches_the_callee() {
    MESHES.each(|mesh| {
        for kind in ["application/grpc-web+proto", "application/grpc;charset=utf-8"] {
            let (seen, answer) = call(mesh, &format!("content-type: {kind}\r\n"), Reply::bytes(200, "the callee's"));
            assert_eq!(seen.value("content-type").as_deref(), Some(kind));
            assert_eq!(answer.text(), "the callee's");
        }
    });
}

#[test]
fn headers_of_the_two_applications_pass_with_all_their_values_and_bytes() {
    MESHES.each(|mesh| {
        let lines = "authorization: Bearer token\r\ncookie: a=1\r\naccept: text/html\r\nx-many: 1\r\nx-many: 2\r\n\
                     x-latin: caf\u{e9}\r\ncontent-type: application/vnd.x+json; v=1\r\nuser-agent: mine/1\r\n";
        let reply = Reply::bytes(200, "{}")
            .with("content-type", "application/vnd.y+json")
            .with("set-cookie", "a=1")
            .with("set-cookie", "b=2")
            .with("x-latin", b"caf\xe9");
        let (seen, answer) = call(mesh, lines, reply);
        assert_eq!(seen.value("authorization").as_deref(), Some("Bearer token"));
        assert_eq!(seen.value("cookie").as_deref(), Some("a=1"));
        assert_eq!(seen.value("accept").as_deref(), Some("text/html"));
        assert_eq!(seen.value("user-agent").as_deref(), Some("mine/1"));
        assert_eq!(seen.value("content-type").as_deref(), Some("application/vnd.x+json; v=1"));
        assert_eq!(seen.values("x-many").join(","), "1,2");
        let latin = |headers: &[(String, Vec<u8>)]| headers.iter().find(|it| it.0 == "x-latin").map(|it| it.1.clone());
        assert_eq!(latin(&seen.headers), Some(b"caf\xe9".to_vec()));
        assert_eq!(latin(&answer.headers), Some(b"caf\xe9".to_vec()));
        assert_eq!(answer.header("content-type").as_deref(), Some("application/vnd.y+json"));
        let cookies: Vec<_> = answer.headers.iter().filter(|it| it.0 == "set-cookie").map(|it| it.1.clone()).collect();
        assert_eq!(cookies, [b"a=1".to_vec(), b"b=2".to_vec()]);
        assert_eq!(answer.text(), "{}");
    });
}

#[test]
fn headers_that_belong_to_one_connection_do_not_pass() {
    MESHES.each(|mesh| {
        let lines = "connection: keep-alive, x-drop\r\nx-drop: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
                     te: trailers\r\ntrailer: x-end\r\nproxy-authorization: Basic eA==\r\n";
        let reply = Reply::status(200).with("proxy-authenticate", "Basic").with("keep-alive", "timeout=5").with("proxy-connection", "close").with("trailer", "x-end");
        let (seen, answer) = call(mesh, lines, reply);
        for name in ["connection", "x-drop", "keep-alive", "proxy-connection", "te", "trailer", "proxy-authorization"] {
            assert_eq!(seen.value(name), None, "{name}");
        }
        for name in ["proxy-authenticate", "keep-alive", "proxy-connection", "trailer"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    });
}

#[test]
fn a_callee_always_gets_a_trace_context_and_keeps_the_callers_trace() {
    MESHES.each(|mesh| {
        let (fresh, _) = call(mesh, "", Reply::status(200));
        let parent = fresh.value("traceparent").expect("a trace is started");
        assert!(parent.len() == 55 && parent.starts_with("00-") && !parent.contains(&"0".repeat(32)), "{parent}");
        let lines = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=b\r\n";
        let (carried, _) = call(mesh, lines, Reply::status(200));
        let parent = carried.value("traceparent").expect("the trace is carried");
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"), "{parent}");
        assert_eq!(carried.value("tracestate").as_deref(), Some("a=b"));
    });
}
