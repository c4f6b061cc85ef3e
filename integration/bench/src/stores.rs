//! State on each store: kinds of requests, numbers of connections, sizes of values.

use crate::measure::{Cost, Job, once};
use crate::rig::{ORDER, get, post};
use crate::{load, report::Report};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::runtime::Runtime;
use weft_core::config::LogLevel;
use weft_tests::etcd::Etcd;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::postgres::Postgres;
use weft_tests::redis::Redis;

/// A store, as the table names it, and its component's name.
#[derive(Debug, Clone, Copy)]
struct Store {
    label: &'static str,
    component: &'static str,
    mesh: fn(Builder) -> Builder,
}

const STORES: [Store; 4] = [
    Store { label: "memory", component: "memory", mesh: Builder::in_memory },
    Store { label: REDIS, component: "statestore", mesh: |builder| builder.redis(Redis::start()) },
    Store { label: "PostgreSQL", component: "postgres", mesh: |builder| builder.postgres(Postgres::start()) },
    Store { label: "etcd", component: "etcd", mesh: |builder| builder.etcd(Etcd::start(), json!({})) },
];
const REDIS: &str = "Redis";
const CONNECTIONS: usize = 16;
/// Keys of a bulk get.
const BULK: usize = 100;
/// Values of other sizes, with what the table calls them.
const SIZES: [(&str, usize); 3] = [("100 B", 100), ("10 KiB", 10 * 1024), ("1 MiB", 1024 * 1024 - 2)];

/// A kind of request.
struct Row {
    name: String,
    request: Vec<u8>,
    wanted: u16,
    connections: usize,
}

/// Name of the row of a bulk get, and of the single one beside it.
pub fn bulk_and_single() -> (String, String) {
    (name("bulk get of 100", REDIS), name("get", REDIS))
}

/// Name of the row of a get beside a million other keys.
fn among_many() -> String {
    name("get among 1,000,000 keys", REDIS)
}

fn name(what: &str, store: &str) -> String {
    format!("(j) {what}, {store}")
}

