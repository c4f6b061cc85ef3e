//! Several applications of one proxy on one broker.

use super::{BROKERS, data_at, wait_for_all};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

fn subscribed(path: &str) -> Value {
    BROKERS.iter().map(|bus| json!({"pubsubname": bus, "topic": "news", "route": format!("/{bus}{path}")})).collect()
}

#[test]
fn every_subscriber_gets_every_event_once_however_many_workers_there_are() {
    for workers in [1, 4] {
        let mesh = Mesh::builder()
            .workers(workers)
            .in_memory()
            .redis(Redis::start())
            .app("press")
            .subscribes(subscribed("/own"))
            .app("left")
            .subscribes(subscribed("/left"))
            .app("right")
            .subscriptions(json!([{"pubsubname": "membus", "topic": "news", "routes": {"default": "/membus/right"}},
                {"pubsubname": "pubsub", "topic": "news", "routes": {"default": "/pubsub/right"}}]))
            .start();
        for app in ["press", "left", "right"] {
            mesh.app(app).server.on_any(|_| Reply::status(200));
            mesh.wait_until_subscribed(app);
        }
        for bus in BROKERS {
            let events: Vec<String> = (0..100).map(|number| format!("{bus}{number:03}")).collect();
            for event in &events {
                dapr::no_content(
                    &mesh.app("press").post(&format!("/v1.0/publish/{bus}/news")).body(event.clone()).send(),
                );
            }
            for (app, path) in [("press", "own"), ("left", "left"), ("right", "right")] {
                let path = format!("/{bus}/{path}");
                wait_for_all(&mesh.app(app).server, &path, &events);
                if bus == "pubsub" {
                    wait::until_true("Redis is told", || mesh.redis().client().pending("news", app) == 0);
                }
                let mut seen = data_at(&mesh.app(app).server, &path);
                seen.sort();
                assert_eq!(seen, events, "{app} on {workers} workers");
            }
        }
    }
}
