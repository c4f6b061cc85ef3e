//! One trace from the publisher over the stored event to the subscriber.

use super::{Bus, MESHES, on_each_broker};
use serde_json::{Value, json};
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Call;
use weft_tests::dapr;
use weft_tests::mesh::Mesh;

pub const TOPICS: &[&str] = &["traced", "unsampled", "untraced", "mistraced", "own-trace", "whole-trace", "raw-trace"];

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The parts of a `traceparent`: trace id, span id, flags.
fn parts(traceparent: &str) -> (String, String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{traceparent}");
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())), "{traceparent}");
    (parts[1].to_owned(), parts[2].to_owned(), parts[3].to_owned())
}

fn header(seen: &Seen) -> String {
    seen.value("traceparent").expect("a delivery has a traceparent")
}

/// Publishes one event and gives the caller's answer header and the delivery.
fn sent(bus: &Bus<'_>, topic: &str, call: impl FnOnce(Call) -> Call) -> (String, Seen) {
    bus.takes(topic);
    let before = bus.subscriber().seen(&bus.path(topic)).len();
    let answer = call(bus.publish(topic)).body("x").send().expect(204);
    let told = answer.header("traceparent").expect("the publisher is told its trace").to_owned();
    (told, bus.events(topic, before + 1).remove(before))
}

fn text(envelope: &Value, name: &str) -> String {
    envelope[name].as_str().unwrap().to_owned()
}

#[test]
fn a_trace_is_continued_to_the_subscriber_by_new_spans() {
    on_each_broker(|bus| {
        let (told, seen) =
            sent(bus, "traced", |call| call.header("traceparent", PARENT).header("tracestate", "a=1,b=2"));
        let envelope = seen.json();
        assert_eq!(envelope["traceid"], envelope["traceparent"]);
        assert_eq!(envelope["tracestate"], "a=1,b=2");
        let (ours, stored, delivered) = (parts(&told), parts(&text(&envelope, "traceparent")), parts(&header(&seen)));
        let parent = parts(PARENT);
        for span in [&ours, &stored, &delivered] {
            assert_eq!((&span.0, &span.2), (&parent.0, &parent.2), "one trace, one decision");
            assert_ne!(span.1, parent.1);
        }
        assert_eq!(stored, ours, "the event names the span of the publish call");
        assert_ne!(delivered.1, stored.1, "the delivery is a span of its own");
        assert_eq!(seen.value("tracestate").as_deref(), Some("a=1,b=2"));
    });
}

#[test]
fn an_unsampled_trace_stays_unsampled() {
    on_each_broker(|bus| {
        let parent = PARENT.replace("-01", "-00");
        let (_, seen) = sent(bus, "unsampled", |call| call.header("traceparent", &parent));
        assert_eq!(parts(&text(&seen.json(), "traceparent")).2, "00");
        assert_eq!(parts(&header(&seen)).2, "00");
    });
}

#[test]
fn a_missing_trace_is_started() {
    on_each_broker(|bus| {
        let (told, seen) = sent(bus, "untraced", |call| call);
        let (id, _, flags) = parts(&told);
        assert_eq!(flags, "01", "the whole of new traces is sampled unless configured");
        assert_ne!(id, "0".repeat(32));
        assert_eq!(parts(&text(&seen.json(), "traceid")).0, id);
        assert_eq!(parts(&header(&seen)).0, id);
        let (another, _) = sent(bus, "untraced", |call| call);
        assert_ne!(parts(&another).0, id);
    });
}

#[test]
fn a_traceparent_that_is_none_starts_a_new_trace() {
    on_each_broker(|bus| {
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in ["junk", &zero, "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""] {
            let (_, seen) = sent(bus, "mistraced", |call| call.header("traceparent", bad).header("tracestate", "a=1"));
            let envelope = seen.json();
            let (id, _, _) = parts(&text(&envelope, "traceparent"));
            assert_ne!(id, parts(PARENT).0, "{bad}");
            assert_eq!(parts(&header(&seen)).0, id);
            assert_eq!(envelope["tracestate"], "", "a state without its trace means nothing");
        }
    });
}

