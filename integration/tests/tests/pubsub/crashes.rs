//! What becomes of events when something dies: the application, the proxy, the broker.

use super::{BROKERS, Flood, data_at, wait_for_all};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::{dapr, wait};

fn flooded(buses: &[&str]) -> Value {
    buses.iter().map(|bus| json!({"pubsubname": bus, "topic": "flood", "route": format!("/{bus}")})).collect()
}

/// Entries of a consumer that has gone are claimed after a second.
fn quick() -> Value {
    json!({"processingTimeout": "1s", "redeliverInterval": "300ms"})
}

fn on_one_and_four_workers(builder: impl Fn() -> Builder, test: impl Fn(&Mesh)) {
    for workers in [1, 4] {
        let mesh = builder().workers(workers).start();
        test(&mesh);
    }
}

#[test]
fn what_is_published_while_the_application_is_down_comes_when_it_is_back() {
    let builder = || {
        let subscribed = Mesh::builder().in_memory().redis(Redis::start()).app("orders").app("sink");
        subscribed.subscribes(flooded(&BROKERS))
    };
    on_one_and_four_workers(builder, |mesh| {
        mesh.wait_until_subscribed("sink");
        let sink = &mesh.app("sink").server;
        sink.on_any(|_| Reply::status(200));
        sink.crash();
        let publish = |bus: &str, number: u32| {
            let data = format!("{bus}-{number}");
            let call = mesh.app("orders").post(&format!("/v1.0/publish/{bus}/flood")).body(data.clone());
            dapr::no_content(&call.send());
            data
        };
        let events = BROKERS.map(|bus| (0..40).map(|number| publish(bus, number)).collect::<Vec<_>>());
        assert!(BROKERS.iter().all(|bus| data_at(sink, &format!("/{bus}")).is_empty()));
        sink.resume();
        for (bus, events) in BROKERS.iter().zip(&events) {
            wait_for_all(sink, &format!("/{bus}"), events);
        }
    });
}

#[test]
fn an_application_that_starts_late_or_names_other_topics_after_a_restart_is_heard() {
    let mesh = Mesh::builder()
        .in_memory()
        .app("orders")
        .dead_app("late")
        .subscribes(json!([{"pubsubname": "membus", "topic": "a", "route": "/a"}]))
        .start();
    let late = &mesh.app("late").server;
    late.on_any(|_| Reply::status(200));
    let publish = |topic: &str| {
        let path = format!("/v1.0/publish/membus/{topic}");
        dapr::no_content(&mesh.app("orders").post(&path).body("x").send());
    };
    assert_eq!(mesh.app("late").get("/v1.0/healthz").send().status, 500, "not ready without its application");
    late.resume();
    mesh.wait_until_subscribed("late");
    publish("a");
    let _ = late.wait_for("/a", 1);
    late.crash();
    let before = mesh.envoy.admin().stat("cluster.weft_app_late.upstream_cx_connect_fail");
    late.subscribes(&json!([{"pubsubname": "membus", "topic": "b", "route": "/b"}]));
    // What shows the proxy that the application is away.
    publish("a");
    let refused = || mesh.envoy.admin().stat("cluster.weft_app_late.upstream_cx_connect_fail") > before;
    wait::until_true("a delivery is tried", refused);
    late.resume();
    wait::until_true("an event of the new topic comes", || {
        publish("b");
        !late.seen("/b").is_empty()
    });
}

#[test]
fn what_a_killed_proxy_was_delivering_is_delivered_by_the_next() {
    let builder = || {
        Mesh::builder()
            .redis(Redis::start())
            .redis_component("quick", "pubsub.redis", quick())
            .app("orders")
            .subscribes(flooded(&["quick"]))
    };
    on_one_and_four_workers(builder, |mesh| {
        let orders = mesh.app("orders");
        let streams = orders.server.on_stream("/quick");
        let events: Vec<String> = (0..5).map(|number| number.to_string()).collect();
        for event in &events {
            dapr::no_content(&orders.post("/v1.0/publish/quick/flood").body(event.clone()).send());
        }
        let held: Vec<_> = events.iter().map(|_| streams.next()).collect();
        let mut client = mesh.redis().client();
        assert_eq!(client.pending("flood", "orders"), 5);
        mesh.envoy.kill();
        drop((held, streams));
        assert_eq!(client.pending("flood", "orders"), 5, "nothing was acknowledged");
        orders.server.on("/quick", Reply::status(200));
        let before = orders.server.seen("/quick").len();
        mesh.envoy.restart();
        wait::until_true("the pending events come", || {
            let seen = orders.server.seen("/quick");
            let again: std::collections::BTreeSet<String> =
                seen[before..].iter().map(|it| it.json()["data"].as_str().unwrap().to_owned()).collect();
            events.iter().all(|event| again.contains(event))
        });
        wait::until_true("they are acknowledged", || client.pending("flood", "orders") == 0);
    });
}

#[test]
fn no_event_that_redis_took_is_lost_when_redis_is_killed_under_load() {
    let durable = || Redis::with(RedisOptions { durable: true, ..RedisOptions::default() });
    let builder = || Mesh::builder().redis(durable()).app("orders").app("sink").subscribes(flooded(&["pubsub"]));
    on_one_and_four_workers(builder, |mesh| {
        let sink = &mesh.app("sink").server;
        sink.on_any(|_| Reply::status(200));
        mesh.wait_until_subscribed("sink");
        let flood = Flood::start(mesh.app("orders"), "pubsub");
        for round in 1..=3 {
            let _ = sink.wait_for("/pubsub", round * 20);
            mesh.redis().kill();
            mesh.redis().restart();
        }
        let seen = sink.seen("/pubsub").len();
        let _ = sink.wait_for("/pubsub", seen + 20);
        let taken = flood.stop();
        wait_for_all(sink, "/pubsub", &taken);
        wait::until_true("all is acknowledged", || mesh.redis().client().pending("flood", "sink") == 0);
    });
}

#[test]
fn no_event_is_lost_when_the_module_is_killed_under_load() {
    let buses = ["membus", "quick"];
    let builder = || {
        Mesh::builder()
            .with_trap()
            .in_memory()
            .redis(Redis::start())
            .redis_component("quick", "pubsub.redis", quick())
            .app("orders")
            .app("sink")
            .subscribes(flooded(&buses))
    };
    on_one_and_four_workers(builder, |mesh| {
        for sign in ["trap asked for", "Uncaught RuntimeError: unreachable"] {
            mesh.envoy.expect_log(sign, 1..=1);
        }
        mesh.wait_until_subscribed("sink");
        let sink = &mesh.app("sink").server;
        sink.on_any(|_| Reply::status(200));
        let floods = buses.map(|bus| (bus, Flood::start(mesh.app("orders"), bus)));
        for bus in buses {
            let _ = sink.wait_for(&format!("/{bus}"), 20);
        }
        let trapped = mesh.app("orders").get("/weft-test/trap").try_send();
        assert!(trapped.is_err() || trapped.is_ok_and(|answer| answer.status >= 500));
        for bus in buses {
            let seen = sink.seen(&format!("/{bus}")).len();
            let _ = sink.wait_for(&format!("/{bus}"), seen + 20);
        }
        for (bus, flood) in floods {
            wait_for_all(sink, &format!("/{bus}"), &flood.stop());
        }
    });
}
