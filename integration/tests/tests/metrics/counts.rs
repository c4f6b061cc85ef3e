//! Every kind of operation with every outcome, and the labels that it is counted with.

use super::{MESHES, path, scrape, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;

/// daprd's limits of latencies, in milliseconds, as Prometheus writes them.
const LIMITS: [&str; 35] = [
    "1", "2", "3", "4", "5", "6", "8", "10", "13", "16", "20", "25", "30", "40", "50", "65", "80", "100", "130", "160",
    "200", "250", "300", "400", "500", "650", "800", "1000", "2000", "5000", "10000", "20000", "50000", "100000",
    "+Inf",
];

fn publish(mesh: &Mesh, broker: &str, topic: &str) {
    let call = mesh.app("orders").post(&format!("/v1.0/publish/{broker}/{topic}"));
    dapr::no_content(&call.body("x").send());
}

fn published(topic: &str) -> Vec<(&str, &str)> {
    vec![("app_id", "orders"), ("component", "scoped"), ("namespace", "default"), ("topic", topic), ("success", "true")]
}

fn delivered<'a>(topic: &'a str, process: &'a str, status: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("app_id", "warehouse"),
        ("component", "scoped"),
        ("namespace", "default"),
        ("topic", topic),
        ("process_status", process),
        ("status", status),
    ]
}

#[test]
fn publishing_and_delivery_are_counted_and_timed_by_topic() {
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        mesh.app("warehouse").server.on(&path("counted"), Reply::status(200));
        (0..3).for_each(|_| publish(mesh, "scoped", "counted"));
        for (side, labels) in
            [("egress", published("counted")), ("ingress", delivered("counted", "success", "success"))]
        {
            let name = format!("dapr_component_pubsub_{side}");
            wait_for(mesh, &before, &format!("{name}_count"), &labels, 3.0);
            wait_for(mesh, &before, &format!("{name}_latencies_count"), &labels, 3.0);
            let after = scrape(mesh);
            let buckets = after.all(&format!("{name}_latencies_bucket"), &labels);
            let limits: Vec<&str> = buckets.iter().map(|it| it.labels["le"].as_str()).collect();
            assert_eq!(limits, LIMITS);
        }
    });
}

#[test]
fn each_answer_of_an_application_is_an_outcome_of_its_own() {
    let name = "dapr_component_pubsub_ingress_count";
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        let app = &mesh.app("warehouse").server;
        app.on_each(&path("refused"), vec![Reply::event("RETRY"), Reply::status(200)]);
        mesh.envoy.expect_log("path=\"/missing\" what=\"an event was not taken\"", 1..=1);
        app.on(&path("missing"), Reply::status(404));
        app.on(&path("unwanted"), Reply::event("DROP"));
        ["refused", "missing", "unwanted"].iter().for_each(|topic| publish(mesh, "scoped", topic));
        wait_for(mesh, &before, name, &delivered("refused", "retry", "failure"), 1.0);
        wait_for(mesh, &before, name, &delivered("refused", "success", "success"), 1.0);
        wait_for(mesh, &before, name, &delivered("missing", "drop", "failure"), 1.0);
        wait_for(mesh, &before, name, &delivered("unwanted", "drop", "success"), 1.0);
    });
}

#[test]
fn calls_with_many_events_are_counted_beside_their_events() {
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        mesh.app("warehouse").server.on_call(&path("many"), |call| {
            let status = |entry: &Value| json!({"entryId": entry["entryId"], "status": entry["event"]["data"]});
            let entries = call.json()["entries"].as_array().unwrap().iter().map(status).collect::<Vec<_>>();
            Reply::json(200, &json!({"statuses": entries}))
        });
        let entry = |text: &str| json!({"entryId": text, "event": text, "contentType": "text/plain"});
        let call = mesh.app("orders").post("/v1.0/publish/bulk/scoped/many");
        dapr::no_content(&call.json(&json!([entry("SUCCESS"), entry("DROP")])).send());
        let (out, inward) = ("dapr_component_pubsub_egress_bulk", "dapr_component_pubsub_ingress_bulk");
        wait_for(mesh, &before, &format!("{out}_count"), &published("many"), 1.0);
        wait_for(mesh, &before, &format!("{out}_latencies_count"), &published("many"), 1.0);
        wait_for(mesh, &before, &format!("{out}_event_count"), &published("many"), 2.0);
        wait_for(mesh, &before, &format!("{inward}_event_count"), &delivered("many", "success", "success"), 1.0);
        wait_for(mesh, &before, &format!("{inward}_event_count"), &delivered("many", "drop", "success"), 1.0);
        let after = scrape(mesh);
        let topic = [("app_id", "warehouse"), ("topic", "many")];
        let calls = after.sum(&format!("{inward}_count"), &topic) - before.sum(&format!("{inward}_count"), &topic);
        // With several workers each may have one of the events.
        assert!((1.0..=2.0).contains(&calls), "{calls} calls");
        let single = after.sum("dapr_component_pubsub_egress_count", &published("many"));
        assert_eq!(single, 0.0, "an event counts once");
    });
}

