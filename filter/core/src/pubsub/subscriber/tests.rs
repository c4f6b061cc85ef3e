use crate::host::HostError;
use crate::pubsub::fake::Fixture;
use crate::pubsub::{Delivered, Message};
use crate::runtime::Scope;
use serde_json::{Value, json};
use std::time::Duration;

const LIST: &str = r#"[{"pubsubname":"p","topic":"b","route":"/b"},{"pubsubname":"p","topic":"a","route":"/a"}]"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn answer(fixture: &Fixture, status: u16, body: &str) {
    fixture.host.answer(&fixture.runtime, status, body.as_bytes());
    fixture.runtime.run(Scope::Root);
}

fn topics(fixture: &Fixture) -> Vec<Vec<String>> {
    fixture.broker.subscribed.borrow().clone()
}

fn waiting(fixture: &Fixture) -> usize {
    fixture.host.calls.borrow().len()
}

/// One delivery that does not reach the application.
fn lose_the_app(fixture: &Fixture) {
    let data = b"{}".to_vec();
    fixture.deliver(Message { topic: "a".to_owned(), data, ..Message::default() });
    fixture.host.fail(&fixture.runtime, 503);
    fixture.runtime.run(Scope::Root);
}

#[test]
fn the_application_is_asked_as_daprd_asks() {
    let fixture = Fixture::new(json!({}));
    fixture.block.start();
    fixture.runtime.run(Scope::Root);
    assert!(!fixture.block.app_seen());
    let call = fixture.host.answer(&fixture.runtime, 200, LIST.as_bytes());
    fixture.runtime.run(Scope::Root);
    assert_eq!(call.cluster, "app");
    let header = |name: &str| call.headers.text(name).map(str::to_owned);
    let headers = [":method", ":path", ":authority", "content-type", "dapr-app-id"].map(|name| header(name).unwrap());
    assert_eq!(headers, ["GET", "/dapr/subscribe", "127.0.0.1:8080", "application/json", "myapp"]);
    assert!(fixture.block.app_seen());
    assert_eq!(topics(&fixture), [["a", "b"]]);
    assert!(fixture.other.subscribed.borrow().is_empty(), "a broker without topics is left alone");
}

#[test]
fn it_is_asked_until_it_answers_and_no_event_flows_before() {
    let declared = json!([{"pubsubname": "p", "topic": "a", "routes": {"default": "/a"}}]);
    let fixture = Fixture::new(json!({"subscriptions": declared}));
    fixture.host.refuse_call.set(Some(HostError::NoHealthyHost));
    fixture.block.start();
    fixture.host.pass(&fixture.runtime, seconds(3));
    fixture.host.refuse_call.set(None);
    fixture.host.pass(&fixture.runtime, seconds(5));
    for _ in 0..10 {
        assert_eq!(waiting(&fixture), 1);
        fixture.host.fail(&fixture.runtime, 503);
        fixture.host.pass(&fixture.runtime, seconds(5));
    }
    assert!(!fixture.block.app_seen());
    assert!(topics(&fixture).is_empty());
    answer(&fixture, 404, "");
    assert!(fixture.block.app_seen());
    assert_eq!(topics(&fixture), [["a"]]);
}

#[test]
fn an_answer_that_is_no_list_leaves_the_resources_in_force() {
    for (status, body) in [(404, "not found"), (500, "oops"), (200, "<html>"), (200, ""), (302, "")] {
        let declared = json!([{"pubsubname": "p", "topic": "a", "routes": {"default": "/a"}}]);
        let fixture = Fixture::new(json!({"subscriptions": declared}));
        fixture.block.start();
        fixture.runtime.run(Scope::Root);
        answer(&fixture, status, body);
        assert!(fixture.block.app_seen(), "{status}");
        assert_eq!(topics(&fixture), [["a"]], "{status}");
        assert_eq!(waiting(&fixture), 0, "{status}");
    }
}

#[test]
fn what_cannot_be_served_leaves_the_others_working() {
    let scoped = json!({"name": "p", "type": "pubsub.x", "metadata": {"subscriptionScopes": "myapp=a"}});
    let list = r#"[{"pubsubname":"p","topic":"a","route":"/a"},{"pubsubname":"p","topic":"denied","route":"/d"},
        {"pubsubname":"unknown","topic":"x","route":"/x"},
        {"pubsubname":"p","topic":"cel","routes":{"rules":[{"match":"event.x =","path":"/y"}]}}]"#;
    let fixture = Fixture::subscribed(json!({"components": [scoped]}), list);
    assert_eq!(topics(&fixture), [["a"]]);
    let shown = fixture.block.subscriptions();
    let read = |entry: &Vec<u8>| serde_json::from_slice::<Value>(entry).unwrap();
    let shown: Vec<_> = shown.iter().map(|entry| read(entry)["topic"].clone()).collect();
    assert_eq!(shown, ["a", "denied", "x"], "daprd shows denied and unknown ones too");
    let log = fixture.host.log.borrow().join("\n");
    for name in ["denied", "unknown", "cel"] {
        assert!(log.contains(name), "{name} is not in the log: {log}");
    }
}

