//! What a publisher is told when its event cannot be published.

use super::{MESHES, on_each_broker};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::Mesh;

/// Asserts both details of a rich error about a broker.
fn rich(body: &Value, reason: &str, pubsub: &str) {
    let info = dapr::detail(body, "ErrorInfo");
    assert_eq!((&info["reason"], &info["domain"]), (&json!(reason), &json!("dapr.io")));
    let resource = dapr::detail(body, "ResourceInfo");
    assert_eq!((&resource["resource_type"], &resource["resource_name"]), (&json!("pubsub"), &json!(pubsub)));
    assert_eq!(resource["description"], body["message"]);
}

#[test]
fn an_unknown_broker_is_daprs_404() {
    MESHES.each(|mesh| {
        let answer = mesh.app("orders").post("/v1.0/publish/nowhere/t").body("x").send();
        let body = dapr::error(&answer, 404, "ERR_PUBSUB_NOT_FOUND");
        assert_eq!(body["message"], "pubsub nowhere is not found");
        assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_PUBSUB_NOT_FOUND");
        assert_eq!(body["details"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_missing_topic_or_broker_is_daprs_404() {
    on_each_broker(|bus| {
        let orders = bus.mesh.app("orders");
        for path in [format!("/v1.0/publish/{}/", bus.name), format!("/v1.0/publish/{}", bus.name)] {
            let body = dapr::error(&orders.post(&path).body("x").send(), 404, "ERR_TOPIC_NAME_EMPTY");
            assert_eq!(body["message"], format!("topic is empty in pubsub {}", bus.name));
            rich(&body, "DAPR_PUBSUB_TOPIC_NAME_EMPTY", bus.name);
        }
        let body = dapr::error(&orders.post("/v1.0/publish/").body("x").send(), 404, "ERR_PUBSUB_EMPTY");
        assert_eq!(body["message"], "pubsub name is empty");
    });
}

#[test]
fn metadata_that_is_no_boolean_is_daprs_400() {
    on_each_broker(|bus| {
        let answer = bus.publish_with("any", "metadata.rawPayload=perhaps").body("x").send();
        let body = dapr::error(&answer, 400, "ERR_PUBSUB_REQUEST_METADATA");
        let wanted =
            "failed deserializing metadata. Error: rawPayload value must be a valid boolean: actual is 'perhaps'";
        assert_eq!(body["message"], wanted);
        rich(&body, "DAPR_PUBSUB_METADATA_DESERIALIZATION", bus.name);
    });
}

#[test]
fn a_cloud_event_that_is_no_object_is_daprs_500() {
    on_each_broker(|bus| {
        for event in ["{", "[]", "\"text\"", "", "{\"id\":\"x\"", "{\"id\":1e}"] {
            let call = bus.publish("any").header("content-type", "application/cloudevents+json").body(event);
            let body = dapr::error(&call.send(), 500, "ERR_PUBSUB_CLOUD_EVENTS_SER");
            assert_eq!(body["message"], "cannot create cloudevent", "{event}");
            rich(&body, "DAPR_PUBSUB_CLOUD_EVENT_CREATION", bus.name);
        }
    });
}

#[test]
fn a_body_above_the_limit_is_daprs_error_and_nothing_is_stored() {
    MESHES.each(|mesh| {
        let topic = dapr::unique("huge");
        let body = "x".repeat(weft_tests::mesh::MAX_BODY as usize + 1);
        let send = |path: String| mesh.app("orders").post(&path).body(body.clone()).send();
        let error = dapr::error(&send(format!("/v1.0/publish/pubsub/{topic}")), 500, "ERR_PUBSUB_PUBLISH_MESSAGE");
        assert!(error["message"].as_str().unwrap().contains("maxBodyBytes"), "{error}");
        dapr::error(&send(format!("/v1.0/publish/bulk/pubsub/{topic}")), 400, "ERR_PUBSUB_EVENTS_SER");
        assert_eq!(mesh.redis().client().run::<u64>(&["EXISTS", &topic]), 0);
    });
}

#[test]
fn a_broker_that_refuses_is_daprs_500_with_its_words() {
    MESHES.each(|mesh| {
        let topic = dapr::unique("taken");
        mesh.redis().client().run::<()>(&["SET", &topic, "a string"]);
        let answer = mesh.app("orders").post(&format!("/v1.0/publish/pubsub/{topic}")).body("x").send();
        let body = dapr::error(&answer, 500, "ERR_PUBSUB_PUBLISH_MESSAGE");
        let message = body["message"].as_str().unwrap();
        let start = format!("error when publishing to topic {topic} in pubsub pubsub: ");
        assert!(message.starts_with(&start) && message.contains("WRONGTYPE"), "{message}");
        rich(&body, "DAPR_PUBSUB_PUBLISH_MESSAGE", "pubsub");
    });
}

#[test]
fn without_any_broker_publishing_is_daprs_400() {
    let mesh = Mesh::builder().app("orders").start();
    for path in ["/v1.0/publish/pubsub/t", "/v1.0/publish/bulk/pubsub/t"] {
        let body = dapr::error(&mesh.app("orders").post(path).body("[]").send(), 400, "ERR_PUBSUB_NOT_CONFIGURED");
        assert_eq!(body["message"], "pubsub pubsub is not configured");
        assert_eq!(dapr::detail(&body, "ErrorInfo")["reason"], "DAPR_PUBSUB_NOT_CONFIGURED");
    }
}

#[test]
fn a_broker_that_cannot_be_reached_is_daprs_500_and_publishing_works_again_when_it_is_back() {
    let redis = weft_tests::redis::Redis::start();
    let mesh = Mesh::builder().redis(redis).app("orders").start();
    let publish = || mesh.app("orders").post("/v1.0/publish/pubsub/t").body("x").send();
    dapr::no_content(&publish());
    mesh.redis().kill();
    let body = dapr::error(&publish(), 500, "ERR_PUBSUB_PUBLISH_MESSAGE");
    assert!(body["message"].as_str().unwrap().starts_with("error when publishing to topic t in pubsub pubsub: "));
    mesh.redis().restart();
    weft_tests::wait::until_true("publishing works again", || publish().status == 204);
}

#[test]
fn scopes_keep_an_application_from_topics() {
    let scoped = json!({
        "allowedTopics": "a, b, secret, mine",
        "protectedTopics": "secret",
        "publishingScopes": "shop=a,secret;mute=",
        "subscriptionScopes": "shop=b",
    });
    let subscribed = json!([
        {"pubsubname": "membus", "topic": "a", "route": "/a"},
        {"pubsubname": "membus", "topic": "b", "route": "/b"},
    ]);
    let mesh = Mesh::builder()
        .component("membus", "pubsub.in-memory", scoped)
        .app("shop")
        .subscribes(subscribed)
        .app("mute")
        .app("free")
        .start();
    mesh.wait_until_subscribed("shop");
    let shop = &mesh.app("shop").server;
    shop.on_any(|_| Reply::status(200));
    let allowed = |app: &str, topic: &str| {
        let answer = mesh.app(app).post(&format!("/v1.0/publish/membus/{topic}")).body(topic.to_owned()).send();
        if answer.status == 204 {
            return true;
        }
        let body = dapr::error(&answer, 403, "ERR_PUBSUB_FORBIDDEN");
        assert_eq!(body["message"], format!("topic {topic} is not allowed for app id {app}"));
        rich(&body, "DAPR_PUBSUB_FORBIDDEN", "membus");
        false
    };
    let table = ["shop", "mute", "free"].map(|app| ["a", "b", "secret", "other"].map(|topic| allowed(app, topic)));
    assert_eq!(table, [[true, false, true, false], [false; 4], [true, true, false, false]]);
    let seen = shop.wait_for("/b", 1);
    assert_eq!(seen[0].json()["source"], "free");
    assert!(shop.seen("/a").is_empty(), "a subscription that scopes deny is not made");
    let listed = mesh.app("shop").get("/v1.0/metadata").send().json()["subscriptions"].as_array().unwrap().len();
    assert_eq!(listed, 2, "but it is shown");
}
