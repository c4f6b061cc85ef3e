//! Memory that stays as it is, however much goes through.

use serde_json::json;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use weft_tests::app::Reply;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::process::memory;
use weft_tests::redis::Redis;
use weft_tests::{soak, wait};

/// Connections that are at work at the same time.
const CLIENTS: u64 = 8;
/// Rounds before memory is looked at: until then buffers and tables grow to what they need.
const WARM: u64 = 4_000;
/// Rounds after that, at least.
const ROUNDS: u64 = 12_000;
/// What the allocator may move meanwhile, in bytes.
const SLACK: u64 = 6 << 20;

/// Sends what `round` gives, for ever new numbers, over connections that stay, each request once the last one is answered,
/// which has to be by one of these statuses. Asserts that the proxy's memory does not grow.
fn stays_flat(mesh: &Mesh, what: &str, round: impl Fn(u64) -> Vec<Request> + Sync) {
    let app = mesh.app("orders");
    let next = AtomicU64::new(0);
    run(app, &next, WARM, Duration::ZERO, &round);
    let before = memory(mesh.envoy.pid());
    let begun = Instant::now();
    run(app, &next, WARM + ROUNDS, soak::time(), &round);
    let after = memory(mesh.envoy.pid());
    let rounds = next.load(Ordering::Relaxed);
    // Past the test runner, which keeps what a test prints to itself.
    let _ = writeln!(
        std::io::stderr(),
        "{what}: {rounds} rounds, {before} bytes before, {after} after, {} s",
        begun.elapsed().as_secs()
    );
    assert!(after < before + SLACK, "{what}: {before} bytes, then {after} after {rounds} rounds");
}

/// A request without its framing, and the status it is to be answered with.
struct Request {
    head: String,
    body: String,
    status: u16,
}

fn run(app: &MeshApp, next: &AtomicU64, until: u64, time: Duration, round: &(impl Fn(u64) -> Vec<Request> + Sync)) {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut raw = app.raw();
                while next.load(Ordering::Relaxed) < until || begun.elapsed() < time {
                    for Request { head, body, status } in round(next.fetch_add(1, Ordering::Relaxed)) {
                        raw.write(format!(
                            "{head} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        ));
                        let answer = raw.answer().expect("an answer");
                        assert_eq!(answer.status, status, "{head}: {}", answer.text());
                    }
                }
            });
        }
    });
}

/// Saves a value of a key that was never there, reads it and deletes it.
fn comes_and_goes(store: &str, number: u64) -> Vec<Request> {
    let key = format!("/v1.0/state/{store}/key-{number}");
    let item = json!([{"key": format!("key-{number}"), "value": "x".repeat(200)}]);
    let request = |head: String, body: String, status| Request { head, body, status };
    vec![
        request(format!("POST /v1.0/state/{store}"), item.to_string(), 204),
        request(format!("GET {key}"), String::new(), 200),
        request(format!("DELETE {key}"), String::new(), 204),
    ]
}

#[test]
fn values_that_come_and_go_leave_nothing_behind_in_memory() {
    let mesh = Mesh::builder().in_memory().app("orders").start();
    stays_flat(&mesh, "values in memory", |number| comes_and_goes("memory", number));
}

#[test]
fn values_that_come_and_go_leave_nothing_behind_on_the_way_to_redis() {
    let mesh = Mesh::builder().redis(Redis::start()).app("orders").start();
    stays_flat(&mesh, "values in Redis", |number| comes_and_goes("statestore", number));
}

#[test]
fn events_that_were_delivered_leave_nothing_behind() {
    let settings = json!({"maxLenApprox": "1000"});
    let builder = Mesh::builder().redis(Redis::start()).redis_component("bounded", "pubsub.redis", settings);
    let subscription = json!([{"pubsubname": "bounded", "topic": "flow", "route": "/flow"}]);
    let mesh = builder.app("orders").app("sink").subscribes(subscription).start();
    mesh.wait_until_subscribed("sink");
    let delivered = std::sync::Arc::new(AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&delivered);
    mesh.app("sink").server.forgets("/flow", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Reply::event("SUCCESS")
    });
    let published = AtomicU64::new(0);
    stays_flat(&mesh, "events", |number| {
        // No more of them under way than the stream keeps.
        let ahead = || published.load(Ordering::Relaxed).saturating_sub(delivered.load(Ordering::Relaxed));
        wait::until_true("events are delivered", || ahead() < 500);
        published.fetch_add(1, Ordering::Relaxed);
        let (head, body) =
            ("POST /v1.0/publish/bounded/flow".to_owned(), format!("event {number} {}", "x".repeat(200)));
        vec![Request { head, body, status: 204 }]
    });
}
