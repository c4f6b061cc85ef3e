//! What is stored and delivered for each kind of body.

use super::{Bus, on_each_broker, on_redis};
use hyper::Method;
use serde_json::{Value, json};
use weft_tests::app::Seen;
use weft_tests::dapr;

pub const TOPICS: &[&str] =
    &["kinds", "post", "whole", "empty", "verb", "a/deep/topic", "big", "exact", "ready", "ready-bare", "layout"];

/// Publishes one event that has to be taken, and gives its delivery.
fn sent(bus: &Bus<'_>, topic: &str, content_type: &str, body: &[u8]) -> Seen {
    bus.takes(topic);
    let before = bus.subscriber().seen(&bus.path(topic)).len();
    let call = bus.publish(topic).body(body.to_vec());
    let call = if content_type.is_empty() { call } else { call.header("content-type", content_type) };
    dapr::no_content(&call.send());
    bus.events(topic, before + 1).remove(before)
}

/// An attribute that is a text.
fn text<'a>(envelope: &'a Value, name: &str) -> &'a str {
    envelope[name].as_str().unwrap_or_else(|| panic!("no text {name} in {envelope}"))
}

#[test]
fn a_json_body_becomes_daprs_envelope_to_the_byte() {
    on_each_broker(|bus| {
        let seen = sent(bus, "whole", "application/json", br#"{"b": 1.50, "a":[true,null,"<&>"]}"#);
        let envelope = seen.json();
        let (id, time, trace) = (text(&envelope, "id"), text(&envelope, "time"), text(&envelope, "traceid"));
        let bus = bus.name;
        let wanted = format!(
            "{{\"data\":{{\"b\": 1.50, \"a\":[true,null,\"<&>\"]}},\"datacontenttype\":\"application/json\",\
             \"id\":\"{id}\",\"pubsubname\":\"{bus}\",\"source\":\"orders\",\"specversion\":\"1.0\",\
             \"time\":\"{time}\",\"topic\":\"whole\",\"traceid\":\"{trace}\",\"traceparent\":\"{trace}\",\
             \"tracestate\":\"\",\"type\":\"com.dapr.event.sent\"}}"
        );
        assert_eq!(String::from_utf8_lossy(&seen.body), wanted);
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id} is a random UUID");
        let seconds = time.len() == "2026-01-01T00:00:00Z".len() && time.ends_with('Z');
        assert!(seconds, "{time} is UTC in whole seconds");
    });
}

#[test]
fn a_delivery_is_a_post_of_a_cloud_event() {
    on_each_broker(|bus| {
        let seen = sent(bus, "post", "application/json", b"1");
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", bus.path("post").as_str()));
        assert_eq!(seen.value("content-type").as_deref(), Some("application/cloudevents+json"));
        assert_eq!(seen.value("pubsubname").as_deref(), Some(bus.name));
        let host = format!("127.0.0.1:{}", bus.subscriber().port());
        assert_eq!(seen.value("host"), Some(host));
    });
}

