//! What other producers leave in a stream: it never stops a consumer.

use super::on_redis;
use serde_json::json;
use weft_tests::wait;

pub const TOPICS: &[&str] = &["broken", "huge", "strange-metadata"];

const MIB: usize = 1024 * 1024;

fn add(client: &mut weft_tests::redis::Client, topic: &str, data: &[u8], metadata: &[u8]) {
    client.run_bytes(&[b"XADD", topic.as_bytes(), b"*", b"data", data, b"metadata", metadata]);
}

#[test]
fn truncated_and_huge_entries_are_set_aside_and_those_behind_them_come() {
    on_redis(|bus| {
        let whole = json!({"id": "cut", "specversion": "1.0", "data": "é".repeat(100)}).to_string();
        let huge = vec![b'x'; 10 * MIB];
        let mut unclosed = b"{\"id\":\"unclosed\",\"data\":\"".to_vec();
        unclosed.resize(10 * MIB, b'y');
        let broken: [&[u8]; 8] =
            [b"", b"{", &whole.as_bytes()[..40], b"\xff\xfe\x00", b"[{}]", b"{\"id\":\"a\" \"b\"}", &huge, &unclosed];
        let count = broken.len();
        bus.mesh.envoy.expect_log("topic=\"broken\" path=\"/pubsub/broken\" what=\"an event was not", count..=count);
        bus.takes("broken");
        let mut client = bus.mesh.redis().client();
        for (number, data) in broken.into_iter().enumerate() {
            add(&mut client, "broken", data, b"{}");
            add(&mut client, "broken", format!("{{\"id\":\"{number}\"}}").as_bytes(), b"{}");
        }
        let mut ids: Vec<String> =
            bus.events("broken", count).iter().map(|seen| seen.json()["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        assert_eq!(ids, (0..count).map(|number| number.to_string()).collect::<Vec<_>>());
        wait::until_true("all are acknowledged", || client.pending("broken", "warehouse") == 0);
    });
}

#[test]
fn a_huge_event_of_another_producer_is_delivered_whole() {
    on_redis(|bus| {
        bus.takes("huge");
        let event = json!({"id": "huge", "specversion": "1.0", "data": "z".repeat(10 * MIB)}).to_string();
        let mut client = bus.mesh.redis().client();
        add(&mut client, "huge", event.as_bytes(), b"{}");
        add(&mut client, "huge", b"{\"id\":\"behind\"}", b"{}");
        let seen = bus.events("huge", 2);
        assert!(seen.iter().any(|it| it.body == event.as_bytes()), "the huge one is one of them");
        wait::until_true("both are acknowledged", || bus.is_acknowledged("huge"));
    });
}

#[test]
fn metadata_that_no_header_can_hold_stops_no_event() {
    on_redis(|bus| {
        bus.takes("strange-metadata");
        let mut client = bus.mesh.redis().client();
        let long = format!("{{\"long\":\"{}\"}}", "m".repeat(MIB));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let strange: [&[u8]; 6] =
            [b"", b"null", b"{\"a\":{\"b\":1}}", b"{\"x\":\"a\\r\\nb: c\"}", long.as_bytes(), deep.as_bytes()];
        for (number, metadata) in strange.iter().enumerate() {
            add(&mut client, "strange-metadata", format!("{{\"id\":\"{number}\"}}").as_bytes(), metadata);
        }
        let seen = bus.events("strange-metadata", strange.len());
        assert!(seen.iter().all(|it| it.value("b").is_none()), "no header was smuggled in");
        wait::until_true("all are acknowledged", || bus.is_acknowledged("strange-metadata"));
    });
}
