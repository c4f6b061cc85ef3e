use super::*;
use crate::fake::Called;
use crate::http::Headers;
use crate::pubsub::BrokerError;
use crate::pubsub::fake::Fixture;
use crate::runtime::Scope;
use serde_json::{Value, json};
use std::cell::Cell;

const PLAIN: &str = r#"[{"pubsubname":"p","topic":"t","route":"/orders"}]"#;
const DEAD: &str = r#"[{"pubsubname":"p","topic":"t","route":"/orders","deadLetterTopic":"dead"}]"#;
const RAW: &str = r#"[{"pubsubname":"p","topic":"t","route":"/orders","metadata":{"rawPayload":"true"}}]"#;
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn event(data: &str) -> Message {
    let metadata = [("ttlInSeconds".to_owned(), "10".to_owned())].into();
    Message { topic: "t".to_owned(), data: data.as_bytes().to_vec(), metadata }
}

fn answered(fixture: &Fixture, status: u16, body: &str) -> Called {
    let call = fixture.host.answer(&fixture.runtime, status, body.as_bytes());
    fixture.runtime.run(Scope::Root);
    call
}

/// The outcome when the application answers an event like that; the number of events in the dead-letter topic.
fn outcome(list: &str, status: u16, body: &str) -> (Option<Delivered>, usize) {
    let fixture = Fixture::subscribed(json!({}), list);
    let delivered = fixture.deliver(event("{}"));
    answered(&fixture, status, body);
    (delivered.get(), fixture.broker.published.borrow().len())
}

/// How many deliveries of the topic ended so.
fn count(fixture: &Fixture, status: &str) -> u64 {
    let status = format!(";.;process_status=.={status};.;");
    let labels = "app_id=.=myapp;.;component=.=p;.;namespace=.=shop;.;topic=.=t;.;";
    fixture.host.measured(&[labels, &status, "dapr_component_pubsub_ingress_count"])
}

#[test]
fn the_application_gets_the_stored_bytes_and_daprs_headers() {
    let fixture = Fixture::subscribed(json!({}), PLAIN);
    let data = r#"{ "id":"1", "data":1.50 }"#;
    let delivered = fixture.deliver(event(data));
    assert_eq!(delivered.get(), None);
    let call = answered(&fixture, 200, "");
    assert_eq!(call.body, data.as_bytes());
    assert_eq!((call.cluster.as_str(), call.timeout), ("app", DELIVERY_TIMEOUT));
    let expected = Headers::new()
        .with(":method", "POST")
        .with(":path", "/orders")
        .with(":authority", "127.0.0.1:8080")
        .with("content-type", "application/cloudevents+json")
        .with("pubsubname", "p")
        .with("ttlinseconds", "10")
        .with("traceparent", "00-00000000000000000000000000000000-0000000000000000-00");
    assert_eq!(call.headers, expected);
    assert_eq!(delivered.get(), Some(Delivered::Settled));
    assert_eq!(count(&fixture, "success"), 1);
}

