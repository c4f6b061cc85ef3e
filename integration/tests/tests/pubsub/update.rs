//! A new configuration while events flow.

use super::{BROKERS, Flood, wait_for_all};
use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::wait;

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
            // Something in every plugin configuration, so that Envoy makes new roots of the module.
            mesh.update_plugins(|plugin| plugin["limits"] = json!({"maxBodyBytes": 1_000_000 + round}));
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
