//! How many requests an application has at a time.

use super::guarded;
use hyper::Method;
use serde_json::json;
use weft::bootstrap::Guard;
use weft_tests::app::OpenStream;
use weft_tests::dapr;
use weft_tests::raw::Raw;
use weft_tests::wait;

const CALLS: usize = 24;
const EVENTS: usize = 6;

/// Sends calls and events to an application that answers none of them until it is let, and checks at every step how many
/// it has and how many wait.
fn bounded(workers: u32, limit: u32) {
    let most = usize::try_from(limit).unwrap();
    // A worker does not hear that another one has room now: several may use less than they could, but never nothing.
    let least = if workers == 1 { most } else { 1 };
    let subscription = json!([{"pubsubname": "membus", "topic": "parcels", "routes": {"default": "/hold"}}]);
    let guard = Guard { max_concurrency: Some(limit), ..Guard::default() };
    let mesh = guarded(workers, guard, subscription);
    mesh.wait_until_subscribed("warehouse");
    let streams = mesh.app("warehouse").server.on_stream("/hold");
    let mut callers: Vec<Raw> = (0..CALLS).map(|_| mesh.app("orders").raw()).collect();
    for caller in &mut callers {
        caller.write("GET /hold HTTP/1.1\r\nhost: localhost\r\ndapr-app-id: warehouse\r\n\r\n");
    }
    for number in 0..EVENTS {
        let publish = mesh.app("orders").call(Method::POST, "/v1.0/publish/membus/parcels");
        dapr::no_content(&publish.json(&json!({"n": number})).send());
    }
    let mut open: Vec<OpenStream> = Vec::new();
    let (mut calls, mut events) = (0, 0);
    for left in (1..=CALLS + EVENTS).rev() {
        wait::until_true(&format!("{left} requests are with the application or wait"), || {
            while let Some(stream) = streams.try_next() {
                if stream.head.method == "POST" {
                    events += 1
                } else {
                    calls += 1
                }
                open.push(stream);
            }
            let waiting = mesh.envoy.admin().stat("cluster.weft_app_warehouse.upstream_rq_pending_active");
            assert!(open.len() <= most, "{} at once on {workers} workers", open.len());
            open.len() + usize::try_from(waiting).unwrap() == left && open.len() >= least.min(left)
        });
        open.remove(0).end();
    }
    assert_eq!((calls, events), (CALLS, EVENTS));
    for caller in &mut callers {
        assert_eq!(caller.answer().expect("an answer").status, 200);
    }
    mesh.envoy.check_log();
}

#[test]
fn calls_and_events_are_counted_together_and_wait_on_one_worker() {
    bounded(1, 1);
    bounded(1, 5);
}

#[test]
fn all_workers_count_together_and_none_rejects() {
    bounded(4, 8);
}