#[test]
fn every_operation_of_a_store_is_counted_with_its_success() {
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        let app = mesh.app("orders");
        let key = unique("key");
        let one = |etag: Option<&str>| match etag {
            None => json!([{"key": key, "value": 1}]),
            Some(etag) => json!([{"key": key, "value": 1, "etag": etag, "options": {"concurrency": "first-write"}}]),
        };
        dapr::no_content(&app.post("/v1.0/state/statestore").json(&one(None)).send());
        let _ = app.post("/v1.0/state/statestore").json(&one(Some("77"))).send().expect(409);
        let _ = app.get(&format!("/v1.0/state/statestore/{key}")).send().expect(200);
        let _ = app.post("/v1.0/state/statestore/bulk").json(&json!({"keys": [key, "none"]})).send().expect(200);
        let steps = json!({"operations": [{"operation": "delete", "request": {"key": key}}]});
        dapr::no_content(&app.post("/v1.0/state/statestore/transaction").json(&steps).send());
        dapr::no_content(&app.delete(&format!("/v1.0/state/statestore/{key}")).send());
        for (operation, success) in [
            ("set", "true"),
            ("set", "false"),
            ("get", "true"),
            ("bulk_get", "true"),
            ("transaction", "true"),
            ("delete", "true"),
        ] {
            let labels = [
                ("app_id", "orders"),
                ("component", "statestore"),
                ("namespace", "default"),
                ("operation", operation),
                ("success", success),
            ];
            wait_for(mesh, &before, "dapr_component_state_count", &labels, 1.0);
            wait_for(mesh, &before, "dapr_component_state_latencies_count", &labels, 1.0);
        }
    });
}

#[test]
fn names_that_only_requests_have_make_no_metric() {
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        let names: Vec<String> = (0..20).map(|_| unique("invented")).collect();
        for name in &names {
            publish(mesh, "membus", name);
            dapr::error(
                &mesh.app("orders").post(&format!("/v1.0/publish/{name}/t")).send(),
                404,
                "ERR_PUBSUB_NOT_FOUND",
            );
            let _ = mesh.app("orders").post(&format!("/v1.0/publish/scoped/{name}")).body("x").send().expect(403);
            let _ = mesh.app("orders").get(&format!("/v1.0/state/{name}/k")).send().expect(400);
            let _ = mesh.app("orders").get(&format!("/v1.0/state/memory/{name}")).send().expect(204);
        }
        let others = [("app_id", "orders"), ("component", "membus"), ("topic", "other"), ("success", "true")];
        wait_for(mesh, &before, "dapr_component_pubsub_egress_count", &others, 20.0);
        let after = scrape(mesh);
        let holds = |text: &str| text.contains("invented");
        let invented = after.samples().iter().find(|it| holds(&it.name) || it.labels.values().any(|it| holds(it)));
        assert_eq!(invented, None);
    });
}

#[test]
fn a_topic_may_have_any_name() {
    MESHES.each(|mesh| {
        let before = scrape(mesh);
        mesh.app("warehouse").server.on(&path("odd"), Reply::status(200));
        // No rule can name it, so only its subscriber knows it.
        mesh.app("warehouse").post("/v1.0/publish/scoped/odd.name%2F%C3%BC%20%3D%3B").body("x").send().expect(204);
        let mut labels = delivered("odd.name/ü %3D%3B", "success", "success");
        wait_for(mesh, &before, "dapr_component_pubsub_ingress_count", &labels, 1.0);
        labels.truncate(4);
        labels.push(("success", "true"));
        wait_for(mesh, &before, "dapr_component_pubsub_egress_count", &labels, 1.0);
    });
}

#[test]
fn nothing_of_the_labels_stays_in_a_name() {
    MESHES.each(|mesh| {
        publish(mesh, "pubsub", "any");
        let _ = mesh.app("orders").get("/v1.0/state/memory/any").send().expect(204);
        let after = scrape(mesh);
        let ours = after.samples().iter().map(|it| it.name.as_str()).filter(|it| it.contains("dapr_"));
        let names: BTreeSet<&str> = ours.collect();
        let known = Value::from(include_str!("names.txt").lines().collect::<Vec<_>>());
        for name in names {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let is_known = |it: &str| known.as_array().unwrap().iter().any(|known| known == it);
            assert!(is_known(name) || is_known(base), "{name}");
        }
    });
}
