//! No event that was answered with 204 is lost, whatever dies meanwhile.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Call;
use weft_tests::mesh::Mesh;
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::{soak, wait};

/// How many events are published, unless `WEFT_EVENTS` says.
const EVENTS: usize = 20_000;
/// Events of one publish request.
const AT_ONCE: usize = 50;
/// How many publish at the same time.
const PUBLISHERS: usize = 3;
/// How long the network stands still; longer than one command takes, shorter than a link waits for its answer.
const STALL: Duration = Duration::from_millis(800);
/// How long nothing at all may happen.
const STANDSTILL: Duration = Duration::from_secs(60);

fn events() -> usize {
    std::env::var("WEFT_EVENTS").map_or(EVENTS, |count| count.parse().expect("WEFT_EVENTS is a number"))
}

/// Publishes until so many events were taken; gives those.
fn publisher(address: String, name: usize, count: usize, taken: Arc<AtomicUsize>) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for round in 0.. {
            if acknowledged.len() >= count {
                break;
            }
            let data: Vec<String> = (0..AT_ONCE).map(|number| format!("{name}-{round}-{number}")).collect();
            let entry = |it: &String| json!({"entryId": it, "event": it, "contentType": "text/plain"});
            let body = json!(data.iter().map(entry).collect::<Vec<_>>());
            let call = Call::new(hyper::Method::POST, &address, "/v1.0/publish/bulk/durable/lasting").json(&body);
            match call.try_send() {
                Ok(answer) if answer.status == 204 => {
                    taken.fetch_add(data.len(), Ordering::Relaxed);
                    acknowledged.extend(data);
                }
                // What is not acknowledged is not counted on; it may come all the same.
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        acknowledged
    })
}

/// How often each event came.
type Deliveries = Arc<Mutex<HashMap<String, usize>>>;

fn take(deliveries: &Deliveries, seen: &Seen) -> Reply {
    let data = seen.json()["data"].as_str().expect("a text").to_owned();
    *deliveries.lock().expect("no test thread panicked").entry(data).or_default() += 1;
    Reply::status(200)
}

/// Waits while `progress` grows, until it is large enough.
fn wait_for_progress(what: &str, wanted: usize, progress: impl Fn() -> usize) {
    let (mut last, mut since) = (progress(), Instant::now());
    while last < wanted {
        std::thread::sleep(Duration::from_millis(10));
        let now = progress();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < STANDSTILL, "{what}: {last} of {wanted}, and no more for {STANDSTILL:?}");
    }
}

/// What goes wrong, and how it is made to.
type Fault = (&'static str, fn(&Mesh));

/// Each thing that goes wrong, in turn.
const FAULTS: [Fault; 5] = [
    ("the proxy is killed", |mesh| {
        mesh.envoy.kill();
        mesh.envoy.restart();
    }),
    ("Redis is killed", |mesh| {
        mesh.redis().kill();
        mesh.redis().restart();
    }),
    ("the application is killed", |mesh| {
        mesh.app("sink").server.crash();
        mesh.app("sink").server.resume();
    }),
    ("a worker traps", |mesh| {
        let trapped = mesh.app("orders").get("/weft-test/trap").try_send();
        assert!(trapped.is_err() || trapped.is_ok_and(|answer| answer.status >= 500));
    }),
    ("the network stands still", |mesh| {
        mesh.redis().freeze();
        std::thread::sleep(STALL);
        mesh.redis().thaw();
    }),
];

fn start(workers: u32) -> Mesh {
    let durable = Redis::with(RedisOptions { durable: true, ..RedisOptions::default() });
    let subscription = json!([{"pubsubname": "durable", "topic": "lasting", "route": "/lasting"}]);
    // What a consumer leaves behind that has gone is claimed after a second.
    let settings: Value = json!({"processingTimeout": "1s", "redeliverInterval": "300ms"});
    let mesh = Mesh::builder()
        .workers(workers)
        .with_trap()
        .redis(durable)
        .redis_component("durable", "pubsub.redis", settings)
        .app("orders")
        .app("sink")
        .subscribes(subscription)
        .start();
    for sign in ["trap asked for", "Uncaught RuntimeError: unreachable"] {
        mesh.envoy.expect_log(sign, 1..=1);
    }
    mesh.wait_until_subscribed("sink");
    mesh
}

#[test]
fn every_event_that_was_taken_is_delivered_whatever_dies_to_one_worker() {
    soak::repeat(soak::time(), || lose_nothing(1));
}

#[test]
fn every_event_that_was_taken_is_delivered_whatever_dies_to_four_workers() {
    soak::repeat(soak::time(), || lose_nothing(4));
}

fn lose_nothing(workers: u32) {
    let mesh = start(workers);
    let deliveries = Deliveries::default();
    let counted = Arc::clone(&deliveries);
    mesh.app("sink").server.forgets("/lasting", move |seen| take(&counted, seen));
    let taken = Arc::new(AtomicUsize::new(0));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|name| publisher(mesh.app("orders").http(), name, events() / PUBLISHERS, Arc::clone(&taken)))
        .collect();
    let delivered = || deliveries.lock().expect("no test thread panicked").len();
    for (number, (fault, happen)) in FAULTS.iter().enumerate() {
        let share = events() * (number + 1) / (FAULTS.len() + 2);
        wait_for_progress(&format!("published before {fault}"), share, || taken.load(Ordering::Relaxed));
        let before = delivered();
        happen(&mesh);
        wait_for_progress(&format!("delivered after {fault}"), before + 1, delivered);
    }
    let acknowledged: Vec<String> =
        publishers.into_iter().flat_map(|it| it.join().expect("the publisher ends")).collect();
    let missing = || {
        let deliveries = deliveries.lock().expect("no test thread panicked");
        acknowledged.iter().filter(|event| !deliveries.contains_key(*event)).count()
    };
    wait_for_progress("delivered at last", acknowledged.len(), || acknowledged.len() - missing());
    wait::until_true("all is acknowledged", || mesh.redis().client().pending("lasting", "sink") == 0);
    let duplicates: usize = deliveries.lock().expect("no test thread panicked").values().map(|count| count - 1).sum();
    // Past the test runner, which keeps what a test prints to itself.
    let _ = writeln!(
        std::io::stderr(),
        "{workers} workers: published {}, delivered {}, duplicates {duplicates}, lost {}",
        acknowledged.len(),
        delivered(),
        missing()
    );
}
