//! Requests that are made to be understood in two ways: no part of one reaches an application as a request of its own.

use super::MESHES;
use hyper::Method;
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;

/// What the first answer may be.
enum Wanted {
    /// A refusal of the proxy's or of ours: nobody is called.
    Refused,
    /// One call goes on, and what hides in it stays a part of it.
    OneCall,
}

/// Sends bytes, in which `{hidden}` stands for a path that nobody may be called at and `{open}` for that of the call.
fn send(mesh: &Mesh, bytes: &str, wanted: &Wanted) {
    let (open, hidden) = (format!("/{}", unique("open")), format!("/{}", unique("hidden")));
    let apps = ["orders", "warehouse"].map(|id| mesh.app(id));
    apps.iter().for_each(|app| app.server.on(&open, Reply::bytes(200, "called")));
    let mut client = mesh.app("orders").raw();
    // The proxy may have hung up after the first line.
    let _refused_early = client.try_write(bytes.replace("{open}", &open).replace("{hidden}", &hidden));
    let answer = client.answer_or_end();
    let status = answer.as_ref().map(|it| it.status);
    // Only now: a client that half closes before is taken for one that has left, and that would refuse everything.
    let _refused_already = client.try_half_close();
    client.rest();
    let calls: usize = apps.iter().map(|app| app.server.seen(&open).len()).sum();
    match wanted {
        Wanted::Refused => {
            assert!(status.is_none_or(|it| it >= 400), "{bytes}: {answer:?}");
            assert_eq!(calls, 0, "{bytes}");
        }
        Wanted::OneCall => assert_eq!((status, calls), (Some(200), 1), "{bytes}: {answer:?}"),
    }
    for app in apps {
        assert_eq!(app.server.seen(&hidden).len(), 0, "{bytes}");
    }
}

const CALL: &str = "POST {open} HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n";
const HIDDEN: &str = "GET {hidden} HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n\r\n";

fn refused(fields: &str, body: &str) {
    MESHES.each(|mesh| send(mesh, &format!("{CALL}{fields}\r\n{body}"), &Wanted::Refused));
}

#[test]
fn conflicting_lengths_are_refused() {
    refused("content-length: 0\r\ncontent-length: 5\r\n", HIDDEN);
    refused("content-length: 0, 5\r\n", HIDDEN);
    refused("content-length: +0\r\n", HIDDEN);
    refused("content-length: -1\r\n", HIDDEN);
    refused("content-length: 0x0\r\n", HIDDEN);
}

#[test]
fn a_length_beside_a_transfer_encoding_is_refused() {
    refused("content-length: 0\r\ntransfer-encoding: chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"));
    refused("transfer-encoding: chunked\r\ncontent-length: 3\r\n", &format!("0\r\n\r\n{HIDDEN}"));
}

#[test]
fn a_transfer_encoding_that_is_not_plainly_chunked_is_refused() {
    for encoding in ["xchunked", "chunked, identity", "gzip", "chunked,", "\u{b}chunked"] {
        refused(&format!("transfer-encoding: {encoding}\r\n"), &format!("0\r\n\r\n{HIDDEN}"));
    }
    refused("transfer-encoding : chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"));
}

#[test]
fn a_field_folded_over_lines_is_no_second_field_and_a_bare_carriage_return_no_line() {
    MESHES.each(|mesh| {
        for end in ["\r\n ", "\r\n\t", "\r"] {
            let path = format!("/{}", unique("folded"));
            let warehouse = mesh.app("warehouse");
            warehouse.server.on(&path, Reply::status(200));
            let mut client = mesh.app("orders").raw();
            client.write(format!("{}x-folded: a{end}x-hidden: b\r\n\r\n", CALL.replace("{open}", &path)));
            // It may also be refused.
            client.answer_or_end();
            for seen in warehouse.server.seen(&path) {
                assert_eq!(seen.value("x-hidden"), None, "{end:?}");
                let value = seen.value("x-folded").unwrap();
                assert!(!value.contains(['\r', '\n']), "{value:?}");
            }
            assert_eq!(mesh.app("orders").server.seen(&path).len(), 0);
        }
    });
}

#[test]
fn a_zero_in_a_field_is_refused() {
    refused("x-zero: a\0b\r\n", "");
}

