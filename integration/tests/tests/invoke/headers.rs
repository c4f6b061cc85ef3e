//! Which headers reach the callee, and which come back.

use super::MESHES;
use super::paths::managers;
use serde_json::Value;
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
fn headers_that_only_grpc_gives_a_meaning_pass_as_others() {
    MESHES.each(|mesh| {
        let reply = Reply::status(200).with("x-answer-bin", "AAEC").with("grpc-metadata", "b");
        let (seen, answer) = call(mesh, "x-told-bin: AAEC\r\ngrpc-something: a\r\n", reply);
        assert_eq!(seen.value("x-told-bin").as_deref(), Some("AAEC"));
        assert_eq!(seen.value("grpc-something").as_deref(), Some("a"));
        assert_eq!(answer.header("x-answer-bin").as_deref(), Some("AAEC"));
        assert_eq!(answer.header("grpc-metadata").as_deref(), Some("b"));
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
        let (carried, answer) = call(mesh, lines, Reply::status(200));
        let parent = carried.value("traceparent").expect("the trace is carried");
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"), "{parent}");
        assert_eq!(carried.value("tracestate").as_deref(), Some("a=b"));
        // One span of ours for the whole call, with an id of its own.
        assert_eq!(answer.header("traceparent").as_ref(), Some(&parent));
        assert!(!parent.contains("00f067aa0ba902b7"), "{parent}");
    });
}

#[test]
fn fields_that_an_answer_names_as_its_connections_do_not_pass() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let path = format!("/{}", unique("nominated"));
        for callee in ["warehouse", "orders"] {
            let reply =
                Reply::status(200).with("connection", "X-Drop, keep-alive").with("x-drop", "1").with("x-keep", "2");
            mesh.app(callee).server.on(&path, reply);
            let answer = orders.get(&format!("/v1.0/invoke/{callee}/method{path}")).send().expect(200);
            assert_eq!((answer.header("x-drop"), answer.header("connection")), (None, None), "{callee}");
            assert_eq!(answer.header("x-keep"), Some("2"));
        }
    });
}

#[test]
fn the_callers_token_reaches_no_application_on_any_way() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("token"));
        orders.server.on(&path, Reply::status(200));
        warehouse.server.on(&path, Reply::status(200));
        let calls = [
            orders.get(&format!("/v1.0/invoke/warehouse/method{path}")),
            orders.get(&format!("/v1.0/invoke/orders/method{path}")),
            orders.get(&path).header("dapr-app-id", "warehouse"),
            orders.get(&path).header("authorization", "Basic ZGFwci1hcHAtaWQ6d2FyZWhvdXNl").http2(),
        ];
        for call in calls {
            call.header("dapr-api-token", "secret").header("dapr-api-token", "another").send().expect(200);
        }
        let seen = [warehouse.server.seen(&path), orders.server.seen(&path)].concat();
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|it| it.values("dapr-api-token").is_empty()), "{seen:?}");
    });
}

#[test]
fn a_length_that_is_known_stays_known_and_a_type_that_is_absent_stays_absent() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("length"));
        warehouse.server.on(&path, Reply::bytes(200, "four"));
        let answer = orders.post(&format!("/v1.0/invoke/warehouse/method{path}")).body("body!").send().expect(200);
        let seen = &warehouse.server.wait_for(&path, 1)[0];
        assert_eq!((seen.value("content-length").as_deref(), seen.value("content-type")), (Some("5"), None));
        assert_eq!((answer.header("content-length"), answer.header("content-type")), (Some("4"), None));
    });
}

#[test]
fn forwarding_fields_of_the_caller_pass_as_they_are() {
    MESHES.each(|mesh| {
        let lines = "x-forwarded-for: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\nx-forwarded-host: shop.example\r\n\
                     forwarded: for=192.0.2.1;host=shop.example\r\nforwarded: for=\"[2001:db8::1]\"\r\nvia: 1.1 edge\r\n";
        let (seen, _) = call(mesh, lines, Reply::status(200));
        assert_eq!(seen.values("x-forwarded-for").join(","), "192.0.2.1,192.0.2.2");
        assert_eq!(seen.values("x-forwarded-host"), ["shop.example"]);
        assert_eq!(seen.values("forwarded"), ["for=192.0.2.1;host=shop.example", "for=\"[2001:db8::1]\""]);
        assert_eq!(seen.values("via"), ["1.1 edge"]);
    });
}

#[test]
fn a_proxy_that_tells_where_requests_come_from_tells_it_of_calls() {
    let tells = |bootstrap: &mut Value| managers(bootstrap, &|manager| manager["use_remote_address"] = true.into());
    let mesh = Mesh::builder().app("orders").app("warehouse").edit(tells).start();
    let (seen, _) = call(&mesh, "", Reply::status(200));
    let from = seen.value("x-forwarded-for").expect("the proxy's own address");
    assert!(from.parse::<std::net::IpAddr>().is_ok(), "{from}");
}

#[test]
fn an_id_or_a_trace_that_is_not_text_is_no_reason_to_guess() {
    MESHES.each(|mesh| {
        let mut client = mesh.app("orders").raw();
        client.write(
            b"GET /v1.0/invoke/warehouse/method/x HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: ware\xffhouse\r\n\r\n",
        );
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(answer.text().contains("invalid app id"), "{}", answer.text());
        let (seen, _) = call(mesh, "authorization: Basic \u{ff}\r\ntraceparent: \u{ff}\r\n", Reply::status(200));
        assert_eq!(seen.value("traceparent").map(|it| it.len()), Some(55));
        let authorization = seen.headers.iter().find(|it| it.0 == "authorization").map(|it| it.1.clone());
        assert_eq!(authorization, Some(b"Basic \xff".to_vec()));
    });
}

#[test]
fn fields_of_grpc_pass_between_http_applications_as_they_are() {
    MESHES.each(|mesh| {
        let lines = "x-some-bin: AAE\r\ngrpc-timeout: 1S\r\ngrpc-tags-bin: AAE=\r\n";
        let (seen, answer) = call(mesh, lines, Reply::bytes(200, "four").with("x-back-bin", "AAE"));
        for (name, value) in [("x-some-bin", "AAE"), ("grpc-timeout", "1S"), ("grpc-tags-bin", "AAE=")] {
            assert_eq!(seen.values(name), [value]);
        }
        assert_eq!(
            (answer.header("x-back-bin").as_deref(), answer.header("content-length").as_deref()),
            (Some("AAE"), Some("4"))
        );
    });
}
