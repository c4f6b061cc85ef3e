//! State as applications see it: in Redis, in the memory that the workers share, in PostgreSQL and in etcd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use weft_tests::client::{Answer, Call};
use weft_tests::dapr;
use weft_tests::etcd::{Etcd, LARGE};
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::postgres::Postgres;
use weft_tests::redis::Redis;
use weft_tests::shared::Meshes;

#[path = "state/access.rs"]
mod access;
#[path = "state/bulk.rs"]
mod bulk;
#[path = "state/cluster.rs"]
mod cluster;
#[path = "state/contention.rs"]
mod contention;
#[path = "state/cuts.rs"]
mod cuts;
#[path = "state/errors.rs"]
mod errors;
#[path = "state/etags.rs"]
mod etags;
#[path = "state/etcd.rs"]
mod etcd;
#[path = "state/keys.rs"]
mod keys;
#[path = "state/layout.rs"]
mod layout;
#[path = "state/limits.rs"]
mod limits;
#[path = "state/malformed.rs"]
mod malformed;
#[path = "state/outage.rs"]
mod outage;
#[path = "state/postgres.rs"]
mod postgres;
#[path = "state/prefix.rs"]
mod prefix;
#[path = "state/sentinel.rs"]
mod sentinel;
#[path = "state/sick.rs"]
mod sick;
#[path = "state/strong.rs"]
mod strong;
#[path = "state/transaction.rs"]
mod transaction;
#[path = "state/ttl.rs"]
mod ttl;
#[path = "state/values.rs"]
mod values;

/// A store on Redis and one in memory.
const STORES: [&str; 2] = ["statestore", "memory"];

static MESHES: Meshes = Meshes::new(|workers| {
    let mut mesh = Mesh::builder().workers(workers).in_memory().redis(Redis::start()).app("orders").app("warehouse");
    for (name, metadata) in prefix::COMPONENTS.iter().map(prefix::component).chain(ttl::components()) {
        mesh = mesh.redis_component(&format!("redis-{name}"), "state.redis", metadata.clone());
        mesh = mesh.component(&format!("memory-{name}"), "state.in-memory", metadata);
    }
    mesh.start()
});

/// PostgreSQL and etcd are in another module.
static FULL: Meshes = Meshes::new(|workers| {
    let etcd = Etcd::with(LARGE);
    let port = etcd.port();
    let mesh = Mesh::builder().workers(workers).postgres(Postgres::start()).etcd(etcd, json!({"maxTxnOps": "20000"}));
    let mut mesh = mesh.app("orders").app("warehouse");
    for (name, metadata) in prefix::COMPONENTS.iter().map(prefix::component) {
        mesh = mesh.postgres_component(&format!("postgres-{name}"), metadata.clone());
        mesh = mesh.etcd_component(&format!("etcd-{name}"), "v2", metadata, port);
    }
    mesh.etcd_component("etcd-v1", "v1", json!({"keyPrefixPath": "my/path"}), port).start()
});

/// Runs a test on each store, with one worker and with four.
fn on_each_store(test: impl Fn(&Store<'_>)) {
    MESHES.each(|mesh| STORES.iter().for_each(|name| test(&Store { mesh, name })));
    FULL.each(|mesh| ["postgres", "etcd"].iter().for_each(|name| test(&Store { mesh, name })));
}

/// Runs a test on PostgreSQL, with one worker and with four.
fn on_postgres(test: impl Fn(&Store<'_>)) {
    FULL.each(|mesh| test(&Store { mesh, name: "postgres" }));
}

/// Runs a test on etcd, with one worker and with four.
fn on_etcd(test: impl Fn(&Store<'_>)) {
    FULL.each(|mesh| test(&Store { mesh, name: "etcd" }));
}

/// Runs a test on Redis, with one worker and with four.
fn on_redis(test: impl Fn(&Store<'_>)) {
    MESHES.each(|mesh| test(&Store { mesh, name: "statestore" }));
}

/// Runs a test on the store in memory, with one worker and with four.
fn in_memory(test: impl Fn(&Store<'_>)) {
    MESHES.each(|mesh| test(&Store { mesh, name: "memory" }));
}

/// One store of a mesh, as the application `orders` sees it.
struct Store<'a> {
    mesh: &'a Mesh,
    name: &'a str,
}

impl Store<'_> {
    fn app(&self) -> &MeshApp {
        self.mesh.app("orders")
    }

    /// The path of a key, or with a query behind it.
    fn path(&self, key: &str) -> String {
        format!("/v1.0/state/{}/{key}", self.name)
    }

    fn get(&self, key: &str) -> Answer {
        self.app().get(&self.path(key)).send()
    }

    /// A request that stores items.
    fn saving(&self, items: &Value) -> Call {
        self.app().post(&format!("/v1.0/state/{}", self.name)).json(items)
    }

    fn save(&self, items: &Value) -> Answer {
        self.saving(items).send()
    }

    /// Stores one value, which has to work.
    fn put(&self, key: &str, value: &Value) {
        dapr::no_content(&self.save(&json!([{"key": key, "value": value}])));
    }

    fn delete(&self, key: &str) -> Answer {
        self.app().delete(&self.path(key)).send()
    }

    fn delete_if(&self, key: &str, etag: &str) -> Answer {
        self.app().delete(&self.path(key)).header("if-match", etag).send()
    }

    fn bulk(&self, body: &Value) -> Answer {
        self.app().post(&self.path("bulk")).json(body).send()
    }

    fn transact(&self, operations: &Value) -> Answer {
        self.app().post(&self.path("transaction")).json(&json!({"operations": operations})).send()
    }

    /// The value of a key; `None` for none.
    fn value(&self, key: &str) -> Option<String> {
        let answer = self.get(key);
        match answer.status {
            204 => None,
            _ => Some(answer.expect(200).text()),
        }
    }

    /// The etag of a key that has a value.
    fn etag(&self, key: &str) -> String {
        self.get(key).expect(200).header("etag").expect("an etag").to_owned()
    }

    /// An etag that no value of this store ever has.
    fn strange_etag(&self) -> &'static str {
        match self.name {
            "statestore" => "1000000",
            "etcd" => "9000000000000000000",
            _ => "00000000-0000-4000-8000-000000000000",
        }
    }
}
