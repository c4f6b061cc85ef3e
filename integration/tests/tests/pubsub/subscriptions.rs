//! How an application and an operator say what they subscribe to.

use super::{BROKERS, Bus, MESHES, on_each_broker};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::mesh::Mesh;
use weft_tests::wait;

/// The resources of `courier`.
pub fn declared() -> Value {
    let of = |bus: &str| {
        let one = |topic: &str, path: &str| json!({"pubsubname": bus, "topic": topic, "routes": {"default": path}});
        let rules = json!([{"match": "event.subject in ['a', 'b']", "path": "/declared-rule"}]);
        let ruled = json!({"pubsubname": bus, "topic": "declared-rules",
            "routes": {"rules": rules, "default": "/declared-rest"}});
        let mut list = [("declared", "/declared"), ("both", "/resource"), ("first", "/first"), ("first", "/second")]
            .map(|(topic, path)| one(topic, path))
            .to_vec();
        list.push(ruled);
        list.push(super::bulk_subscribe::declared(bus));
        list
    };
    BROKERS.iter().flat_map(|bus| of(bus)).collect()
}

/// What `courier` says at `/dapr/subscribe`.
pub fn named() -> Value {
    BROKERS.iter().flat_map(|bus| named_at(bus)).collect()
}

fn named_at(bus: &str) -> Vec<Value> {
    let at = |path: &str| format!("/{bus}/{path}");
    let mut list = json!([
        {"topic": "both", "route": "/named"},
        {"topic": "v2", "route": "/v1", "routes": {"default": "/v2"}},
        {"topic": "rules", "routes": {"rules": [{"match": " ", "path": "/rule"}], "default": "/never"}},
        {"topic": "twice", "route": "/once"},
        {"topic": "twice", "route": "no-slash"},
        {"topic": "wrapped", "route": "/wrapped", "metadata": {"rawPayload": "true"}},
        {"topic": "mortal", "route": at("mortal"), "deadLetterTopic": "graves"},
        {"topic": "graves", "route": at("graves")},
        {"topic": "without-route"},
        {"topic": "conditional", "routes": {"rules": [{"match": "event.type == now()", "path": "/a"}], "default": "/b"}},
        {"topic": "led", "routes": {"rules": [
            {"match": "event.type.matches('^urg(ent)?$') && event.data.startsWith('led')", "path": at("led-urgent")},
            {"match": "event.data.total > 100", "path": at("led-large")},
            {"match": "has(event.subject)", "path": at("led-rest")},
        ]}, "deadLetterTopic": "misled"},
        {"topic": "misled", "route": at("misled")},
    ]);
    let list = list.as_array_mut().unwrap();
    list.iter_mut().for_each(|one| one["pubsubname"] = json!(bus));
    std::mem::take(list)
}

/// What cannot be subscribed to is an error in the log of every worker.
pub fn announce_refusals(envoy: &EnvoyProcess, workers: u32) {
    let most = BROKERS.len() * workers as usize;
    for topic in ["without-route", "conditional"] {
        envoy.expect_log(&format!("no subscription to topic {topic} of pubsub"), 2..=most);
    }
}

/// Publishes and gives the path at which `courier` gets the event.
fn path_of(bus: &Bus<'_>, topic: &str) -> String {
    let courier = &bus.mesh.app("courier").server;
    courier.on_any(|_| Reply::status(200));
    let data = dapr::unique(topic);
    dapr::no_content(&bus.publish(topic).body(data.clone()).send());
    wait::until(&format!("an event of {topic}"), wait::SOON, || {
        let seen = courier.all_seen();
        let found = seen.iter().find(|it| it.method == "POST" && it.json()["data"] == data.as_str());
        found.map(|it| it.target.clone())
    })
}

#[test]
fn the_application_is_asked_as_dapr_asks() {
    MESHES.each(|mesh| {
        let asked = &mesh.app("courier").server.wait_for("/dapr/subscribe", 1)[0];
        assert_eq!((asked.method.as_str(), asked.query()), ("GET", None));
        assert_eq!(asked.value("dapr-app-id").as_deref(), Some("courier"));
        assert_eq!(asked.value("content-type").as_deref(), Some("application/json"));
    });
}

#[test]
fn a_resource_makes_a_subscription_and_the_first_of_two_counts() {
    on_each_broker(|bus| {
        assert_eq!(path_of(bus, "declared"), "/declared");
        assert_eq!(path_of(bus, "first"), "/first");
    });
}

#[test]
fn the_application_beats_a_resource_and_its_last_word_counts() {
    on_each_broker(|bus| {
        assert_eq!(path_of(bus, "both"), "/named");
        assert_eq!(path_of(bus, "twice"), "/no-slash");
    });
}

#[test]
fn rules_go_before_the_default_which_goes_before_the_route() {
    on_each_broker(|bus| {
        assert_eq!(path_of(bus, "v2"), "/v2");
        assert_eq!(path_of(bus, "rules"), "/rule");
    });
}

/// Publishes an event with a query and gives the path at which `courier` gets it.
fn led_to(bus: &Bus<'_>, topic: &str, query: &str, body: &str) -> String {
    let courier = &bus.mesh.app("courier").server;
    courier.on_any(|_| Reply::status(200));
    let id = dapr::unique("led");
    let call = bus.publish_with(topic, &format!("metadata.cloudevent.id={id}&{query}"));
    dapr::no_content(&call.header("content-type", "application/json").body(body.to_owned()).send());
    wait::until(&format!("an event of {topic}"), wait::SOON, || {
        let seen = courier.all_seen();
        let found = seen.iter().find(|it| it.method == "POST" && it.json()["id"] == id.as_str());
        found.map(|it| it.target.clone())
    })
}