#[test]
fn a_dead_letter_topic_that_is_the_subscriptions_own_counts_as_none() {
    let list = r#"[{"pubsubname":"p","topic":"a","route":"/a","deadLetterTopic":"a"}]"#;
    let fixture = Fixture::subscribed(json!({}), list);
    let log = fixture.host.log.borrow().join("\n");
    assert!(log.contains("no use of its dead-letter topic a"), "{log}");
    let outcome = fixture.deliver(Message { topic: "a".to_owned(), data: b"{}".to_vec(), ..Message::default() });
    fixture.host.answer(&fixture.runtime, 500, b"");
    fixture.runtime.run(Scope::Root);
    assert_eq!(outcome.take(), Some(Delivered::Again));
    assert!(fixture.broker.published.borrow().is_empty());
}

#[test]
fn a_namespaced_component_is_subscribed_by_its_own_name() {
    let component = json!({"name": "p", "type": "pubsub.x", "metadata": {"consumerID": "{namespace}"}});
    let fixture = Fixture::subscribed(json!({"components": [component]}), LIST);
    assert_eq!(topics(&fixture), [["shopa", "shopb"]]);
    fixture.deliver(Message { topic: "shopa".to_owned(), data: b"{}".to_vec(), ..Message::default() });
    assert_eq!(fixture.host.answer(&fixture.runtime, 200, b"").headers.text(":path"), Some("/a"));
}

#[test]
fn a_restarted_application_is_asked_again() {
    let fixture = Fixture::subscribed(json!({}), LIST);
    lose_the_app(&fixture);
    fixture.host.pass(&fixture.runtime, seconds(2));
    assert_eq!(waiting(&fixture), 1);
    fixture.host.fail(&fixture.runtime, 503);
    fixture.host.pass(&fixture.runtime, seconds(5));
    answer(&fixture, 200, r#"[{"pubsubname":"p","topic":"c","route":"/c"}]"#);
    assert_eq!(topics(&fixture), [vec!["a", "b"], vec!["c"]]);
    assert_eq!(fixture.block.subscriptions().len(), 1);
}

#[test]
fn a_restarted_application_that_says_the_same_changes_nothing() {
    let fixture = Fixture::subscribed(json!({}), LIST);
    for (status, body) in [(200, LIST), (500, "starting"), (200, LIST)] {
        lose_the_app(&fixture);
        fixture.host.pass(&fixture.runtime, seconds(2));
        answer(&fixture, status, body);
    }
    assert_eq!(topics(&fixture), [["a", "b"]]);
}

#[test]
fn an_application_that_names_nothing_any_more_gets_nothing_any_more() {
    let fixture = Fixture::subscribed(json!({}), LIST);
    lose_the_app(&fixture);
    fixture.host.pass(&fixture.runtime, seconds(2));
    answer(&fixture, 200, "[]");
    assert_eq!(topics(&fixture), [vec!["a", "b"], vec![]]);
}

#[test]
fn many_failing_deliveries_ask_once() {
    let fixture = Fixture::subscribed(json!({}), LIST);
    for _ in 0..5 {
        lose_the_app(&fixture);
    }
    fixture.host.pass(&fixture.runtime, seconds(10));
    assert_eq!(waiting(&fixture), 1);
    answer(&fixture, 200, LIST);
}

#[test]
fn after_a_drain_nobody_is_asked() {
    let fixture = Fixture::subscribed(json!({}), LIST);
    fixture.block.drain();
    assert!(fixture.broker.drained.get() && fixture.other.drained.get());
    lose_the_app(&fixture);
    fixture.host.pass(&fixture.runtime, seconds(60));
    assert_eq!(waiting(&fixture), 0);
    assert_eq!(fixture.block.in_flight(), 6);
}

#[test]
fn without_an_application_address_nobody_is_asked() {
    let declared = json!([{"pubsubname": "p", "topic": "a", "routes": {"default": "/a"}}]);
    let fixture = Fixture::new(json!({"app": Value::Null, "subscriptions": declared}));
    fixture.block.start();
    fixture.host.pass(&fixture.runtime, seconds(60));
    assert_eq!(waiting(&fixture), 0);
    assert!(!fixture.host.log.borrow().is_empty(), "it says that nothing will be delivered");
}

#[test]
fn a_second_start_does_nothing() {
    let fixture = Fixture::new(json!({}));
    fixture.block.start();
    fixture.block.start();
    fixture.runtime.run(Scope::Root);
    assert_eq!(waiting(&fixture), 1);
    answer(&fixture, 200, LIST);
}
