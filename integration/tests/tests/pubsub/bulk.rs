//! Many events in one request.

use super::{Bus, on_each_broker};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_tests::client::{Answer, Call};
use weft_tests::dapr;

pub const TOPICS: &[&str] = &["many", "kinds-in-bulk", "bulk-metadata", "hundreds", "nothing"];

fn bulk(bus: &Bus<'_>, topic: &str) -> Call {
    bus.mesh.app("orders").post(&format!("/v1.0/publish/bulk/{}/{topic}", bus.name))
}

fn send(bus: &Bus<'_>, topic: &str, entries: &Value) -> Answer {
    bulk(bus, topic).json(entries).send()
}

/// The delivered envelopes by their id's data.
fn by_data(bus: &Bus<'_>, topic: &str, count: usize) -> BTreeMap<String, Value> {
    let seen = bus.events(topic, count);
    seen.iter().map(|it| it.json()).map(|envelope| (envelope["data"].to_string(), envelope)).collect()
}

#[test]
fn every_entry_is_published_in_an_envelope_of_its_own() {
    on_each_broker(|bus| {
        bus.takes("many");
        let entries = json!([
            {"entryId": "1", "event": {"n": 1}, "contentType": "application/json"},
            {"entryID": "2", "event": "two", "contentType": "text/plain"},
        ]);
        dapr::no_content(&send(bus, "many", &entries));
        let events = by_data(bus, "many", 2);
        let (one, two) = (&events["{\"n\":1}"], &events["\"two\""]);
        assert_eq!(
            (&one["datacontenttype"], &two["datacontenttype"]),
            (&json!("application/json"), &json!("text/plain"))
        );
        assert_ne!(one["id"], two["id"]);
        let trace = |event: &Value| event["traceparent"].as_str().unwrap()[3..35].to_owned();
        assert_eq!(trace(one), trace(two), "one trace");
        assert_ne!(one["traceparent"], two["traceparent"], "a span each");
    });
}

#[test]
fn the_content_type_says_how_an_event_is_written() {
    on_each_broker(|bus| {
        bus.takes("kinds-in-bulk");
        let entries = json!([
            {"entryId": "a", "event": "AP8=", "contentType": "application/octet-stream"},
            {"entryId": "b", "event": "<b/>", "contentType": "application/xml"},
            {"entryId": "c", "event": {"id": "own"}, "contentType": "application/cloudevents+json"},
            {"entryId": "d", "event": "text", "contentType": "application/json"},
        ]);
        dapr::no_content(&send(bus, "kinds-in-bulk", &entries));
        let mut events: Vec<Value> = bus.events("kinds-in-bulk", 4).iter().map(|it| it.json()).collect();
        events.sort_by_key(|event| (event["data_base64"].to_string(), event["data"].to_string()));
        let found: Vec<_> = events.iter().map(|it| (&it["data_base64"], &it["data"])).collect();
        let (null, binary) = (Value::Null, json!("AP8="));
        let (xml, text) = (json!("<b/>"), json!("text"));
        assert_eq!(found, [(&binary, &null), (&null, &xml), (&null, &text), (&null, &null)]);
        assert_eq!(events[3]["id"], "own");
    });
}

#[test]
fn the_querys_metadata_reach_entries_that_have_some_of_their_own() {
    on_each_broker(|bus| {
        bus.takes("bulk-metadata");
        let entries = json!([
            {"entryId": "1", "event": "bare", "contentType": "text/plain"},
            {"entryId": "2", "event": "rich", "contentType": "text/plain", "metadata": {"mine": "m", "both": "entry"}},
        ]);
        let call = bulk(bus, "bulk-metadata?metadata.both=query&metadata.theirs=q").json(&entries);
        dapr::no_content(&call.send());
        let seen = bus.events("bulk-metadata", 2);
        let find = |data: &str| seen.iter().find(|it| it.json()["data"] == data).unwrap();
        let values = |data: &str| ["mine", "both", "theirs"].map(|name| find(data).value(name));
        assert_eq!(values("bare"), [None, None, None]);
        assert_eq!(values("rich"), ["m", "entry", "q"].map(|text| Some(text.to_owned())));
    });
}

