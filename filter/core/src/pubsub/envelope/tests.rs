use super::*;
use crate::fake::FakeHost;
use crate::http::Headers;
use crate::json::JsonError;
use crate::telemetry::Sampling;
use serde_json::{Value as Json, json};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02";

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The bytes that are stored for a body published to topic `t` of broker `p`.
fn stored(content_type: &str, body: &[u8], entries: &[(&str, &str)], trace: &Trace) -> Result<String, JsonError> {
    let host = FakeHost::new();
    let metadata = metadata(entries);
    let event = Event {
        app_id: "myapp",
        pubsub: "p",
        topic: "t",
        content_type,
        body,
        metadata: &metadata,
        trace,
        broker_has_ttl: false,
    };
    let bytes = if event.is_cloud_event() { complete(&event, &*host)? } else { wrap(&event, &*host) };
    Ok(String::from_utf8(bytes).unwrap())
}

fn envelope(content_type: &str, body: &[u8], entries: &[(&str, &str)]) -> Json {
    serde_json::from_str(&stored(content_type, body, entries, &Trace::off()).unwrap()).unwrap()
}

#[test]
fn a_json_event_has_daprds_attributes_in_bytewise_order() {
    let text = stored("application/json", br#"{"a":1}"#, &[], &Trace::off()).unwrap();
    let id = envelope("application/json", br#"{"a":1}"#, &[])["id"].as_str().unwrap().to_owned();
    assert_eq!(
        text,
        format!(
            r#"{{"data":{{"a":1}},"datacontenttype":"application/json","id":"{id}","pubsubname":"p","source":"myapp","specversion":"1.0","time":"2026-05-28T20:26:40Z","topic":"t","traceid":"","traceparent":"","tracestate":"","type":"com.dapr.event.sent"}}"#
        )
    );
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "a UUID of version 4");
}

#[test]
fn json_data_keeps_its_bytes() {
    for data in ["123456789012345678901234567890", "1.10", "{\"b\" : 1e400,\"a\":\"\\u00e9<\"}", "[ ]", "null", "\"x\""]
    {
        let text = stored("Application/JSON; charset=utf-8", data.as_bytes(), &[], &Trace::off()).unwrap();
        assert!(
            text.starts_with(&format!("{{\"data\":{data},\"datacontenttype\":\"Application/JSON; charset=utf-8\"")),
            "{text}"
        );
    }
}

#[test]
fn json_that_cannot_be_read_becomes_a_string() {
    for body in ["", "{", "{'a':1}", "hello"] {
        assert_eq!(envelope("application/json", body.as_bytes(), &[])["data"], json!(body));
    }
    assert_eq!(envelope("application/json", b"\"\xff\"", &[])["data"], json!("\u{fffd}"));
}

#[test]
fn octets_and_protobuf_travel_as_base64() {
    for content_type in ["application/octet-stream", "application/cloudevents+protobuf", "application/x-protobuf"] {
        let event = envelope(content_type, b"\x00\xffab", &[]);
        assert_eq!(event["data_base64"], json!("AP9hYg=="), "{content_type}");
        assert_eq!(event.get("data"), None);
    }
}

#[test]
fn every_other_type_is_a_string() {
    for content_type in
        ["text/plain", "application/problem+json", "application/vnd.x+json", "application/xml", "image/png"]
    {
        assert_eq!(envelope(content_type, b"{\"a\":1}", &[])["data"], json!("{\"a\":1}"), "{content_type}");
    }
    let event = envelope("", b"a<b", &[]);
    assert_eq!((&event["data"], &event["datacontenttype"]), (&json!("a<b"), &json!("text/plain")));
}

#[test]
fn bytes_that_are_no_utf_8_travel_unharmed_as_base64() {
    let event = envelope("image/png", b"\x89PNG", &[]);
    assert_eq!((event.get("data"), &event["data_base64"]), (None, &json!("iVBORw==")));
}

#[test]
fn strings_are_escaped_as_go_does() {
    let text = stored("text/plain", b"<a>&", &[], &Trace::off()).unwrap();
    assert!(text.contains(r#""data":"\u003ca\u003e\u0026""#), "{text}");
}

#[test]
fn the_publishers_trace_is_in_the_envelope() {
    let headers = Headers::new().with("traceparent", PARENT).with("tracestate", "a=1");
    let off = Trace::continue_or_start(&headers, &Sampling::Off, &*FakeHost::new());
    let event: Json = serde_json::from_str(&stored("", b"", &[], &off).unwrap()).unwrap();
    assert_eq!(
        (&event["traceid"], &event["traceparent"], &event["tracestate"]),
        (&json!(PARENT), &json!(PARENT), &json!("a=1"))
    );
    let on = Trace::continue_or_start(&headers, &Sampling::All, &*FakeHost::new());
    let event: Json = serde_json::from_str(&stored("", b"", &[], &on).unwrap()).unwrap();
    assert_eq!(event["traceid"], event["traceparent"]);
    assert_eq!(event["traceparent"].as_str().unwrap()[..36], PARENT[..36]);
    assert_ne!(event["traceparent"], json!(PARENT));
}

#[test]
fn some_attributes_can_be_overridden_and_others_not() {
    let entries = [
        ("cloudevent.id", "i"),
        ("CloudEvent.Source", "s"),
        ("cloudevent.type", "ty"),
        ("cloudevent.subject", "su"),
        ("cloudevent.traceid", "id"),
        ("cloudevent.tracestate", "st"),
        ("cloudevent.topic", "no"),
        ("cloudevent.time", "no"),
        ("cloudevent.specversion", "no"),
        ("cloudevent.datacontenttype", "no"),
    ];
    let event = envelope("", b"", &entries);
    let values =
        ["id", "source", "type", "subject", "traceid", "traceparent", "tracestate"].map(|name| event[name].clone());
    assert_eq!(values, ["i", "s", "ty", "su", "id", "id", "st"].map(Json::from));
    assert_eq!(
        (&event["topic"], &event["specversion"], &event["datacontenttype"]),
        (&json!("t"), &json!("1.0"), &json!("text/plain"))
    );
    let event = envelope("", b"", &[("cloudevent.traceparent", PARENT), ("cloudevent.traceid", "id")]);
    assert_eq!((&event["traceid"], &event["traceparent"]), (&json!(PARENT), &json!(PARENT)));
}

#[test]
fn a_ttl_becomes_an_expiration_that_is_never_early() {
    assert_eq!(envelope("", b"", &[("ttlInSeconds", "10")])["expiration"], json!("2026-05-28T20:26:50Z"));
    assert_eq!(envelope("", b"", &[("ttl", "500ms")])["expiration"], json!("2026-05-28T20:26:41Z"));
    assert_eq!(envelope("", b"", &[("ttl", "0s")])["expiration"], json!("2026-05-28T20:26:40Z"));
    for unreadable in ["soon", "", "-1"] {
        assert_eq!(envelope("", b"", &[("ttlInSeconds", unreadable)]).get("expiration"), None);
    }
    assert_eq!(envelope("", b"", &[("ttlInSeconds", "18446744073709551615")]).get("expiration"), None);
}

#[test]
fn a_ready_cloud_event_is_completed() {
    let body = br#" {"id":"1","data":{"x":1.50},"topic":"other","pubsubname":"other","source":null,"zz":1} "#;
    let text =
        stored("application/cloudevents+json; charset=utf-8", body, &[("cloudevent.id", "no")], &Trace::off()).unwrap();
    assert_eq!(
        text,
        r#"{"data":{"x":1.50},"id":"1","pubsubname":"p","source":"Dapr","specversion":"1.0","time":"2026-05-28T20:26:40Z","topic":"t","traceid":"","traceparent":"","tracestate":"","type":"com.dapr.event.sent","zz":1}"#
    );
}

#[test]
fn a_ready_cloud_event_keeps_what_it_has() {
    let body = br#"{"time":"then","traceid":5,"tracestate":"mine","type":"ty","source":"s","specversion":"0.3","data_base64":"AA=="}"#;
    let text = stored("application/cloudevents+json", body, &[("ttl", "1s")], &Trace::off()).unwrap();
    assert_eq!(
        text,
        r#"{"data_base64":"AA==","expiration":"2026-05-28T20:26:41Z","pubsubname":"p","source":"s","specversion":"0.3","time":"then","topic":"t","traceid":5,"tracestate":"mine","type":"ty"}"#
    );
}

#[test]
fn without_a_traceid_a_ready_events_traceparent_is_replaced() {
    let trace =
        Trace::continue_or_start(&Headers::new().with("traceparent", PARENT), &Sampling::Off, &*FakeHost::new());
    let text = stored("application/cloudevents+json", br#"{"traceparent":"mine"}"#, &[], &trace).unwrap();
    let event: Json = serde_json::from_str(&text).unwrap();
    assert_eq!((&event["traceid"], &event["traceparent"]), (&json!(PARENT), &json!(PARENT)));
}

#[test]
fn the_last_of_two_attributes_of_one_name_counts() {
    let text = stored(
        "application/cloudevents+json",
        br#"{"source":null,"source":"s","type":"a","type":null}"#,
        &[],
        &Trace::off(),
    );
    let event: Json = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!((&event["source"], &event["type"]), (&json!("s"), &json!("com.dapr.event.sent")));
}

#[test]
fn a_ready_event_that_is_no_object_is_refused() {
    for body in ["", "null", "[]", "\"x\"", "{", "{\"a\":}"] {
        assert!(stored("application/cloudevents+json", body.as_bytes(), &[], &Trace::off()).is_err(), "{body}");
    }
}

#[test]
fn raw_bytes_are_wrapped_for_a_subscriber() {
    let host = FakeHost::new();
    let metadata = metadata(&[("traceid", PARENT), ("other", "x")]);
    let event: Json = serde_json::from_slice(&wrap_raw("p", "t", b"\xff", &metadata, &*host)).unwrap();
    let id = event["id"].clone();
    assert_eq!(
        event,
        json!({"data_base64": "/w==", "datacontenttype": "application/octet-stream", "id": id, "pubsubname": "p", "source": "Dapr",
            "specversion": "1.0", "topic": "t", "traceid": PARENT, "type": "com.dapr.event.sent"})
    );
}