#[test]
fn a_success_says_success_or_nothing_of_a_status() {
    for body in
        ["", "null", "{}", "ok", "[1]", r#"{"status":""}"#, r#"{"status":"SUCCESS"}"#, r#"{"status":1}"#, "{\"status\""]
    {
        assert_eq!(outcome(DEAD, 200, body), (Some(Delivered::Settled), 0), "{body}");
    }
    assert_eq!(outcome(DEAD, 204, ""), (Some(Delivered::Settled), 0));
}

#[test]
fn what_the_application_refuses_comes_again() {
    for (status, body) in [
        (200, r#"{"status":"RETRY"}"#),
        (200, r#"{"Status":"success"}"#),
        (200, r#"{"status":"LATER"}"#),
        (301, ""),
        (400, ""),
        (500, r#"{"status":"SUCCESS"}"#),
        (503, ""),
    ] {
        assert_eq!(outcome(PLAIN, status, body), (Some(Delivered::Again), 0), "{status} {body}");
        assert_eq!(outcome(DEAD, status, body), (Some(Delivered::Settled), 1), "{status} {body}");
    }
}

#[test]
fn what_the_application_drops_or_has_no_route_for_is_gone_unless_there_is_a_dead_letter_topic() {
    for (status, body) in [(200, r#"{"status":"DROP"}"#), (404, "")] {
        assert_eq!(outcome(PLAIN, status, body), (Some(Delivered::Settled), 0), "{status}");
        assert_eq!(outcome(DEAD, status, body), (Some(Delivered::Settled), 1), "{status}");
    }
}

#[test]
fn the_dead_letter_topic_gets_the_event_as_it_was_stored() {
    let fixture = Fixture::subscribed(json!({}), DEAD);
    let data = r#"{"topic":"t", "data":1.50}"#;
    fixture.deliver(event(data));
    answered(&fixture, 500, "");
    assert_eq!(*fixture.broker.published.borrow(), [Message { topic: "dead".to_owned(), ..event(data) }]);
    assert_eq!(count(&fixture, "retry"), 1);
}

#[test]
fn an_event_is_settled_only_after_the_dead_letter_topic_has_it() {
    let fixture = Fixture::subscribed(json!({}), DEAD);
    fixture.broker.holds.set(true);
    let delivered = fixture.deliver(event("{}"));
    answered(&fixture, 500, "");
    assert_eq!(delivered.get(), None);
    fixture.broker.release();
    fixture.runtime.run(Scope::Root);
    assert_eq!(delivered.get(), Some(Delivered::Settled));
}

#[test]
fn an_event_that_the_dead_letter_topic_does_not_take_comes_again() {
    for body in ["", r#"{"status":"DROP"}"#] {
        let fixture = Fixture::subscribed(json!({}), DEAD);
        fixture.broker.answers.borrow_mut().push_back(Err(BrokerError::Failed { reason: "full".to_owned() }));
        let delivered = fixture.deliver(event("{}"));
        answered(&fixture, if body.is_empty() { 500 } else { 200 }, body);
        assert_eq!(delivered.get(), Some(Delivered::Again));
    }
}

#[test]
fn a_dead_letter_topic_out_of_scope_loses_nothing() {
    let component = json!({"name": "p", "type": "pubsub.x", "metadata": {"publishingScopes": "myapp=other"}});
    let fixture = Fixture::subscribed(json!({"components": [component]}), DEAD);
    let delivered = fixture.deliver(event("{}"));
    answered(&fixture, 500, "");
    assert_eq!(delivered.get(), Some(Delivered::Again));
    assert!(fixture.broker.published.borrow().is_empty());
}

#[test]
fn an_application_that_cannot_be_reached_gets_the_event_again() {
    let fixture = Fixture::subscribed(json!({}), PLAIN);
    for status in [503, 504] {
        let delivered = fixture.deliver(event("{}"));
        fixture.host.fail(&fixture.runtime, status);
        fixture.runtime.run(Scope::Root);
        assert_eq!(delivered.get(), Some(Delivered::Again), "{status}");
    }
    fixture.host.refuse_call.set(Some(HostError::UnknownCluster));
    assert_eq!(fixture.deliver(event("{}")).get(), Some(Delivered::Again));
    assert_eq!(count(&fixture, "retry"), 3);
}

#[test]
fn an_expired_event_is_not_delivered() {
    let expired = r#"{"expiration":"2020-01-01T00:00:00Z"}"#;
    for (list, dead) in [(PLAIN, 0), (DEAD, 1)] {
        let fixture = Fixture::subscribed(json!({}), list);
        assert_eq!(fixture.deliver(event(expired)).get(), Some(Delivered::Settled));
        assert_eq!(fixture.broker.published.borrow().len(), dead);
        assert_eq!(count(&fixture, "drop"), 1);
    }
    for alive in ["2999-01-01T00:00:00Z", "never", ""] {
        let fixture = Fixture::subscribed(json!({}), PLAIN);
        fixture.deliver(event(&json!({"expiration": alive}).to_string()));
        answered(&fixture, 200, "");
    }
}

/// Where an event goes that rules lead, and how often it is in the dead-letter topic at the end.
fn led(event_data: &str, list: &str) -> (Option<String>, Option<Delivered>, usize) {
    let fixture = Fixture::subscribed(json!({}), list);
    let delivered = fixture.deliver(event(event_data));
    let is_called = !fixture.host.calls.borrow().is_empty();
    let path = is_called.then(|| {
        let call = answered(&fixture, 200, "");
        call.headers.text(":path").unwrap_or_default().to_owned()
    });
    (path, delivered.get(), fixture.broker.published.borrow().len())
}

#[test]
fn rules_lead_an_event_and_one_that_none_wants_is_dropped() {
    let rules = r#"{"rules":[{"match":"event.type == 'a'","path":"/a"},{"match":"event.data.n > 1","path":"/n"}]}"#;
    let plain = format!(r#"[{{"pubsubname":"p","topic":"t","routes":{rules}}}]"#);
    let dead = format!(r#"[{{"pubsubname":"p","topic":"t","deadLetterTopic":"dead","routes":{rules}}}]"#);
    let settled = Some(Delivered::Settled);
    assert_eq!(led(r#"{"type":"a"}"#, &plain), (Some("/a".to_owned()), settled, 0));
    assert_eq!(led(r#"{"type":"b","data":{"n":2}}"#, &dead), (Some("/n".to_owned()), settled, 0));
    for (data, why) in [(r#"{"type":"b","data":{"n":1}}"#, "no rule wants it"), (r#"{"type":"b"}"#, "no answer")] {
        assert_eq!(led(data, &plain), (None, settled, 0), "{why}");
        assert_eq!(led(data, &dead), (None, settled, 1), "{why}");
    }
}

#[test]
fn rules_of_a_raw_subscriber_see_the_envelope_around_the_bytes() {
    let rules = r#"{"rules":[{"match":"event.data_base64 == 'e30='","path":"/empty"}],"default":"/rest"}"#;
    let list = format!(r#"[{{"pubsubname":"p","topic":"t","metadata":{{"rawPayload":"true"}},"routes":{rules}}}]"#);
    assert_eq!(led("{}", &list).0.as_deref(), Some("/empty"));
    assert_eq!(led("no json", &list).0.as_deref(), Some("/rest"));
}

#[test]
fn bytes_that_are_no_object_can_never_be_delivered_and_do_not_block_the_topic() {
    for data in ["", "[]", "null", "\"x\"", "{", "\u{1}"] {
        for (list, dead) in [(PLAIN, 0), (DEAD, 1)] {
            let fixture = Fixture::subscribed(json!({}), list);
            assert_eq!(fixture.deliver(event(data)).get(), Some(Delivered::Settled), "{data}");
            assert_eq!(fixture.broker.published.borrow().len(), dead, "{data}");
        }
    }
}

#[test]
fn a_subscriber_of_raw_events_gets_any_bytes_wrapped_and_dead_letters_them_unwrapped() {
    let list = RAW.replace("\"route\"", "\"deadLetterTopic\":\"dead\",\"route\"");
    let fixture = Fixture::subscribed(json!({}), &list);
    fixture.deliver(event("no json"));
    let call = answered(&fixture, 500, "");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        (&body["data_base64"], &body["topic"], &body["pubsubname"]),
        (&json!("bm8ganNvbg=="), &json!("t"), &json!("p"))
    );
    assert_eq!(call.headers.text("content-type"), Some("application/cloudevents+json"));
    assert_eq!(fixture.broker.published.borrow()[0].data, b"no json");
}

#[test]
fn the_delivery_is_a_span_below_the_events() {
    let tracing = json!({"tracing": {"samplingRate": "1"}});
    for data in [
        json!({"traceparent": PARENT, "tracestate": "a=1"}),
        json!({"traceid": PARENT, "traceparent": "", "tracestate": "a=1"}),
    ] {
        let fixture = Fixture::subscribed(tracing.clone(), PLAIN);
        fixture.deliver(event(&data.to_string()));
        let call = answered(&fixture, 200, "");
        let ours = call.headers.text("traceparent").unwrap();
        assert_eq!((&ours[..36], &ours[52..]), (&PARENT[..36], "-01"));
        assert_ne!(ours, PARENT);
        assert_eq!(call.headers.text("tracestate"), Some("a=1"));
    }
}

#[test]
fn with_tracing_off_the_events_traceparent_is_passed_unchanged() {
    let fixture = Fixture::subscribed(json!({}), PLAIN);
    fixture.deliver(event(&json!({"traceparent": PARENT}).to_string()));
    assert_eq!(answered(&fixture, 200, "").headers.text("traceparent"), Some(PARENT));
}

#[test]
fn trace_attributes_of_another_kind_do_not_stop_the_delivery() {
    for data in [r#"{"traceparent":5,"traceid":{},"tracestate":[]}"#, r#"{"traceparent":"junk","expiration":1}"#] {
        let fixture = Fixture::subscribed(json!({}), PLAIN);
        let delivered = fixture.deliver(event(data));
        assert_eq!(answered(&fixture, 200, "").body, data.as_bytes());
        assert_eq!(delivered.get(), Some(Delivered::Settled));
    }
}

#[test]
fn an_event_of_a_topic_without_subscription_is_left_to_others() {
    let fixture = Fixture::subscribed(json!({}), PLAIN);
    let other = Message { topic: "other".to_owned(), ..event("{}") };
    assert_eq!(fixture.deliver(other).get(), Some(Delivered::Again));
}

#[test]
fn a_delivery_whose_block_has_gone_ends() {
    let fixture = Fixture::subscribed(json!({}), PLAIN);
    let outcome = Rc::new(Cell::new(None));
    let (deliver, slot) = (fixture.broker.take_deliver(), Rc::clone(&outcome));
    fixture.block.drain();
    fixture.runtime.run(Scope::Root);
    let (runtime, host) = (fixture.runtime.clone(), Rc::clone(&fixture.host));
    drop(fixture);
    runtime.spawn(Box::pin(async move { slot.set(Some(deliver.deliver(Rc::new(event("{}"))).await)) }));
    runtime.run(Scope::Root);
    assert_eq!(outcome.get(), Some(Delivered::Again));
    assert!(host.calls.borrow().is_empty());
}
