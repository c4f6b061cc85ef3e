//! What clients see of values that many of them change, while things go wrong.

use serde_json::{Value, json};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use weft_tests::client::Answer;
use weft_tests::etcd::Etcd;
use weft_tests::linear::{self, Action, Change, Operation, Rules, Seen, Told};
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::postgres::Postgres;
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::{soak, wait};

/// Values that are changed.
const KEYS: usize = 4;
/// Clients that change each of them.
const CLIENTS: usize = 4;

/// A store under load, and all that its clients were told.
struct Load<'a> {
    app: &'a MeshApp,
    store: &'a str,
    rules: Rules,
    began: Instant,
    /// The next value; each is written once.
    next: AtomicU64,
    stop: AtomicBool,
    histories: [Mutex<Vec<Operation>>; KEYS],
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    read: AtomicU64,
    done: AtomicU64,
    unfit: AtomicU64,
    unknown: AtomicU64,
    /// Known not to have been done.
    failed: AtomicU64,
}

fn up(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn now(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

impl<'a> Load<'a> {
    fn new(mesh: &'a Mesh, store: &'a str, rules: Rules) -> Self {
        Self {
            app: mesh.app("orders"),
            store,
            rules,
            began: Instant::now(),
            next: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            histories: Default::default(),
            counts: Counts::default(),
        }
    }

    /// Runs the clients while `meanwhile` runs, and then looks for an order that explains what each value's were told.
    fn run(&self, meanwhile: impl FnOnce()) {
        std::thread::scope(|scope| {
            for client in 0..KEYS * CLIENTS {
                scope.spawn(move || self.client(client));
            }
            let _stop_in_any_case = Stop(&self.stop);
            meanwhile();
        });
        // Past the test runner, which keeps what a test prints to itself.
        let _ = writeln!(std::io::stderr(), "{} under load: {:?}", self.store, self.counts);
        for (key, history) in self.histories.iter().enumerate() {
            let history = history.lock().unwrap();
            linear::check(self.rules, &history).unwrap_or_else(|violation| panic!("key {key}: {violation}"));
        }
    }

    /// Waits until that many more writes were done.
    fn goes_on(&self, more: u64) {
        let before = now(&self.counts.done);
        wait::until_true("writes are done", || now(&self.counts.done) >= before + more);
    }

    /// Lets the store die, until writes fail.
    fn dies(&self, kill: impl FnOnce()) {
        kill();
        let before = now(&self.counts.failed);
        wait::until_true("writes fail", || now(&self.counts.failed) > before);
    }

    /// Lets the store stand still until a write was given up: one that was under way, or one that found no connection.
    fn stands_still(&self, freeze: impl FnOnce()) {
        let given_up = || now(&self.counts.unknown) + now(&self.counts.failed);
        let before = given_up();
        freeze();
        wait::until_true("writes are given up", || given_up() > before);
    }

    /// Reads and changes one value until it is told to stop.
    fn client(&self, number: usize) {
        let key = number % KEYS;
        let mut known = None;
        for step in 0_usize.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            match (number + step) % 7 {
                0 | 2 | 4 => known = self.read(key).unwrap_or(known),
                1 | 5 => self.save(key, known.as_ref()),
                3 => self.save(key, None),
                _ => self.delete(key, known.as_ref().filter(|_| step % 2 == 0)),
            }
        }
    }

    fn path(&self, key: usize) -> String {
        format!("/v1.0/state/{}/key-{key}", self.store)
    }

    fn clock(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap()
    }

    fn note(&self, key: usize, call: u64, action: Action) {
        let end = self.clock();
        self.histories[key].lock().unwrap().push(Operation { call, end, action });
    }

    /// What the client knows of the value from then on; `None` if it could not be read.
    fn read(&self, key: usize) -> Option<Option<Known>> {
        let call = self.clock();
        let answer = self.app.get(&self.path(key)).keep_alive().try_send().ok()?;
        let known = match answer.status {
            204 => None,
            200 => Some(self.known(&answer)),
            _ => return None,
        };
        up(&self.counts.read);
        self.note(key, call, Action::Read(known.as_ref().map(|known| known.seen)));
        Some(known)
    }

    fn known(&self, answer: &Answer) -> Known {
        let (value, etag) = (answer.json().as_u64().unwrap(), answer.header("etag").unwrap().to_owned());
        let version = if self.rules == Rules::Redis { etag.parse().unwrap() } else { value };
        Known { etag, seen: Seen { value, version } }
    }

    fn save(&self, key: usize, over: Option<&Known>) {
        let value = self.next.fetch_add(1, Ordering::Relaxed);
        let mut item = json!({"key": format!("key-{key}"), "value": value});
        if let Some(known) = over {
            item["etag"] = json!(known.etag);
        }
        let call = self.app.post(&format!("/v1.0/state/{}", self.store)).json(&json!([item]));
        self.write(key, Change::Save(value), over, || call.keep_alive().try_send());
    }

    fn delete(&self, key: usize, over: Option<&Known>) {
        let mut call = self.app.delete(&self.path(key));
        if let Some(known) = over {
            call = call.header("if-match", &known.etag);
        }
        self.write(key, Change::Delete, over, || call.keep_alive().try_send());
    }

    fn write(&self, key: usize, change: Change, over: Option<&Known>, send: impl FnOnce() -> Result<Answer, String>) {
        let call = self.clock();
        let Some(told) = told(&send()) else { return up(&self.counts.failed) };
        up(match told {
            Told::Done => &self.counts.done,
            Told::Unfit => &self.counts.unfit,
            Told::Unknown => &self.counts.unknown,
        });
        self.note(key, call, Action::Write { change, condition: over.map(|known| known.seen.version), told });
    }
}

/// What a client has read.
struct Known {
    etag: String,
    seen: Seen,
}

/// What an answer says of a write; `None` if it was surely not done.
fn told(answer: &Result<Answer, String>) -> Option<Told> {
    let Ok(answer) = answer else { return Some(Told::Unknown) };
    match answer.status {
        204 => Some(Told::Done),
        409 => Some(Told::Unfit),
        500 => {
            let body: Value = answer.json();
            let is_from_the_store = matches!(body["errorCode"].as_str(), Some("ERR_STATE_SAVE" | "ERR_STATE_DELETE"));
            let text = body["message"].as_str().unwrap();
            (!is_from_the_store || text.contains("the outcome is unknown")).then_some(Told::Unknown)
        }
        // The proxy has no instance to ask.
        503 => None,
        _ => Some(Told::Unknown),
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn durable() -> Redis {
    Redis::with(RedisOptions { durable: true, ..RedisOptions::default() })
}

#[test]
fn values_in_redis_are_linearizable_while_it_is_killed_and_started_again() {
    soak::repeat(soak::time(), || {
        for workers in [1, 4] {
            let mesh = Mesh::builder().workers(workers).redis(durable()).app("orders").start();
            let load = Load::new(&mesh, "statestore", Rules::Redis);
            load.run(|| {
                for _ in 0..3 {
                    load.goes_on(100);
                    load.dies(|| mesh.redis().kill());
                    mesh.redis().restart();
                }
                load.goes_on(100);
            });
            assert!(now(&load.counts.unknown) > 0, "{:?}", load.counts);
        }
    });
}

#[test]
fn values_in_redis_are_linearizable_while_it_stands_still() {
    soak::repeat(soak::time(), || {
        for workers in [1, 4] {
            let mesh = Mesh::builder().workers(workers).redis(durable()).app("orders").start();
            let load = Load::new(&mesh, "statestore", Rules::Redis);
            load.run(|| {
                load.goes_on(100);
                // Shorter than anybody is patient, and then longer: what was given up is done afterwards.
                mesh.redis().freeze();
                mesh.redis().thaw();
                load.goes_on(100);
                load.stands_still(|| mesh.redis().freeze());
                mesh.redis().thaw();
                load.goes_on(100);
            });
            assert!(now(&load.counts.unfit) > 0, "{:?}", load.counts);
        }
    });
}

/// Shortens the time after which a request is ended that a trapped instance has held.
fn impatient(bootstrap: &mut Value) {
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        if manager["stream_idle_timeout"] == "15s" {
            manager["stream_idle_timeout"] = json!("1s");
        }
    }
}

#[test]
fn values_in_every_store_are_linearizable_while_instances_of_the_module_trap() {
    soak::repeat(soak::time(), || {
        const TRAPS: usize = 4;
        for workers in [1, 4] {
            for store in ["statestore", "memory", "postgres", "etcd"] {
                let builder = Mesh::builder().workers(workers).with_trap().edit(impatient).in_memory();
                let builder = match store {
                    "postgres" => builder.postgres(Postgres::start()),
                    "etcd" => builder.etcd(Etcd::start(), json!({})),
                    _ => builder.redis(durable()),
                };
                let mesh = builder.app("orders").start();
                let rules = if store == "statestore" { Rules::Redis } else { Rules::InMemory };
                for sign in ["trap asked for", "Uncaught RuntimeError: unreachable"] {
                    mesh.envoy.expect_log(sign, 1..=TRAPS);
                }
                let load = Load::new(&mesh, store, rules);
                load.run(|| {
                    for _ in 0..TRAPS {
                        load.goes_on(100);
                        load.app.get("/weft-test/trap").send().expect(503);
                    }
                    load.goes_on(100);
                });
            }
        }
    });
}

/// A store's server, and what can happen to it.
struct Server {
    kill: fn(&Mesh),
    restart: fn(&Mesh),
    freeze: fn(&Mesh),
    thaw: fn(&Mesh),
}

impl Server {
    /// Lets all of it happen, one after the other.
    fn suffers(&self, mesh: &Mesh, store: &str) {
        let load = Load::new(mesh, store, Rules::InMemory);
        load.run(|| {
            for _ in 0..2 {
                load.goes_on(100);
                load.dies(|| (self.kill)(mesh));
                (self.restart)(mesh);
            }
            load.goes_on(100);
            (self.freeze)(mesh);
            (self.thaw)(mesh);
            load.goes_on(100);
            load.stands_still(|| (self.freeze)(mesh));
            (self.thaw)(mesh);
            load.goes_on(100);
        });
        assert!(now(&load.counts.unfit) > 0, "{:?}", load.counts);
    }
}

#[test]
fn values_in_etcd_are_linearizable_while_it_is_killed_and_stands_still() {
    let server = Server {
        kill: |mesh| mesh.etcd().kill(),
        restart: |mesh| mesh.etcd().restart(),
        freeze: |mesh| mesh.etcd().freeze(),
        thaw: |mesh| mesh.etcd().thaw(),
    };
    soak::repeat(soak::time(), || {
        for workers in [1, 4] {
            let mesh = Mesh::builder().workers(workers).etcd(Etcd::start(), json!({})).app("orders").start();
            server.suffers(&mesh, "etcd");
        }
    });
}

#[test]
fn values_in_postgresql_are_linearizable_while_it_is_killed_and_stands_still() {
    let server = Server {
        kill: |mesh| mesh.postgres().kill(),
        restart: |mesh| mesh.postgres().restart(),
        freeze: |mesh| mesh.postgres().freeze(),
        thaw: |mesh| mesh.postgres().thaw(),
    };
    soak::repeat(soak::time(), || {
        for workers in [1, 4] {
            let mesh = Mesh::builder().workers(workers).postgres(Postgres::start()).app("orders").start();
            // It lets nobody in before it has read what the dead one had written.
            mesh.envoy.expect_log("the database system is", 0..=100);
            server.suffers(&mesh, "postgres");
        }
    });
}
