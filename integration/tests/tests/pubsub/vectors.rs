//! CloudEvents in the JSON format of the specification 1.0.2, and topics of every spelling.

use super::{Bus, on_each_broker};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::{dapr, wait};

pub const TOPICS: &[&str] = &["vectors", "binary", "no-events"];

/// Topics as they stand in a path, and as they are named.
const SPELLINGS: &[(&str, &str)] = &[
    ("with%20space", "with space"),
    ("%E6%97%A5%E6%9C%AC/%C3%BC", "日本/ü"),
    ("en%2Fcoded", "en/coded"),
    ("per%25cent", "per%cent"),
    ("a.b-c_d~e:f@g", "a.b-c_d~e:f@g"),
    ("%F0%9F%98%80", "😀"),
];

/// Subscriptions to them.
pub fn spellings(bus: &str) -> Vec<Value> {
    let one = |(number, (_, topic)): (usize, &(&str, &str))| json!({"pubsubname": bus, "topic": topic, "route": format!("/{bus}/spelling-{number}")});
    SPELLINGS.iter().enumerate().map(one).collect()
}

#[test]
fn a_topic_may_have_any_spelling() {
    on_each_broker(|bus| {
        for (number, (path, topic)) in SPELLINGS.iter().enumerate() {
            let route = format!("/{}/spelling-{number}", bus.name);
            bus.subscriber().on(&route, Reply::status(200));
            dapr::no_content(&bus.publish(path).body("x").send());
            assert_eq!(bus.subscriber().wait_for(&route, 1)[0].json()["topic"], *topic);
            assert!(bus.name != "pubsub" || bus.stored(topic).len() == 1, "the stream has the name {topic}");
        }
    });
}

/// Publishes a CloudEvent and gives it as the subscriber got it, without what the building block writes itself.
fn through(bus: &Bus<'_>, event: &Value) -> Value {
    bus.takes("vectors");
    let call = bus.publish("vectors").header("content-type", "application/cloudevents+json");
    dapr::no_content(&call.body(event.to_string()).send());
    let path = bus.path("vectors");
    let mut got = wait::until("the event", wait::SOON, || {
        let seen = bus.subscriber().seen(&path);
        seen.iter().map(|it| it.json()).find(|got| got["id"] == event["id"])
    });
    for name in ["topic", "pubsubname", "traceid", "traceparent", "tracestate"] {
        got.as_object_mut().unwrap().remove(name);
    }
    got
}

/// Events of the specification's examples and of its type system.
fn vectors() -> Vec<Value> {
    let with = |more: Value| {
        let mut event = json!({"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext",
            "time": "2018-04-05T17:31:00Z"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let mut all = vec![
        with(
            json!({"subject": null, "comexampleextension1": "value", "comexampleothervalue": 5, "unsetextension": null,
            "datacontenttype": "application/xml", "data": "<much wow=\"xml\"/>"}),
        ),
        with(json!({"datacontenttype": "application/json",
            "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": true}})),
        with(json!({"datacontenttype": "application/vnd.apache.thrift.binary", "data_base64": "3q2+7w=="})),
        with(json!({"datacontenttype": "application/json", "data": "I'm just a string"})),
        with(json!({"datacontenttype": "text/plain", "dataschema": "https://example.com/schema?x=1#f", "data": ""})),
        with(json!({"source": "urn:event:from:myapi/resource/123", "subject": "mynewfile.jpg"})),
        with(json!({"source": "https://github.com/cloudevents", "data": null})),
        with(json!({"data": [1, -2.5e-3, 1e300, 9_007_199_254_740_993_u64, {"x": []}], "emptyext": ""})),
        with(json!({"extbool": true, "extint": -2_147_483_648_i64, "exturi": "https://a/%20", "extbin": "AQID",
            "exttime": "1985-04-12T23:20:50.52Z", "extunicode": "Ünïcödé 日本 😀 \u{2028} \u{7f}", "abcdefghij0123456789": "x"})),
        with(json!({"datacontenttype": "text/plain; charset=utf-8", "data": "é".repeat(64 * 1024)})),
    ];
    for (number, event) in all.iter_mut().enumerate() {
        event["id"] = json!(dapr::unique(&format!("A234-{number}")));
    }
    all
}

#[test]
fn every_event_of_the_specification_arrives_as_it_was_sent() {
    on_each_broker(|bus| {
        for event in vectors() {
            assert_eq!(through(bus, &event), event);
        }
    });
}

#[test]
fn attributes_in_headers_are_no_event_and_are_ignored() {
    on_each_broker(|bus| {
        bus.takes("binary");
        let call = bus.publish("binary").header("ce-id", "of-the-header").header("ce-specversion", "1.0");
        let call = call.header("ce-type", "t").header("ce-source", "s").header("content-type", "application/json");
        dapr::no_content(&call.body("{\"a\":1}").send());
        let got = bus.events("binary", 1)[0].json();
        assert_eq!((&got["data"], &got["source"]), (&json!({"a": 1}), &json!("orders")));
        assert_ne!(got["id"], "of-the-header");
    });
}

#[test]
fn what_is_no_cloud_event_is_refused_and_a_batch_is_a_text() {
    on_each_broker(|bus| {
        for body in ["", "[]", "\"x\"", "5", "true", "{", "{\"id\":}", "{'id':'1'}"] {
            let call = bus.publish("no-events").header("content-type", "application/cloudevents+json; charset=utf-8");
            let answer = call.body(body).send().expect(500).json();
            assert_eq!(answer["errorCode"], "ERR_PUBSUB_CLOUD_EVENTS_SER", "{body}");
        }
        bus.takes("no-events");
        let call = bus.publish("no-events").header("content-type", "application/cloudevents-batch+json");
        dapr::no_content(&call.body("[{\"id\":\"1\"}]").send());
        let got = bus.events("no-events", 1);
        assert_eq!((got.len(), &got[0].json()["data"]), (1, &json!("[{\"id\":\"1\"}]")));
    });
}
