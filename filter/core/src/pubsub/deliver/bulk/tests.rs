use crate::fake::Called;
use crate::pubsub::fake::Fixture;
use crate::pubsub::{Delivered, Message};
use crate::runtime::Scope;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

type Outcome = Rc<Cell<Option<Delivered>>>;

/// Lists with one subscription in bulk: at most three events, which wait for a quarter of a second.
fn list(more: Value) -> String {
    let mut one = json!({"pubsubname": "p", "topic": "t", "route": "/in",
        "bulkSubscribe": {"enabled": true, "maxMessagesCount": 3, "maxAwaitDurationMs": 250}});
    one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([one]).to_string()
}

fn event(data: &str) -> Message {
    let metadata = [("k".to_owned(), "v".to_owned())].into();
    Message { topic: "t".to_owned(), data: data.as_bytes().to_vec(), metadata }
}

fn gave(fixture: &Fixture, events: &[&str]) -> Vec<Outcome> {
    events.iter().map(|data| fixture.deliver(event(data))).collect()
}

fn answered(fixture: &Fixture, status: u16, body: &str) -> Called {
    let call = fixture.host.answer(&fixture.runtime, status, body.as_bytes());
    fixture.runtime.run(Scope::Root);
    call
}

fn calls(fixture: &Fixture) -> usize {
    fixture.host.calls.borrow().len()
}

fn outcomes(given: &[Outcome]) -> Vec<Option<Delivered>> {
    given.iter().map(|outcome| outcome.get()).collect()
}

const AGAIN: Option<Delivered> = Some(Delivered::Again);
const SETTLED: Option<Delivered> = Some(Delivered::Settled);