#[test]
fn conditions_lead_each_event_to_its_path() {
    on_each_broker(|bus| {
        let led = |query: &str, body: &str| led_to(bus, "led", query, body).replace(&format!("/{}/", bus.name), "");
        assert_eq!(led("metadata.cloudevent.type=urgent", r#""led by its type""#), "led-urgent");
        assert_eq!(led("metadata.cloudevent.type=normal", r#"{"total":101}"#), "led-large");
        assert_eq!(led("metadata.cloudevent.subject=s", r#"{"total":100}"#), "led-rest");
        assert_eq!(led("metadata.none=1", r#"{"total":100}"#), "misled", "no rule wants it");
        bus.mesh.envoy.expect_log("a routing rule cannot be asked: there is no member total", 1..=BROKERS.len());
        assert_eq!(led("metadata.cloudevent.subject=s", r#"{"sum":1}"#), "misled", "the second rule has no answer");
        assert_eq!(led_to(bus, "declared-rules", "metadata.cloudevent.subject=b", "1"), "/declared-rule");
        assert_eq!(led_to(bus, "declared-rules", "metadata.cloudevent.subject=c", "1"), "/declared-rest");
    });
}

#[test]
fn a_raw_subscription_wraps_whatever_was_stored() {
    on_each_broker(|bus| {
        let courier = &bus.mesh.app("courier").server;
        courier.on_any(|_| Reply::status(200));
        let before = courier.seen("/wrapped").len();
        let call = bus.publish_with("wrapped", "metadata.rawPayload=true").body(&b"\x00\xffraw"[..]);
        let answer = call.send().expect(204);
        let trace = answer.header("traceparent").expect("the publisher is told its trace");
        let seen = courier.wait_for("/wrapped", before + 1).remove(before);
        assert_eq!(seen.value("content-type").as_deref(), Some("application/cloudevents+json"));
        let mut envelope = seen.json();
        let id = envelope.as_object_mut().unwrap().remove("id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 36);
        let wanted = json!({
            "data_base64": "AP9yYXc=", "datacontenttype": "application/octet-stream", "pubsubname": bus.name,
            "source": "Dapr", "specversion": "1.0", "topic": "wrapped", "type": "com.dapr.event.sent",
            "traceparent": trace
        });
        assert_eq!(envelope, wanted);
    });
}

#[test]
fn metadata_lists_every_subscription_that_can_be_served() {
    MESHES.each(|mesh| {
        let metadata = mesh.app("courier").get("/v1.0/metadata").send().expect(200).json();
        let list = metadata["subscriptions"].as_array().unwrap();
        let of = |topic: &str| {
            let found = list.iter().find(|it| it["topic"] == topic && it["pubsubname"] == "membus");
            found.cloned().unwrap_or_default()
        };
        let plain = json!({"pubsubname": "membus", "topic": "declared", "type": "DECLARATIVE",
            "rules": [{"match": "", "path": "/declared"}]});
        assert_eq!(of("declared"), plain);
        let mortal = json!({"pubsubname": "membus", "topic": "mortal", "type": "PROGRAMMATIC",
            "rules": [{"match": "", "path": "/membus/mortal"}], "deadLetterTopic": "graves"});
        assert_eq!(of("mortal"), mortal);
        let rules = json!([{"match": "event.subject in ['a', 'b']", "path": "/declared-rule"},
            {"match": "", "path": "/declared-rest"}]);
        assert_eq!(of("declared-rules")["rules"], rules);
        assert_eq!(of("wrapped")["metadata"], json!({"rawPayload": "true"}));
        assert_eq!(["without-route", "conditional"].map(of), [Value::Null, Value::Null]);
    });
}

#[test]
fn an_application_without_subscriptions_is_healthy() {
    for answer in [Reply::status(404), Reply::status(200), Reply::bytes(200, "[]"), Reply::bytes(200, "null")] {
        let mesh = Mesh::builder().in_memory().app("orders").start();
        mesh.app("orders").server.on("/dapr/subscribe", answer);
        wait::until_true("healthy", || mesh.app("orders").get("/v1.0/healthz").send().status == 204);
        let metadata = mesh.app("orders").get("/v1.0/metadata").send().json();
        assert!(metadata["subscriptions"].as_array().is_none_or(Vec::is_empty), "{metadata}");
    }
}

#[test]
fn an_answer_that_is_no_list_is_reported_and_resources_still_count() {
    let declared = json!([{"pubsubname": "membus", "topic": "t", "routes": {"default": "/t"}}]);
    for answer in [Reply::status(500), Reply::bytes(200, "{\"topic\":\"t\"}"), Reply::bytes(200, "[{\"topic\":1}]")] {
        let mesh = Mesh::builder().in_memory().dead_app("orders").subscriptions(declared.clone()).start();
        mesh.envoy.expect_log("the answer to GET /dapr/subscribe is no list of subscriptions", 1..=1);
        let orders = mesh.app("orders");
        orders.server.on("/dapr/subscribe", answer);
        orders.server.on("/t", Reply::status(200));
        orders.server.resume();
        mesh.wait_until_subscribed("orders");
        dapr::no_content(&orders.post("/v1.0/publish/membus/t").body("x").send());
        assert_eq!(orders.server.wait_for("/t", 1)[0].json()["data"], "x");
    }
}
