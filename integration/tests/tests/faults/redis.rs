//! Redis killed and started again under load.

use hyper::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use weft_tests::app::Reply;
use weft_tests::client::Call;
use weft_tests::mesh::Mesh;
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::wait;

/// Clients that write at the same time.
const CLIENTS: usize = 16;

/// A Redis that loses nothing that it has answered.
fn durable() -> Redis {
    Redis::with(RedisOptions { durable: true, ..RedisOptions::default() })
}

/// What the writers were told.
#[derive(Default)]
struct Told {
    done: Mutex<BTreeSet<usize>>,
    refused: Mutex<Vec<(u16, String)>>,
}

impl Told {
    fn count(&self) -> usize {
        self.done.lock().unwrap().len()
    }
}

/// Writes numbered things from many clients, each waiting for its answer, while `meanwhile` runs.
fn under_load(write: impl Fn(usize) -> Call + Sync, meanwhile: impl FnOnce(&Told)) -> Told {
    let told = Told::default();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let answer = write(number).send();
                    if answer.status == 204 {
                        told.done.lock().unwrap().insert(number);
                    } else {
                        told.refused.lock().unwrap().push((answer.status, answer.text()));
                    }
                }
            });
        }
        let _stop_in_any_case = StopAtEnd(&stop);
        meanwhile(&told);
    });
    told
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills Redis twice in the middle of the load, and goes on until writes succeed again.
fn kill_and_restart(mesh: &Mesh, told: &Told) {
    for _ in 0..2 {
        let before = told.count();
        wait::until_true("writes are going on", || told.count() > before + 200);
        mesh.redis().kill();
        let refused = told.refused.lock().unwrap().len();
        wait::until_true("writes are refused", || told.refused.lock().unwrap().len() > refused + CLIENTS);
        mesh.redis().restart();
        let before = told.count();
        wait::until_true("writes succeed again", || told.count() > before + 200);
    }
}

#[test]
fn a_write_that_was_confirmed_is_in_redis_after_its_crash() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).app("orders").redis(durable()).start();
        let orders = mesh.app("orders");
        let write = |number| {
            let body = json!([{"key": format!("k{number}"), "value": number}]);
            orders.post("/v1.0/state/statestore").json(&body).keep_alive()
        };
        let told = under_load(write, |told| kill_and_restart(&mesh, told));
        for number in told.done.lock().unwrap().iter() {
            let stored: Option<String> = mesh.redis().client().run(&["HGET", &format!("orders||k{number}"), "data"]);
            assert_eq!(stored, Some(number.to_string()), "write {number} was confirmed");
        }
        for (status, text) in told.refused.lock().unwrap().iter() {
            assert_eq!(*status, 500, "{text}");
            assert!(text.contains("ERR_STATE_SAVE") && text.contains("statestore"), "{text}");
        }
        mesh.envoy.check_log();
    }
}

#[test]
fn an_event_that_was_confirmed_is_delivered_after_the_crash_of_redis() {
    for workers in [1, 4] {
        let subscription = json!([{"pubsubname": "pubsub", "topic": "orders", "routes": {"default": "/orders"}}]);
        let mesh = Mesh::builder().workers(workers).redis(durable()).app("orders").subscriptions(subscription).start();
        let orders = mesh.app("orders");
        orders.server.on("/orders", Reply::status(200));
        let write = |number| orders.post("/v1.0/publish/pubsub/orders").json(&json!(number)).keep_alive();
        let told = under_load(write, |told| kill_and_restart(&mesh, told));
        let confirmed = told.done.lock().unwrap().clone();
        wait::until_true("every confirmed event is delivered", || {
            let seen = orders.server.seen("/orders");
            let delivered = seen.iter().filter_map(|it| it.json()["data"].as_u64()).map(|it| it as usize);
            confirmed.is_subset(&delivered.collect())
        });
        wait::until_true("every delivered event is acknowledged", || {
            mesh.redis().client().pending("orders", "orders") == 0
        });
        for (status, text) in told.refused.lock().unwrap().iter() {
            assert_eq!(*status, 500, "{text}");
            assert!(text.contains("ERR_PUBSUB_PUBLISH_MESSAGE"), "{text}");
        }
        mesh.envoy.check_log();
    }
}

/// The median of several rounds, since one of them may meet a busy machine.
#[test]
fn weft_is_back_within_two_seconds_of_redis() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).app("orders").redis(durable()).start();
        let read = || mesh.app("orders").call(Method::GET, "/v1.0/state/statestore/any").keep_alive();
        let mut rounds: Vec<Duration> = (0..5)
            .map(|_| {
                mesh.redis().kill();
                wait::until_true("reads fail", || read().send().status == 500);
                // Long enough for the longest pause between two attempts to connect.
                std::thread::sleep(Duration::from_secs(2));
                mesh.redis().restart();
                let back = Instant::now();
                wait::until_true("a read succeeds", || read().send().status == 204);
                back.elapsed()
            })
            .collect();
        rounds.sort();
        assert!(rounds[2] < Duration::from_secs(2), "{rounds:?}");
        mesh.envoy.check_log();
    }
}