#[test]
fn the_publishers_own_word_in_the_event_is_what_the_delivery_continues() {
    on_each_broker(|bus| {
        bus.takes("own-trace");
        let query = format!("metadata.cloudevent.traceparent={PARENT}");
        dapr::no_content(&bus.publish_with("own-trace", &query).body("x").send());
        let seen = bus.events("own-trace", 1).remove(0);
        assert_eq!(text(&seen.json(), "traceparent"), PARENT);
        assert_eq!(parts(&header(&seen)).0, parts(PARENT).0);
        assert_ne!(header(&seen), PARENT);
    });
}

#[test]
fn the_callee_the_stored_event_and_the_subscriber_see_one_trace() {
    MESHES.each(|mesh| {
        let bus = Bus { mesh, name: "pubsub" };
        bus.takes("whole-trace");
        let path = format!("/{}", dapr::unique("callee"));
        mesh.app("orders").server.on(&path, Reply::status(200));
        mesh.app("warehouse").get(&format!("/v1.0/invoke/orders/method{path}")).send().expect(200);
        let callee = header(&mesh.app("orders").server.wait_for(&path, 1)[0]);
        let before = bus.stored("whole-trace").len();
        dapr::no_content(&bus.publish("whole-trace").header("traceparent", &callee).body("x").send());
        let stored: Value = serde_json::from_str(bus.stored("whole-trace")[before].field("data").unwrap()).unwrap();
        let delivered = header(&bus.events("whole-trace", before + 1)[before]);
        let (id, _, _) = parts(&callee);
        assert_eq!([parts(&text(&stored, "traceparent")).0, parts(&delivered).0], [id.clone(), id]);
    });
}

#[test]
fn a_raw_event_carries_its_trace_beside_it() {
    on_each_broker(|bus| {
        bus.takes("raw-trace");
        let before = bus.subscriber().seen(&bus.path("raw-trace")).len();
        let call = bus.publish_with("raw-trace", "metadata.rawPayload=true");
        let call = call.header("traceparent", PARENT).header("tracestate", "a=1");
        let answer = call.body("{\"id\":\"1\"}").send().expect(204);
        let ours = parts(answer.header("traceparent").unwrap());
        let seen = bus.events("raw-trace", before + 1).remove(before);
        assert_eq!(&seen.body[..], b"{\"id\":\"1\"}", "a subscriber that takes it as it is");
        let delivered = parts(&header(&seen));
        assert_eq!((&delivered.0, seen.value("tracestate").as_deref()), (&ours.0, Some("a=1")));
        assert_ne!(delivered.1, ours.1);
        if bus.name == "pubsub" {
            let stored = bus.stored("raw-trace");
            let metadata: Value = serde_json::from_str(stored.last().unwrap().field("metadata").unwrap()).unwrap();
            assert_eq!(parts(&text(&metadata, "traceparent")), ours, "where daprd puts that of a raw event by gRPC");
        }
    });
}

#[test]
fn with_tracing_off_what_came_in_is_passed_on_and_else_there_are_daprs_zeros() {
    let mesh = Mesh::builder()
        .in_memory()
        .sampling("0")
        .app("orders")
        .app("warehouse")
        .subscribes(json!([{"pubsubname": "membus", "topic": "traced", "route": "/membus/traced"}]))
        .start();
    mesh.wait_until_subscribed("warehouse");
    let bus = Bus { mesh: &mesh, name: "membus" };
    bus.takes("traced");
    let answer = bus.publish("traced").header("traceparent", PARENT).body("x").send().expect(204);
    assert_eq!(answer.header("traceparent"), None);
    let seen = bus.events("traced", 1).remove(0);
    assert_eq!((text(&seen.json(), "traceparent"), header(&seen)), (PARENT.to_owned(), PARENT.to_owned()));
    bus.publish("traced").body("x").send().expect(204);
    let seen = bus.events("traced", 2).remove(1);
    assert_eq!(text(&seen.json(), "traceid"), "");
    assert_eq!(header(&seen), "00-00000000000000000000000000000000-0000000000000000-00");
}
