//! Bodies of invocations: streamed, of any size, whole or broken.

use super::MESHES;
use super::pairs::{Pair, each, two};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use weft_tests::app::Reply;
use weft_tests::dapr::unique;
use weft_tests::mesh::Mesh;
use weft_tests::ports;
use weft_tests::process::peak_memory;

#[test]
fn both_bodies_are_streamed_while_neither_has_ended() {
    each(|pair| {
        let path = format!("/{}", unique("stream"));
        let streams = pair.warehouse().on_stream(&path);
        let mut client = pair.raw();
        client.write(format!(
            "POST /v1.0/invoke/warehouse/method{path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        ));
        let mut open = streams.next();
        for turn in 0..5 {
            client.write(format!("4\r\nreq{turn}\r\n"));
            assert_eq!(open.receive().as_deref(), Some(format!("req{turn}").as_bytes()));
            open.send(format!("ans{turn}").as_bytes());
            client.read_until(format!("ans{turn}").as_bytes());
        }
        client.write("0\r\n\r\n");
        assert_eq!(open.receive(), None);
        open.end();
        client.read_until(b"0\r\n\r\n");
    });
}

#[test]
fn bodies_far_above_the_limit_of_the_other_apis_pass_unchanged_both_ways() {
    let body: Vec<u8> = (0..12 * 1024 * 1024_u32).map(|at| at.to_le_bytes()[1]).collect();
    each(|pair| {
        let path = format!("/{}", unique("large"));
        pair.warehouse().on_call(&path, |seen| Reply::bytes(200, seen.body.clone()));
        let call = pair.post(&format!("/v1.0/invoke/warehouse/method{path}")).body(body.clone());
        assert!(call.send().expect(200).body == body, "the body came back changed");
    });
}

#[test]
fn an_answer_that_breaks_off_is_not_passed_on_as_whole() {
    each(|pair| {
        let path = format!("/{}", unique("broken"));
        let streams = pair.warehouse().on_stream(&path);
        let mut client = pair.raw();
        client.write(format!("GET /v1.0/invoke/warehouse/method{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        let mut open = streams.next();
        open.send(b"half");
        client.read_until(b"half");
        open.abort();
        let rest = client.rest();
        assert!(!rest.windows(5).any(|it| it == b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&rest));
    });
}

#[test]
fn a_caller_that_goes_away_ends_the_callees_request() {
    each(|pair| {
        let path = format!("/{}", unique("gone"));
        let streams = pair.warehouse().on_stream(&path);
        let mut client = pair.raw();
        client.write(format!(
            "POST /v1.0/invoke/warehouse/method{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhello"
        ));
        let mut open = streams.next();
        assert_eq!(open.receive().as_deref(), Some(&b"hello"[..]));
        client.reset();
        assert_eq!(open.receive(), None);
    });
}

#[test]
fn event_streams_pass_event_by_event() {
    each(|pair| {
        let path = format!("/{}", unique("events"));
        let streams = pair.warehouse().on_stream(&path);
        let mut client = pair.raw();
        client.write(format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\naccept: text/event-stream\r\n\r\n"
        ));
        let mut open = streams.next();
        assert_eq!(open.head.value("accept").as_deref(), Some("text/event-stream"));
        for event in 0..3 {
            open.send(format!("data: {event}\n\n").as_bytes());
            client.read_until(format!("data: {event}\n\n").as_bytes());
        }
        open.end();
    });
}

#[test]
fn trailers_pass_both_ways_over_http2() {
    each(|pair| {
        let path = format!("/{}", unique("trailers"));
        pair.server("modern").echoes(&path);
        let call = pair.post(&format!("/v1.0/invoke/modern/method{path}")).body("hello").trailer("x-end", "of body");
        let answer = call.http2().send().expect(200);
        assert_eq!((answer.text().as_str(), answer.trailers["x-end"].to_str().unwrap()), ("hello", "of body"));
    });
}

/// Takes a connection at the port of `wire` and reads until `end` has come; gives it and what was read. Questions of
/// Dapr's own, which come at any time, are answered and do not count.
fn take(listener: &TcpListener, end: &[u8]) -> (TcpStream, String) {
    loop {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut read, mut piece) = (Vec::new(), [0; 4096]);
        let is_own = |read: &[u8]| read.starts_with(b"GET /dapr/") && read.ends_with(b"\r\n\r\n");
        while !read.ends_with(end) && !is_own(&read) {
            let size = socket.read(&mut piece).unwrap();
            assert_ne!(size, 0, "{:?}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&piece[..size]);
        }
        if !is_own(&read) {
            return (socket, String::from_utf8(read).unwrap());
        }
        socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    }
}

#[test]
fn trailers_pass_both_ways_over_http1() {
    MESHES.each(|mesh| {
        let listener = ports::listen(mesh.app("wire").server.port());
        let mut client = mesh.app("orders").raw();
        client.write("POST / HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: wire\r\ntransfer-encoding: chunked\r\n\r\n");
        client.write("2\r\nhi\r\n0\r\nx-end: of request\r\n\r\n");
        let (mut socket, request) = take(&listener, b"x-end: of request\r\n\r\n");
        assert!(request.contains("\r\n\r\n2\r\nhi\r\n0\r\n"), "{request}");
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nho\r\n0\r\nx-end: of answer\r\n\r\n")
            .unwrap();
        client.read_until(b"2\r\nho\r\n0\r\nx-end: of answer\r\n\r\n");
    });
}

#[test]
fn a_gibibyte_passes_both_ways_through_one_call_in_flat_memory() {
    gibibyte(&Pair::One(&Mesh::builder().app("orders").app("warehouse").start()));
    gibibyte(&Pair::Two(&two()));
}

fn gibibyte(pair: &Pair<'_>) {
    const WHOLE: usize = 1 << 30;
    pair.warehouse().echoes("/large");
    let mut socket = TcpStream::connect(pair.http()).unwrap();
    let before: Vec<_> = pair.envoys().into_iter().map(|pid| (pid, peak_memory(pid))).collect();
    let mut writer = socket.try_clone().unwrap();
    let upload = std::thread::spawn(move || {
        let chunk = vec![b'x'; 1 << 20];
        let head = "POST /large HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\nconnection: close\r\n";
        writer.write_all(format!("{head}content-length: {WHOLE}\r\n\r\n").as_bytes()).unwrap();
        (0..WHOLE / chunk.len()).for_each(|_| writer.write_all(&chunk).unwrap());
    });
    let (mut piece, mut answer) = (vec![0; 1 << 20], 0);
    while let size @ 1.. = socket.read(&mut piece).unwrap() {
        answer += size;
    }
    upload.join().unwrap();
    // The head, and in front of each chunk its size, come on top.
    assert!((WHOLE..WHOLE + WHOLE / 100).contains(&answer), "{answer}");
    for (pid, before) in before {
        let grown = peak_memory(pid) - before;
        assert!(grown < 32 << 20, "{grown} bytes");
    }
}

/// Lets requests stand still for a short time only, where they may not do so for ever.
fn impatient(bootstrap: &mut Value) {
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        let idle = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["stream_idle_timeout"];
        if *idle != json!("0s") {
            *idle = json!("0.3s");
        }
    }
}

#[test]
fn a_stream_may_be_silent_for_longer_than_a_request_may_be_held() {
    let mesh = Mesh::builder().app("orders").app("warehouse").in_memory().edit(impatient).start();
    let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
    let streams = warehouse.server.on_stream("/quiet");
    let mut client = orders.raw();
    client.write("POST /v1.0/invoke/warehouse/method/quiet HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\na");
    let mut open = streams.next();
    assert_eq!(open.receive().as_deref(), Some(&b"a"[..]));
    // Two of them, one after the other: the stream has been silent for more than the bound of each.
    for _ in 0..2 {
        let mut held = orders.raw();
        held.write("POST /v1.0/state/memory HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n[");
        assert_eq!(held.answer().unwrap().status, 500);
    }
    open.send(b"late");
    client.read_until(b"late");
    client.write("b");
    assert_eq!(open.receive().as_deref(), Some(&b"b"[..]));
    open.end();
}