#[test]
fn a_broken_chunk_ends_the_call_and_what_follows_is_no_request() {
    MESHES.each(|mesh| {
        let (open, hidden) = (format!("/{}", unique("open")), format!("/{}", unique("hidden")));
        let warehouse = mesh.app("warehouse");
        for size in ["zz", "-1", "fffffffffffffffff", "0x1"] {
            let mut client = mesh.app("orders").raw();
            let head = CALL.replace("{open}", &open);
            let rest = HIDDEN.replace("{hidden}", &hidden);
            let _refused_early =
                client.try_write(format!("{head}transfer-encoding: chunked\r\n\r\n{size}\r\n{rest}0\r\n\r\n"));
            assert!(client.answer_or_end().is_none_or(|it| it.status >= 400), "{size}");
        }
        assert_eq!(warehouse.server.seen(&hidden).len(), 0);
        assert!(warehouse.server.seen(&open).iter().all(|seen| !seen.complete));
    });
}

#[test]
fn a_body_that_looks_like_a_request_stays_a_body() {
    MESHES.each(|mesh| {
        let body = HIDDEN.replace("{hidden}", "/0123456789");
        send(mesh, &format!("{CALL}content-length: {}\r\n\r\n{body}", body.len()), &Wanted::OneCall);
        assert_eq!(mesh.app("warehouse").server.seen("/0123456789").len(), 0);
    });
}

#[test]
fn an_upgrade_to_http2_opens_no_way_past_the_filter() {
    MESHES.each(|mesh| {
        let fields =
            "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
        let path = format!("/{}", unique("h2c"));
        mesh.app("warehouse").server.on(&path, Reply::status(200));
        let mut client = mesh.app("orders").raw();
        let head = CALL.replace("{open}", &path).replace("POST", "GET");
        client.write(format!("{head}{fields}\r\n"));
        // It is answered as if it had not asked for more.
        assert_eq!(client.answer().map(|it| it.status), Some(200));
        let all = mesh.app("warehouse").server.seen(&path);
        assert_eq!(all.len(), 1);
        for seen in all {
            for name in ["upgrade", "http2-settings", "connection"] {
                assert_eq!(seen.value(name), None, "{name}");
            }
        }
    });
}

#[test]
fn other_upgrades_are_refused() {
    for upgrade in ["websocket\r\nsec-websocket-version: 13", "TLS/1.0"] {
        let fields = format!("connection: upgrade\r\nupgrade: {upgrade}\r\n");
        refused(&fields, "");
        MESHES.each(|mesh| {
            let mut client = mesh.app("orders").raw();
            client.write(format!("GET /x HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n{fields}\r\n"));
            assert_eq!(client.answer().map(|it| it.status), Some(403), "{upgrade}");
        });
    }
}

#[test]
fn connect_opens_no_tunnel() {
    MESHES.each(|mesh| {
        let port = mesh.app("warehouse").server.port();
        for target in [format!("127.0.0.1:{port}"), "weft_app_warehouse:80".to_owned()] {
            for field in ["", "dapr-app-id: warehouse\r\n", "x-weft-cluster: weft_app_warehouse\r\n"] {
                let bytes = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{field}\r\n{HIDDEN}");
                send(mesh, &bytes, &Wanted::Refused);
            }
        }
    });
}

#[test]
fn connect_over_http2_reaches_nobody() {
    MESHES.each(|mesh| {
        let mark = unique("connect");
        for path in ["/v1.0/invoke/warehouse/method/x", "/"] {
            let call = mesh.app("orders").call(Method::CONNECT, path).http2();
            let answer = call.header("dapr-app-id", "warehouse").header("x-mark", &mark).send();
            let text = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE")["message"].to_string();
            assert!(text.contains("not CONNECT"), "{text}");
        }
        for app in ["orders", "warehouse"] {
            let seen = mesh.app(app).server.all_seen();
            assert!(seen.iter().all(|it| it.value("x-mark").as_ref() != Some(&mark)), "{app}");
        }
    });
}

#[test]
fn a_verb_that_the_proxy_does_not_know_reaches_nobody_by_http1() {
    MESHES.each(|mesh| {
        for verb in ["BREW", "get", "G\u{1}T", "PROPFINDER"] {
            send(mesh, &format!("{}\r\n", CALL.replace("POST", verb)), &Wanted::Refused);
        }
    });
}

#[test]
fn more_header_than_the_proxy_takes_is_refused() {
    let many: String = (0..200).map(|number| format!("x-many-{number}: 1\r\n")).collect();
    refused(&many, "");
    refused(&format!("x-long: {}\r\n", "a".repeat(70 * 1024)), "");
}

#[test]
fn an_absolute_target_reaches_no_other_host() {
    MESHES.each(|mesh| {
        let port = mesh.app("warehouse").server.port();
        for target in [format!("http://127.0.0.1:{port}"), "http://169.254.169.254".to_owned()] {
            let bytes = format!("GET {target}{{hidden}} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            send(mesh, &bytes, &Wanted::Refused);
        }
    });
}