impl Store {
    fn rows(self) -> Vec<Row> {
        let (of, path) = (|what: &str| name(what, self.label), format!("/v1.0/state/{}", self.component));
        let row = |name, request, wanted, connections| Row { name, request, wanted, connections };
        let keys: Vec<String> = (0..BULK).map(|number| format!("bench-{number}")).collect();
        let read = |key: &str| get(&format!("{path}/{key}"));
        let write = |key: &str, value: &str| post(&path, &format!(r#"[{{"key":"{key}","value":{value}}}]"#));
        let bulk = post(&format!("{path}/bulk"), &json!({"keys": keys}).to_string());
        let transaction = post(&format!("{path}/transaction"), &steps().to_string());
        let mut rows = vec![
            row(of("get"), read("bench-0"), 200, CONNECTIONS),
            row(of("save"), write("bench-0", ORDER), 204, CONNECTIONS),
            row(of("transaction of 10"), transaction, 204, CONNECTIONS),
            row(of("bulk get of 100"), bulk, 200, CONNECTIONS),
        ];
        for connections in [1, 128] {
            let of = |what: &str| of(&format!("{what}, connections: {connections}"));
            rows.push(row(of("get"), read("bench-0"), 200, connections));
            rows.push(row(of("save"), write("bench-0", ORDER), 204, connections));
        }
        for (label, size) in SIZES {
            rows.push(row(of(&format!("get of {label}")), read(&format!("size-{size}")), 200, CONNECTIONS));
            rows.push(row(of(&format!("save of {label}")), write("written", &text(size)), 204, CONNECTIONS));
        }
        rows
    }

    /// What the rows read.
    fn seeds(self) -> Vec<Vec<u8>> {
        let path = format!("/v1.0/state/{}", self.component);
        let order: Value = serde_json::from_str(ORDER).unwrap_or_default();
        let items: Vec<_> = (0..BULK).map(|at| json!({"key": format!("bench-{at}"), "value": order})).collect();
        let sizes = SIZES.map(|(_, size)| post(&path, &format!(r#"[{{"key":"size-{size}","value":{}}}]"#, text(size))));
        std::iter::once(post(&path, &json!(items).to_string())).chain(sizes).collect()
    }
}

/// A JSON text of that many bytes with its quotes.
fn text(size: usize) -> String {
    format!("\"{}\"", "x".repeat(size.saturating_sub(2)))
}

fn steps() -> Value {
    let order: Value = serde_json::from_str(ORDER).unwrap_or_default();
    let upsert = |at| json!({"operation": "upsert", "request": {"key": format!("bench-{at}"), "value": order}});
    json!({"operations": (0..10).map(upsert).collect::<Vec<_>>()})
}

/// Measures those rows that are wanted; one store after the other, its rows in turns.
///
/// # Errors
/// A request that failed, or a store that cannot be started.
pub fn measure(
    runtime: &Runtime,
    wants: impl Fn(&str) -> bool,
    repetitions: u32,
    time: Duration,
    report: &mut Report,
) -> Result<(), String> {
    let go = Go { runtime, repetitions, time };
    for store in STORES {
        let rows: Vec<Row> = store.rows().into_iter().filter(|row| wants(&row.name)).collect();
        let many = store.label == REDIS && wants(&among_many());
        if rows.is_empty() && !many {
            continue;
        }
        eprintln!("starting {}", store.label);
        let mesh = (store.mesh)(Mesh::builder()).log_level(LogLevel::Warn).app("bench").start();
        let address = mesh.app("bench").http();
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).ok_or("an address without port")?;
        for seed in store.seeds() {
            let load = runtime.block_on(load::run(port, &seed, 204, 1, Duration::from_millis(50)));
            load.ok().filter(|load| load.failed == 0).ok_or_else(|| format!("{} takes no values", store.label))?;
        }
        let mut costs = vec![Cost::default(); rows.len()];
        for repetition in 1..=repetitions {
            for (row, cost) in rows.iter().zip(&mut costs) {
                eprintln!("repetition {repetition}: {}", row.name);
                let Row { name, request, wanted, connections } = row;
                let pids = vec![mesh.envoy.pid()];
                go.once(&Job { name, pids, port, request, wanted: *wanted, connections: *connections }, cost)?;
            }
        }
        report.costs.extend(rows.into_iter().map(|row| row.name).zip(costs));
        if many {
            go.of_redis(&mesh, port, report)?;
        }
    }
    Ok(())
}

/// How rows are measured.
struct Go<'a> {
    runtime: &'a Runtime,
    repetitions: u32,
    time: Duration,
}

impl Go<'_> {
    fn once(&self, job: &Job<'_>, cost: &mut Cost) -> Result<(), String> {
        self.runtime.block_on(once(job, self.time, cost))
    }

    /// With a million keys beside the one that is read, and how many commands Redis gets at once.
    fn of_redis(&self, mesh: &Mesh, port: u16, report: &mut Report) -> Result<(), String> {
        let name = among_many();
        let fill = "for i = 1, 100000 do redis.call('SET', 'other:' .. ARGV[1] .. ':' .. i, ARGV[2]) end";
        for part in 0..10 {
            mesh.redis().client().run::<()>(&["EVAL", fill, "0", &part.to_string(), ORDER]);
        }
        let (pids, request) = (vec![mesh.envoy.pid()], get("/v1.0/state/statestore/bench-0"));
        let job =
            |connections| Job { name: &name, pids: pids.clone(), port, request: &request, wanted: 200, connections };
        let mut cost = Cost::default();
        for repetition in 1..=self.repetitions {
            eprintln!("repetition {repetition}: {name}");
            self.once(&job(CONNECTIONS), &mut cost)?;
        }
        report.costs.push((name.clone(), cost));
        for connections in [1, CONNECTIONS, 128] {
            let before = counts(mesh);
            self.once(&job(connections), &mut Cost::default())?;
            let after = counts(mesh);
            let [commands, reads] = [0, 1].map(|at| (after[at] - before[at]) as f64);
            let name = format!("commands per read of Redis, connections: {connections}");
            report.redis.push((name, commands / reads.max(1.0)));
        }
        Ok(())
    }
}

/// How many commands Redis has done, and how often it has read from a connection.
fn counts(mesh: &Mesh) -> [u64; 2] {
    let info: String = mesh.redis().client().run(&["INFO", "stats"]);
    ["total_commands_processed:", "total_reads_processed:"].map(|name| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    })
}
