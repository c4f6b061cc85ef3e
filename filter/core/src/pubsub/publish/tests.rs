use super::*;
use crate::pubsub::BrokerError;
use crate::pubsub::fake::Fixture;
use crate::runtime::{Scope, StreamId};
use crate::telemetry::Sampling;
use serde_json::{Value, json};
use std::time::Duration;

fn request(pubsub: &str, topic: &str, content_type: &str, body: &str) -> PublishRequest {
    PublishRequest {
        pubsub: pubsub.to_owned(),
        topic: topic.to_owned(),
        body: body.as_bytes().to_vec(),
        content_type: content_type.to_owned(),
        metadata: Metadata::new(),
        trace: Trace::off(),
    }
}

fn with(mut request: PublishRequest, name: &str, value: &str) -> PublishRequest {
    request.metadata.insert(name.to_owned(), value.to_owned());
    request
}

fn answer(fixture: &Fixture, flow: BoxFuture<'static, Reply>) -> Option<Reply> {
    fixture.runtime.spawn_request(StreamId(1), flow);
    fixture.runtime.run(Scope::Root).pop().map(|(_, reply)| reply)
}

fn published(fixture: &Fixture, request: PublishRequest) -> Reply {
    answer(fixture, fixture.block.publish(request)).expect("an answer")
}

fn bulk(fixture: &Fixture, body: &str) -> Reply {
    answer(fixture, fixture.block.publish_bulk(request("p", "t", "application/json", body))).expect("an answer")
}

/// Status, `errorCode`, message, ErrorInfo reason, number of details.
fn error(reply: &Reply) -> (u16, String, String, String, usize) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let details = body["details"].as_array().unwrap();
    (reply.status, text(&body["errorCode"]), text(&body["message"]), text(&details[0]["reason"]), details.len())
}

fn expect_error(reply: &Reply, status: u16, code: &str, message: &str, reason: &str, details: usize) {
    assert_eq!(error(reply), (status, code.to_owned(), message.to_owned(), reason.to_owned(), details));
}

#[test]
fn the_answer_comes_only_after_the_broker_has_the_event() {
    let fixture = Fixture::new(json!({}));
    fixture.broker.holds.set(true);
    assert_eq!(answer(&fixture, fixture.block.publish(request("p", "t", "text/plain", "x"))), None);
    assert_eq!(fixture.broker.published.borrow().len(), 1);
    fixture.broker.release();
    assert_eq!(fixture.runtime.run(Scope::Root).pop().unwrap().1, Reply::no_content());
}

#[test]
fn the_broker_gets_the_envelope_and_all_metadata() {
    let fixture = Fixture::new(json!({}));
    published(&fixture, with(request("p", "a/b", "application/json", "{}"), "partitionKey", "7"));
    let message = fixture.broker.published.borrow()[0].clone();
    assert_eq!(message.topic, "a/b");
    assert_eq!(message.metadata.get("partitionKey").map(String::as_str), Some("7"));
    let event: Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!(
        (&event["topic"], &event["pubsubname"], &event["source"]),
        (&json!("a/b"), &json!("p"), &json!("myapp"))
    );
}

#[test]
fn a_raw_event_is_stored_byte_for_byte() {
    let fixture = Fixture::new(json!({}));
    let body = with(request("p", "t", "application/cloudevents+json", "no json"), "rawPayload", "true");
    assert_eq!(published(&fixture, body).status, 204);
    assert_eq!(fixture.broker.published.borrow()[0].data, b"no json");
}

#[test]
fn a_broker_that_lets_messages_expire_needs_no_expiration() {
    let fixture = Fixture::new(json!({}));
    published(&fixture, with(request("p", "t", "", ""), "ttlInSeconds", "5"));
    let stored =
        |fixture: &Fixture| serde_json::from_slice::<Value>(&fixture.broker.published.borrow()[0].data).unwrap();
    assert!(stored(&fixture).get("expiration").is_some());
    let native = Fixture::with_ttl();
    published(&native, with(request("p", "t", "", ""), "ttlInSeconds", "5"));
    assert_eq!(stored(&native).get("expiration"), None);
}

