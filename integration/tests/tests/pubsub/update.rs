//! A new configuration while events flow.

use super::{BROKERS, Flood, wait_for_all};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::wait;

/// Changes something in every plugin configuration, so that Envoy makes new roots of the module.
fn touch(value: &mut Value, round: usize) {
    match value {
        Value::Object(members) if members.contains_key("root_id") => {
            if let Some(text) = members.get_mut("configuration").map(|configuration| &mut configuration["value"]) {
                let mut plugin: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
                plugin["limits"] = json!({"maxBodyBytes": 1_000_000 + round});
                *text = json!(plugin.to_string());
            }
        }
        Value::Object(members) => members.values_mut().for_each(|member| touch(member, round)),
        Value::Array(items) => items.iter_mut().for_each(|item| touch(item, round)),
        _ => {}
    }
}

#[test]
fn no_event_is_lost_when_the_configuration_changes_while_events_flow() {
    for workers in [1, 4] {
        let list = BROKERS.map(|bus| json!({"pubsubname": bus, "topic": "flood", "route": format!("/{bus}")}));
        let mesh = Mesh::builder()
            .workers(workers)
            .listeners_in_file()
            .in_memory()
            .redis(Redis::start())
            .app("orders")
            .app("sink")
            .subscribes(list.to_vec().into())
            .start();
        mesh.wait_until_subscribed("sink");
        let sink = &mesh.app("sink").server;
        sink.on_any(|_| Reply::status(200));
        let floods = BROKERS.map(|bus| (bus, Flood::start(mesh.app("orders"), bus)));
        for round in 1..=3 {
            let asked = sink.seen("/dapr/subscribe").len();
            mesh.update_listeners(|listeners| touch(listeners, round));
            let _ = sink.wait_for("/dapr/subscribe", asked + 1);
            for bus in BROKERS {
                let seen = sink.seen(&format!("/{bus}")).len();
                let _ = sink.wait_for(&format!("/{bus}"), seen + 20);
            }
        }
        for (bus, flood) in floods {
            wait_for_all(sink, &format!("/{bus}"), &flood.stop());
        }
        wait::until_true("all is acknowledged", || mesh.redis().client().pending("flood", "sink") == 0);
    }
}