#[test]
fn hundreds_of_entries_are_published_all() {
    on_each_broker(|bus| {
        bus.takes("hundreds");
        let entry = |n: u32| json!({"entryId": n.to_string(), "event": n, "contentType": "application/json"});
        dapr::no_content(&send(bus, "hundreds", &(0..250).map(entry).collect()));
        let events = by_data(bus, "hundreds", 250);
        assert!((0..250).all(|n: u32| events.contains_key(&n.to_string())));
    });
}

#[test]
fn an_empty_list_is_published() {
    on_each_broker(|bus| dapr::no_content(&send(bus, "nothing", &json!([]))));
}

#[test]
fn the_alpha_path_and_put_do_the_same() {
    on_each_broker(|bus| {
        let path = format!("/v1.0-alpha1/publish/bulk/{}/nothing", bus.name);
        dapr::no_content(&bus.mesh.app("orders").put(&path).body("[]").send());
    });
}

#[test]
fn entries_that_cannot_be_published_are_daprs_400_and_none_is_published() {
    on_each_broker(|bus| {
        let good = json!({"entryId": "1", "event": 1, "contentType": "application/json"});
        let bad = [
            json!([good, {"event": 1, "contentType": "application/json"}]),
            json!([good, good]),
            json!([good, {"entryId": "2", "event": 1, "contentType": "image/png"}]),
            json!([good, {"entryId": "2", "event": 1}]),
            json!([good, {"entryId": "2", "event": 1, "contentType": "text/plain"}]),
            json!([good, {"entryId": "2", "event": "??", "contentType": "application/octet-stream"}]),
        ];
        for entries in bad {
            let body = dapr::error(&send(bus, "nothing", &entries), 400, "ERR_PUBSUB_EVENTS_SER");
            assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_PUBSUB_MARSHAL_EVENTS", "{entries}");
        }
        for body in ["", "{}", "[", "[1]", "[{\"entryId\":\"1\"", "text"] {
            let answer = bulk(bus, "nothing").body(body).send();
            let error = dapr::error(&answer, 400, "ERR_PUBSUB_EVENTS_SER");
            let start = format!("error when unmarshaling the request for topic nothing pubsub {}: ", bus.name);
            assert!(error["message"].as_str().unwrap().starts_with(&start), "{body}: {error}");
            assert_eq!(dapr::detail(&error, "ErrorInfo")["reason"], "DAPR_PUBSUB_UNMARSHAL_EVENTS");
        }
        assert!(bus.subscriber().seen(&bus.path("nothing")).is_empty());
    });
}

#[test]
fn entries_that_the_broker_refuses_are_named() {
    super::on_redis(|bus| {
        let topic = dapr::unique("taken");
        bus.mesh.redis().client().run::<()>(&["SET", &topic, "a string"]);
        let entries = json!([
            {"entryId": "one", "event": 1, "contentType": "application/json"},
            {"entryId": "two", "event": 2, "contentType": "application/json"},
        ]);
        let answer = send(bus, &topic, &entries);
        assert_eq!(answer.status, 500);
        let body = answer.json();
        assert_eq!(body["errorCode"], "ERR_PUBSUB_PUBLISH_MESSAGE");
        let failed = body["failedEntries"].as_array().unwrap();
        let ids: Vec<_> = failed.iter().map(|it| it["entryId"].as_str().unwrap()).collect();
        assert_eq!(ids, ["one", "two"]);
        assert!(failed[0]["error"].as_str().unwrap().contains("WRONGTYPE"), "{body}");
        assert_eq!(answer.header("metadata.responsedata"), Some(answer.text().as_str()));
        assert!(answer.header("metadata.error").unwrap().contains("WRONGTYPE"));
    });
}

#[test]
fn an_unknown_broker_is_daprs_404() {
    super::MESHES.each(|mesh| {
        let answer = mesh.app("orders").post("/v1.0/publish/bulk/nowhere/t").body("[]").send();
        dapr::error(&answer, 404, "ERR_PUBSUB_NOT_FOUND");
    });
}