#[test]
fn an_unknown_or_empty_name_is_daprs_error() {
    let fixture = Fixture::new(json!({}));
    let reply = published(&fixture, request("", "t", "", ""));
    expect_error(&reply, 404, "ERR_PUBSUB_EMPTY", "pubsub name is empty", "DAPR_PUBSUB_NAME_EMPTY", 2);
    let reply = published(&fixture, request("x", "t", "", ""));
    expect_error(&reply, 404, "ERR_PUBSUB_NOT_FOUND", "pubsub x is not found", "DAPR_PUBSUB_NOT_FOUND", 1);
    let reply = published(&fixture, request("p", "", "", ""));
    expect_error(&reply, 404, "ERR_TOPIC_NAME_EMPTY", "topic is empty in pubsub p", "DAPR_PUBSUB_TOPIC_NAME_EMPTY", 2);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let resource = json!({"@type": "type.googleapis.com/google.rpc.ResourceInfo", "resource_type": "pubsub",
        "resource_name": "p", "owner": "", "description": "topic is empty in pubsub p"});
    assert_eq!(body["details"][1], resource);
}

#[test]
fn without_brokers_publishing_is_not_configured() {
    let fixture = Fixture::without_brokers();
    let reply = published(&fixture, request("p", "t", "", ""));
    let message = "pubsub p is not configured";
    expect_error(&reply, 400, "ERR_PUBSUB_NOT_CONFIGURED", message, "DAPR_PUBSUB_NOT_CONFIGURED", 1);
}

#[test]
fn a_topic_out_of_scope_is_forbidden_and_not_published() {
    let component = json!({"name": "p", "type": "pubsub.x", "metadata": {"publishingScopes": "myapp=a"}});
    let fixture = Fixture::new(json!({"components": [component]}));
    assert_eq!(published(&fixture, request("p", "a", "", "")).status, 204);
    let reply = published(&fixture, request("p", "b", "", ""));
    let message = "topic b is not allowed for app id myapp";
    expect_error(&reply, 403, "ERR_PUBSUB_FORBIDDEN", message, "DAPR_PUBSUB_FORBIDDEN", 2);
    assert_eq!(fixture.broker.published.borrow().len(), 1);
}

#[test]
fn what_the_broker_says_is_in_the_error() {
    let fixture = Fixture::new(json!({}));
    fixture.broker.answers.borrow_mut().push_back(Err(BrokerError::Failed { reason: "disk full".to_owned() }));
    let reply = published(&fixture, request("p", "t", "", ""));
    let message = "error when publishing to topic t in pubsub p: disk full";
    expect_error(&reply, 500, "ERR_PUBSUB_PUBLISH_MESSAGE", message, "DAPR_PUBSUB_PUBLISH_MESSAGE", 2);
}

#[test]
fn an_unknown_outcome_is_told_as_such() {
    let fixture = Fixture::new(json!({}));
    fixture.broker.answers.borrow_mut().push_back(Err(BrokerError::OutcomeUnknown { reason: "timeout".to_owned() }));
    let (status, code, message, ..) = error(&published(&fixture, request("p", "t", "", "")));
    assert_eq!((status, code.as_str()), (500, "ERR_PUBSUB_PUBLISH_MESSAGE"));
    assert!(message.contains("may or may not have been published"), "{message}");
}

#[test]
fn metadata_and_cloud_events_that_cannot_be_read_are_refused() {
    let fixture = Fixture::new(json!({}));
    let reply = published(&fixture, with(request("p", "t", "", ""), "rawPayload", "yes"));
    let message = "failed deserializing metadata. Error: rawPayload value must be a valid boolean: actual is 'yes'";
    expect_error(&reply, 400, "ERR_PUBSUB_REQUEST_METADATA", message, "DAPR_PUBSUB_METADATA_DESERIALIZATION", 2);
    let reply = published(&fixture, request("p", "t", "application/cloudevents+json", "[]"));
    let code = "ERR_PUBSUB_CLOUD_EVENTS_SER";
    expect_error(&reply, 500, code, "cannot create cloudevent", "DAPR_PUBSUB_CLOUD_EVENT_CREATION", 2);
    assert!(fixture.broker.published.borrow().is_empty());
}