#[test]
fn the_content_type_decides_how_the_body_is_kept() {
    on_each_broker(|bus| {
        let cases: [(&str, &[u8], &str, Value); 14] = [
            ("application/json", br#"{"a":1}"#, "data", json!({"a": 1})),
            ("application/JSON; charset=utf-8", b"[1]", "data", json!([1])),
            ("application/json", b"null", "data", json!(null)),
            ("application/json", b"{broken", "data", json!("{broken")),
            ("application/json", b"", "data", json!("")),
            ("text/plain", "gr\u{fc}n \"\n".as_bytes(), "data", json!("gr\u{fc}n \"\n")),
            ("", b"plain", "data", json!("plain")),
            ("application/xml", b"<a/>", "data", json!("<a/>")),
            ("application/problem+json", br#"{"a":1}"#, "data", json!("{\"a\":1}")),
            ("application/vnd.x+json", b"1", "data", json!("1")),
            ("image/svg+xml", b"<svg/>", "data", json!("<svg/>")),
            ("application/octet-stream", b"\x00\xff", "data_base64", json!("AP8=")),
            ("application/octet-stream; x=y", b"text", "data_base64", json!("dGV4dA==")),
            // A JSON string would damage it.
            ("image/png", b"\x89PNG", "data_base64", json!("iVBORw==")),
        ];
        for (content_type, body, member, value) in cases {
            let envelope = sent(bus, "kinds", content_type, body).json();
            let kept = if content_type.is_empty() { "text/plain" } else { content_type };
            assert_eq!(envelope["datacontenttype"], kept);
            assert_eq!(envelope[member], value, "{content_type}");
            let other = if member == "data" { "data_base64" } else { "data" };
            assert!(envelope.get(other).is_none(), "{content_type}: {envelope}");
        }
    });
}

#[test]
fn an_event_may_be_empty_and_may_be_put() {
    on_each_broker(|bus| {
        let envelope = sent(bus, "empty", "", b"").json();
        assert_eq!((&envelope["data"], &envelope["datacontenttype"]), (&json!(""), &json!("text/plain")));
        bus.takes("verb");
        let path = format!("/v1.0/publish/{}/verb", bus.name);
        dapr::no_content(&bus.mesh.app("orders").call(Method::PUT, &path).body("put").send());
        assert_eq!(bus.events("verb", 1)[0].json()["data"], "put");
    });
}

#[test]
fn a_topic_may_hold_slashes() {
    on_each_broker(|bus| {
        let envelope = sent(bus, "a/deep/topic", "text/plain", b"deep").json();
        assert_eq!((&envelope["topic"], &envelope["data"]), (&json!("a/deep/topic"), &json!("deep")));
    });
}

#[test]
fn a_large_event_arrives_whole() {
    on_each_broker(|bus| {
        let body = "0123456789abcdef".repeat(192 * 1024);
        let envelope = sent(bus, "big", "text/plain", body.as_bytes()).json();
        assert_eq!(text(&envelope, "data"), body);
    });
}

#[test]
fn numbers_keep_their_digits() {
    on_each_broker(|bus| {
        let number = "123456789012345678901234567890.0100e-7";
        let body = format!("{{\"n\":{number}}}");
        let seen = sent(bus, "exact", "application/json", body.as_bytes());
        let stored = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(stored.starts_with(&format!("{{\"data\":{{\"n\":{number}}},")), "{stored}");
    });
}

#[test]
fn a_ready_made_cloud_event_is_kept_and_completed() {
    on_each_broker(|bus| {
        let event = json!({
            "id": "mine", "source": "/till", "type": "sale", "specversion": "1.0", "subject": "7",
            "datacontenttype": "application/json", "data": {"n": 1}, "extra": [1], "topic": "elsewhere",
            "pubsubname": "elsewhere", "traceid": "t", "time": "2020-02-02T02:02:02Z"
        });
        let content_type = "application/cloudevents+json; charset=UTF-8";
        let stored = sent(bus, "ready", content_type, event.to_string().as_bytes()).json();
        let mut wanted = event;
        wanted["topic"] = json!("ready");
        wanted["pubsubname"] = json!(bus.name);
        wanted["tracestate"] = json!("");
        assert_eq!(stored, wanted);
    });
}

#[test]
fn a_bare_cloud_event_gets_what_it_lacks_but_no_id() {
    on_each_broker(|bus| {
        let stored = sent(bus, "ready-bare", "application/cloudevents+json", b"{\"type\":null}").json();
        let wanted = [("source", "Dapr"), ("type", "com.dapr.event.sent"), ("specversion", "1.0"), ("tracestate", "")];
        for (name, value) in wanted {
            assert_eq!(stored[name], value, "{stored}");
        }
        assert_eq!(stored["traceid"], stored["traceparent"]);
        assert!(stored["time"].is_string() && stored.get("id").is_none() && stored.get("data").is_none(), "{stored}");
    });
}

#[test]
fn the_entry_in_the_stream_is_daprds_and_its_data_is_what_the_application_gets() {
    on_redis(|bus| {
        bus.takes("layout");
        let call = bus.publish_with("layout", "metadata.partitionKey=p1&metadata.Other=%C3%A9&other=x").body("one");
        dapr::no_content(&call.send());
        let stored = bus.stored("layout");
        assert_eq!(stored.len(), 1);
        let names: Vec<&str> = stored[0].fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["data", "metadata"]);
        let metadata: Value = serde_json::from_str(stored[0].field("metadata").unwrap()).unwrap();
        assert_eq!(metadata, json!({"partitionKey": "p1", "Other": "\u{e9}"}));
        let seen = &bus.events("layout", 1)[0];
        assert_eq!(stored[0].field("data").unwrap().as_bytes(), &seen.body[..]);
        assert_eq!(seen.value("partitionkey").as_deref(), Some("p1"), "metadata become headers");
        dapr::no_content(&bus.publish("layout").send());
        assert_eq!(bus.stored("layout")[1].field("metadata"), Some("{}"));
    });
}