#[test]
fn events_wait_for_each_other_until_there_are_enough() {
    let fixture = Fixture::subscribed(json!({}), &list(json!({})));
    let mut given = gave(&fixture, &[r#"{"id":"a","n":1.50}"#, r#"{"id":"b"} rest"#]);
    assert_eq!(calls(&fixture), 0);
    given.extend(gave(&fixture, &[r#"{"id":"c"}"#]));
    let statuses = json!({"statuses": [{"entryId": "2", "status": "SUCCESS"}, {"entryId": "0", "status": "SUCCESS"},
        {"entryId": "1", "status": "RETRY"}, {"entryId": "9", "status": "SUCCESS"}]});
    let call = answered(&fixture, 200, &statuses.to_string());
    assert_eq!(outcomes(&given), [SETTLED, AGAIN, SETTLED]);
    assert_eq!(call.headers.text(":path"), Some("/in"));
    assert_eq!(call.headers.text("content-type"), Some("application/json"));
    let mut body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body.as_object_mut().unwrap().remove("id").unwrap().as_str().unwrap().len(), 36);
    let entry = |id: &str, event: Value| json!({"entryId": id, "event": event, "metadata": {"k": "v"}, "contentType": "application/cloudevents+json"});
    let wanted = json!({"type": "com.dapr.event.sent.bulk", "topic": "t", "pubsubname": "p", "metadata": {}, "entries": [
        entry("0", json!({"id": "a", "n": 1.5})), entry("1", json!({"id": "b"})), entry("2", json!({"id": "c"}))]});
    assert_eq!(body, wanted);
    assert!(String::from_utf8_lossy(&call.body).contains("1.50"), "numbers stay as they were written");
}

#[test]
fn events_do_not_wait_longer_than_the_first_may() {
    let fixture = Fixture::subscribed(json!({}), &list(json!({})));
    let first = gave(&fixture, &["{}"]);
    fixture.host.pass(&fixture.runtime, Duration::from_millis(249));
    assert_eq!(calls(&fixture), 0);
    fixture.host.pass(&fixture.runtime, Duration::from_millis(1));
    assert_eq!(calls(&fixture), 1);
    answered(&fixture, 200, r#"{"statuses":[{"entryId":"0","status":"SUCCESS"}]}"#);
    assert_eq!(outcomes(&first), [SETTLED]);
    // The timer of a batch that was full does not cut the next one short.
    gave(&fixture, &["{}", "{}", "{}"]);
    fixture.host.pass(&fixture.runtime, Duration::from_millis(200));
    gave(&fixture, &["{}"]);
    fixture.host.pass(&fixture.runtime, Duration::from_millis(100));
    assert_eq!(calls(&fixture), 1);
    fixture.host.pass(&fixture.runtime, Duration::from_millis(150));
    assert_eq!(calls(&fixture), 2);
}

#[test]
fn nobody_waits_for_more_events_than_the_broker_gives_or_for_more_bytes_than_enough() {
    let fixture = Fixture::subscribed(json!({}), &list(json!({"bulkSubscribe": {"enabled": true}})));
    gave(&fixture, &["{}"; 4]);
    assert_eq!(calls(&fixture), 0);
    gave(&fixture, &["{}"]);
    assert_eq!(calls(&fixture), 1, "the broker's window is five");
    let large = format!(r#"{{"pad":"{}"}}"#, "x".repeat(super::ENOUGH_BYTES));
    gave(&fixture, &[&large]);
    assert_eq!(calls(&fixture), 2);
}

#[test]
fn an_answer_without_statuses_is_a_retry_of_all_and_404_a_drop() {
    for (status, body, plain, dead) in [
        (200, "", AGAIN, 2),
        (200, "{}", AGAIN, 2),
        (200, "[]", AGAIN, 2),
        (200, r#"{"statuses":{}}"#, AGAIN, 2),
        (200, r#"{"statuses":[]}"#, AGAIN, 2),
        (200, r#"{"statuses":[{"entryId":"0","status":""},{"entryId":"1","status":"LATER"}]}"#, AGAIN, 2),
        (500, r#"{"statuses":[{"entryId":"0","status":"SUCCESS"}]}"#, AGAIN, 2),
        (404, "", SETTLED, 2),
        (200, r#"{"statuses":[{"entryId":"0","status":"DROP"},{"entryId":"1","status":"DROP"}]}"#, SETTLED, 2),
    ] {
        for (more, wanted, in_dead) in [(json!({}), plain, 0), (json!({"deadLetterTopic": "dead"}), SETTLED, dead)] {
            let fixture = Fixture::subscribed(json!({}), &list(more));
            let given = gave(&fixture, &["{}", "{}"]);
            fixture.host.pass(&fixture.runtime, Duration::from_millis(250));
            answered(&fixture, status, body);
            assert_eq!(outcomes(&given), [wanted, wanted], "{status} {body}");
            assert_eq!(fixture.broker.published.borrow().len(), in_dead, "{status} {body}");
        }
    }
}

#[test]
fn each_route_has_a_call_of_its_own_and_what_cannot_be_delivered_none() {
    let rules = json!({"routes": {"rules": [{"match": "event.n > 1", "path": "/large"}], "default": "/small"},
        "route": null, "bulkSubscribe": {"enabled": true, "maxMessagesCount": 5}});
    let fixture = Fixture::subscribed(json!({}), &list(rules));
    let expired = r#"{"n":1,"expiration":"2020-01-01T00:00:00Z"}"#;
    let given = gave(&fixture, &[r#"{"n":1}"#, r#"{"n":2}"#, "no json", expired, r#"{"n":3}"#]);
    assert_eq!(outcomes(&given), [None, None, SETTLED, SETTLED, None]);
    let statuses = r#"{"statuses":[{"entryId":"0","status":"SUCCESS"},{"entryId":"1","status":"SUCCESS"}]}"#;
    let paths: Vec<_> = (0..2).map(|_| answered(&fixture, 200, statuses)).collect();
    let paths: Vec<_> = paths.iter().map(|call| call.headers.text(":path").unwrap()).collect();
    assert_eq!(paths, ["/large", "/small"]);
    assert_eq!(outcomes(&given), [SETTLED; 5]);
}

#[test]
fn raw_events_are_base64_and_conditions_beside_them_are_refused() {
    let raw = json!({"metadata": {"rawPayload": "true"}});
    let fixture = Fixture::subscribed(json!({}), &list(raw.clone()));
    gave(&fixture, &["no json", "{}", ""]);
    let body: Value = serde_json::from_slice(&answered(&fixture, 200, "").body).unwrap();
    let events: Vec<_> = body["entries"].as_array().unwrap().iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["bm8ganNvbg==", "e30=", ""]);
    assert_eq!(body["entries"][0]["contentType"], "application/octet-stream");
    assert_eq!(body["metadata"], raw["metadata"]);
    let ruled = json!({"metadata": {"rawPayload": "true"}, "routes": {"rules": [{"match": "true", "path": "/x"}]}});
    let fixture = Fixture::subscribed(json!({}), &list(ruled));
    assert!(fixture.host.log.borrow().join("\n").contains("conditions have nothing to ask of raw events in bulk"));
}

#[test]
fn events_of_an_application_that_cannot_be_reached_come_again() {
    let fixture = Fixture::subscribed(json!({}), &list(json!({})));
    let given = gave(&fixture, &["{}", "{}", "{}"]);
    fixture.host.fail(&fixture.runtime, 503);
    fixture.runtime.run(Scope::Root);
    assert_eq!(outcomes(&given), [AGAIN; 3]);
}

#[test]
fn a_resource_asks_for_bulk_too() {
    let resource = json!({"pubsubname": "p", "topic": "t", "routes": {"default": "/in"},
        "bulkSubscribe": {"enabled": true, "maxMessagesCount": 2}});
    let component = json!({"name": "p", "type": "pubsub.x"});
    let fixture = Fixture::subscribed(json!({"components": [component], "subscriptions": [resource]}), "[]");
    gave(&fixture, &["{}"]);
    assert_eq!(calls(&fixture), 0);
    gave(&fixture, &["{}"]);
    assert_eq!(calls(&fixture), 1);
}
