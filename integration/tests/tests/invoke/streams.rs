//! Bodies of invocations: streamed, of any size, whole or broken.

use super::MESHES;
use weft_tests::app::Reply;
use weft_tests::dapr::unique;

#[test]
fn both_bodies_are_streamed_while_neither_has_ended() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("stream"));
        let streams = warehouse.server.on_stream(&path);
        let mut client = orders.raw();
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
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("large"));
        warehouse.server.on_call(&path, |seen| Reply::bytes(200, seen.body.clone()));
        let call = orders.post(&format!("/v1.0/invoke/warehouse/method{path}")).body(body.clone());
        assert!(call.send().expect(200).body == body, "the body came back changed");
    });
}

#[test]
fn an_answer_that_breaks_off_is_not_passed_on_as_whole() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("broken"));
        let streams = warehouse.server.on_stream(&path);
        let mut client = orders.raw();
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
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("gone"));
        let streams = warehouse.server.on_stream(&path);
        let mut client = orders.raw();
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
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("events"));
        let streams = warehouse.server.on_stream(&path);
        let mut client = orders.raw();
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
