//! Metrics as Prometheus reads them from Envoy: names, labels, numbers, and what the dashboard asks for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use weft_tests::mesh::Mesh;
use weft_tests::prometheus::Scrape;
use weft_tests::redis::Redis;
use weft_tests::shared::Meshes;
use weft_tests::wait;

#[path = "metrics/counts.rs"]
mod counts;
#[path = "metrics/dashboard.rs"]
mod dashboard;

/// Topics that the broker `scoped` names in its rules, and that `warehouse` takes; the last one many at a time.
const TOPICS: &[&str] = &["counted", "refused", "missing", "unwanted", "odd.name/ü =;", "many"];

static MESHES: Meshes = Meshes::new(|workers| {
    let mesh = Mesh::builder()
        .workers(workers)
        .in_memory()
        .redis(Redis::start())
        .redis_component("scoped", "pubsub.redis", json!({"publishingScopes": format!("orders={}", scoped())}))
        .app("orders")
        .app("warehouse")
        .subscribes(TOPICS.iter().map(|topic| subscription(topic)).collect())
        .start();
    mesh.wait_until_subscribed("warehouse");
    mesh
});

/// Blanks have no place in a rule of topics.
fn scoped() -> String {
    TOPICS.iter().filter(|topic| !topic.contains(' ')).copied().collect::<Vec<_>>().join(",")
}

fn subscription(topic: &str) -> Value {
    let mut it = json!({"pubsubname": "scoped", "topic": topic, "route": path(topic)});
    if topic == "many" {
        it["bulkSubscribe"] = json!({"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 500});
    }
    it
}

/// Where the application gets a topic's events.
fn path(topic: &str) -> String {
    format!("/{}", topic.split('.').next().unwrap())
}

/// What a mesh's Envoy shows now.
fn scrape(mesh: &Mesh) -> Scrape {
    Scrape::of(&mesh.envoy.admin().address())
}

/// Waits until a metric has so much more than before. Envoy's workers hand in what they have counted now and then.
fn wait_for(mesh: &Mesh, before: &Scrape, name: &str, labels: &[(&str, &str)], more: f64) {
    let what = format!("{name} {labels:?} has {more} more");
    let mut last = 0.0;
    let start = std::time::Instant::now();
    while last != more {
        assert!(start.elapsed() < wait::SOON, "{what}: it has {last}");
        std::thread::sleep(std::time::Duration::from_millis(20));
        last = scrape(mesh).sum(name, labels) - before.sum(name, labels);
    }
}
