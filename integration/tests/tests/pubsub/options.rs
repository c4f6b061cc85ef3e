//! What the query of a publish call asks for.

use super::{on_each_broker, on_redis};
use serde_json::json;
use weft_tests::{dapr, wait};

pub const TOPICS: &[&str] = &["over", "over-ready", "ttl", "expired", "raw"];

#[test]
fn attributes_can_be_overridden() {
    on_each_broker(|bus| {
        bus.takes("over");
        let query = "metadata.cloudevent.id=i&metadata.CloudEvent.Source=s&metadata.cloudevent.type=t\
                     &metadata.cloudevent.subject=u&metadata.cloudevent.tracestate=k%3Dv\
                     &metadata.cloudevent.traceid=lost&metadata.cloudevent.traceparent=kept\
                     &metadata.cloudevent.topic=x&metadata.cloudevent.specversion=9&metadata.cloudevent.data=x";
        dapr::no_content(&bus.publish_with("over", query).body("body").send());
        let envelope = bus.events("over", 1)[0].json();
        let wanted = [
            ("id", "i"),
            ("source", "s"),
            ("type", "t"),
            ("subject", "u"),
            ("tracestate", "k=v"),
            ("traceid", "kept"),
            ("traceparent", "kept"),
            ("topic", "over"),
            ("specversion", "1.0"),
            ("data", "body"),
        ];
        for (name, value) in wanted {
            assert_eq!(envelope[name], value, "{name}");
        }
    });
}

#[test]
fn a_ready_made_cloud_event_is_not_overridden() {
    on_each_broker(|bus| {
        bus.takes("over-ready");
        let event = json!({"id": "mine", "traceid": "t"}).to_string();
        let call = bus.publish_with("over-ready", "metadata.cloudevent.id=other&metadata.ttlInSeconds=1000");
        dapr::no_content(&call.header("content-type", "application/cloudevents+json").body(event).send());
        let envelope = bus.events("over-ready", 1)[0].json();
        assert_eq!(envelope["id"], "mine");
        assert!(envelope["expiration"].is_string(), "but it expires: {envelope}");
    });
}

#[test]
fn a_ttl_becomes_an_expiration() {
    on_each_broker(|bus| {
        bus.takes("ttl");
        for (count, query) in ["ttlInSeconds=86400", "ttl=24h", "TTLINSECONDS=24h0m0s"].into_iter().enumerate() {
            dapr::no_content(&bus.publish_with("ttl", &format!("metadata.{query}")).body("x").send());
            let envelope = bus.events("ttl", count + 1)[count].json();
            let (time, end) = (envelope["time"].as_str().unwrap(), envelope["expiration"].as_str().unwrap());
            assert_eq!(end.len(), time.len());
            assert!(end > time, "{end} is a day after {time}");
            assert_ne!(end[..10], time[..10], "{end} is a day after {time}");
        }
        dapr::no_content(&bus.publish_with("ttl", "metadata.ttlInSeconds=soon").body("x").send());
        assert!(bus.events("ttl", 4)[3].json().get("expiration").is_none(), "what is no time is ignored");
    });
}

#[test]
fn an_expired_event_is_not_delivered() {
    on_each_broker(|bus| {
        bus.takes("expired");
        for query in ["metadata.ttlInSeconds=0s", "metadata.ttl=-5s"] {
            dapr::no_content(&bus.publish_with("expired", query).body("late").send());
        }
        dapr::no_content(&bus.publish("expired").body("fresh").send());
        let seen = bus.events("expired", 1);
        assert_eq!(seen[0].json()["data"], "fresh");
        if bus.name == "pubsub" {
            wait::until_true("Redis is told of the expired ones too", || bus.is_acknowledged("expired"));
        }
        assert_eq!(bus.events("expired", 1).len(), 1);
    });
}

#[test]
fn a_raw_payload_is_stored_as_it_was_sent() {
    on_redis(|bus| {
        let topic = dapr::unique("raw-only");
        for (count, value) in ["true", "T", "1"].into_iter().enumerate() {
            let call = bus.publish_with(&topic, &format!("metadata.rawPayload={value}"));
            let body = format!("no {{JSON}} at all {value}");
            let answer = call.header("content-type", "application/json").body(body.clone()).send().expect(204);
            let stored = bus.stored(&topic).remove(count);
            assert_eq!(stored.field("data"), Some(body.as_str()));
            let trace = answer.header("traceparent").unwrap();
            let metadata = format!("{{\"rawPayload\":\"{value}\",\"traceparent\":\"{trace}\"}}");
            assert_eq!(stored.field("metadata"), Some(metadata.as_str()));
        }
    });
}

#[test]
fn a_raw_payload_that_is_a_cloud_event_is_delivered_as_it_is() {
    on_each_broker(|bus| {
        bus.takes("raw");
        let event = "{\"id\":\"own\",  \"specversion\":\"1.0\"}";
        dapr::no_content(&bus.publish_with("raw", "metadata.rawPayload=true").body(event).send());
        assert_eq!(&bus.events("raw", 1)[0].body[..], event.as_bytes());
    });
}