#[test]
fn a_namespaced_component_puts_the_namespace_before_the_topic_at_the_broker_only() {
    let component = json!({"name": "p", "type": "pubsub.x", "metadata": {"consumerID": "{namespace}"}});
    let fixture = Fixture::new(json!({"components": [component]}));
    published(&fixture, request("p", "t", "", ""));
    let message = fixture.broker.published.borrow()[0].clone();
    assert_eq!(message.topic, "shopt");
    assert_eq!(serde_json::from_slice::<Value>(&message.data).unwrap()["topic"], json!("t"));
}

#[test]
fn the_answer_names_the_span_that_is_in_the_envelope() {
    let fixture = Fixture::new(json!({}));
    let mut sent = request("p", "t", "", "");
    sent.trace = Trace::continue_or_start(&crate::http::Headers::new(), &Sampling::All, &*fixture.host);
    let reply = published(&fixture, sent);
    let event: Value = serde_json::from_slice(&fixture.broker.published.borrow()[0].data).unwrap();
    assert_eq!(reply.headers.text("traceparent"), event["traceparent"].as_str());
}

#[test]
fn bulk_entries_become_events_by_their_content_type() {
    let fixture = Fixture::new(json!({}));
    let reply = bulk(
        &fixture,
        r#"[{"entryID":"1","event":{"a":1.0},"contentType":"application/json","metadata":{"k":"v"}},
            {"entryId":"2","event":"a\nb","contentType":"text/plain"},
            {"entryId":"3","event":"AP8=","contentType":"application/octet-stream"},
            {"entryId":"4","event":{"id":"e"},"contentType":"application/cloudevents+json"}] trailing"#,
    );
    assert_eq!(reply, Reply::no_content());
    let published = fixture.broker.published.borrow();
    let text: Vec<_> = published.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect();
    assert!(text[0].starts_with(r#"{"data":{"a":1.0},"#), "{}", text[0]);
    assert!(text[1].starts_with(r#"{"data":"a\nb","#), "{}", text[1]);
    assert!(text[2].starts_with(r#"{"data_base64":"AP8=","#), "{}", text[2]);
    assert!(text[3].starts_with(r#"{"id":"e","#), "{}", text[3]);
    assert_eq!(published[0].metadata.get("k").map(String::as_str), Some("v"));
}

#[test]
fn a_bulk_requests_metadata_reaches_entries_that_have_their_own() {
    let fixture = Fixture::new(json!({}));
    let body = r#"[{"entryId":"1","event":"x","contentType":"text/plain","metadata":{"a":"entry"}},
        {"entryId":"2","event":"x","contentType":"text/plain"}]"#;
    let request = with(with(request("p", "t", "", body), "a", "request"), "b", "request");
    answer(&fixture, fixture.block.publish_bulk(request));
    let published = fixture.broker.published.borrow();
    assert_eq!(published[0].metadata, Metadata::from([("a".into(), "entry".into()), ("b".into(), "request".into())]));
    assert_eq!(published[1].metadata, Metadata::new());
}

#[test]
fn bulk_entries_each_have_a_span_of_the_same_trace() {
    let fixture = Fixture::new(json!({}));
    let body = r#"[{"entryId":"1","event":"x","contentType":"text/plain"},{"entryId":"2","event":"x","contentType":"text/plain"}]"#;
    let mut request = request("p", "t", "", body);
    request.trace = Trace::continue_or_start(&crate::http::Headers::new(), &Sampling::All, &*fixture.host);
    answer(&fixture, fixture.block.publish_bulk(request));
    let parents: Vec<_> = fixture
        .broker
        .published
        .borrow()
        .iter()
        .map(|message| {
            serde_json::from_slice::<Value>(&message.data).unwrap()["traceparent"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(parents[0][..36], parents[1][..36]);
    assert_ne!(parents[0], parents[1]);
}

#[test]
fn failed_bulk_entries_are_named() {
    let fixture = Fixture::new(json!({}));
    fixture.broker.answers.borrow_mut().extend([Ok(()), Err(BrokerError::Failed { reason: "full".to_owned() })]);
    let reply = bulk(
        &fixture,
        r#"[{"entryId":"1","event":"x","contentType":"text/plain"},{"entryId":"2","event":"x","contentType":"text/plain"}]"#,
    );
    assert_eq!(reply.status, 500);
    let why = "error when publishing to topic t in pubsub p: full";
    let body = json!({"failedEntries": [{"entryId": "2", "error": why}], "errorCode": "ERR_PUBSUB_PUBLISH_MESSAGE"});
    assert_eq!(serde_json::from_slice::<Value>(&reply.body).unwrap(), body);
    assert_eq!(reply.headers.get("metadata.responsedata"), Some(&reply.body[..]));
    assert_eq!(reply.headers.text("metadata.error"), Some(why));
}

#[test]
fn more_entries_than_fit_at_once_are_all_published() {
    let fixture = Fixture::new(json!({}));
    let entry = |at| format!(r#"{{"entryId":"{at}","event":"x","contentType":"text/plain"}}"#);
    let body = format!("[{}]", (0..250).map(entry).collect::<Vec<_>>().join(","));
    fixture.broker.holds.set(true);
    assert_eq!(answer(&fixture, fixture.block.publish_bulk(request("p", "t", "", &body))), None);
    assert_eq!(fixture.broker.published.borrow().len(), 100);
    fixture.broker.holds.set(false);
    fixture.broker.release();
    assert_eq!(fixture.runtime.run(Scope::Root).pop().unwrap().1.status, 204);
    assert_eq!(fixture.broker.published.borrow().len(), 250);
}

#[test]
fn a_bulk_body_that_cannot_be_read_publishes_nothing() {
    let fixture = Fixture::new(json!({}));
    for body in ["{}", "[", "", "[1]", r#"[{"entryId":5}]"#, r#"[{"entryId":"1","metadata":{"a":1}}]"#] {
        let (status, code, message, reason, _) = error(&bulk(&fixture, body));
        assert_eq!(
            (status, code.as_str(), reason.as_str()),
            (400, "ERR_PUBSUB_EVENTS_SER", "DAPR_PUBSUB_UNMARSHAL_EVENTS")
        );
        assert!(message.starts_with("error when unmarshaling the request for topic t pubsub p: "), "{message}");
    }
    for body in [
        r#"[{"event":"x","contentType":"text/plain"}]"#,
        r#"[{"entryId":"1","event":"x","contentType":"text/plain"},{"entryId":"1","event":"x","contentType":"text/plain"}]"#,
        r#"[{"entryId":"1","event":5,"contentType":"text/plain"}]"#,
        r#"[{"entryId":"1","event":"%","contentType":"application/octet-stream"}]"#,
        r#"[{"entryId":"1","event":"x","contentType":"image/png"}]"#,
        r#"[{"entryId":"1","contentType":"text/plain"}]"#,
    ] {
        let (status, code, _, reason, _) = error(&bulk(&fixture, body));
        assert_eq!(
            (status, code.as_str(), reason.as_str()),
            (400, "ERR_PUBSUB_EVENTS_SER", "DAPR_PUBSUB_MARSHAL_EVENTS"),
            "{body}"
        );
    }
    assert!(fixture.broker.published.borrow().is_empty());
}

#[test]
fn a_small_bulk_body_cannot_ask_for_much_memory() {
    let fixture = Fixture::new(json!({}));
    let entry =
        |id: usize| json!({"entryId": id.to_string(), "event": 1, "contentType": "application/json", "metadata": {}});
    let body = Value::from((0..2_000).map(entry).collect::<Vec<_>>()).to_string();
    let publish = |length: usize| {
        let request = with(request("p", "t", "application/json", &body), "long", &"x".repeat(length));
        fixture.runtime.spawn_request(StreamId(1), fixture.block.publish_bulk(request));
        fixture.host.pass(&fixture.runtime, Duration::from_secs(1)).pop().expect("an answer").1
    };
    let message = "error when marshaling events for topic t pubsub p: the events and their metadata are larger than \
                   67108864 bytes together; publish fewer at once";
    expect_error(&publish(40_000), 400, "ERR_PUBSUB_EVENTS_SER", message, "DAPR_PUBSUB_MARSHAL_EVENTS", 2);
    assert!(fixture.broker.published.borrow().is_empty());
    assert_eq!(publish(20_000), Reply::no_content());
}
