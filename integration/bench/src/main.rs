//! `cargo xtask bench`: what Weft costs, as ratios within one run.
#![allow(clippy::indexing_slicing, reason = "JSON values give null for what is not there")]

mod cpu;
mod daprd;
mod deliver;
mod load;
mod measure;
mod memory;
mod report;
mod rig;
mod sink;
mod stores;
mod targets;

use clap::Parser;
use measure::Cost;
use report::Report;
use rig::{Filter, Rig, Shape, Work};
use std::process::{Command, ExitCode};
use std::time::Duration;
use weft_tests::redis::Redis;

/// Measures Envoy's CPU per request and throughput without and with Weft, and daprd's beside it where the environment
/// variable DAPRD_BIN names one.
#[derive(Parser)]
struct Options {
    /// One second and 6,000 events a repetition in place of four and 24,000.
    #[arg(long)]
    quick: bool,
    /// Print the raw figures as JSON.
    #[arg(long)]
    json: bool,
    /// Repetitions, three at least.
    #[arg(long, default_value_t = 5)]
    repetitions: u32,
    /// Measure only the rows whose name holds this text; repeatable. Targets that need other rows are left out.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| row.contains(text))
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let redis = Redis::start();
    let app = sink::Sink::start(None).map_err(|error| error.to_string())?;
    eprintln!("starting the proxies");
    let mut rigs = rigs(options, app.port, redis.port());
    rigs.extend(daprd::rigs(|row| options.wants(row), app.port, redis.port())?);
    let (time, events) = if options.quick { (1, 6_000) } else { (4, 24_000) };
    let time = Duration::from_secs(time);
    let costs = rigs.iter().map(|rig| (rig.name.to_owned(), Cost::default())).collect();
    let mut report = Report { costs, ..Report::default() };
    let events_too = options.wants(EVENT);
    if events_too {
        report.costs.push((EVENT.to_owned(), Cost::default()));
    }
    // All of them read the same value: the layout in Redis is one.
    if let Some(rig) = rigs.iter().find(|rig| [GET, daprd::GET].contains(&rig.name)) {
        runtime.block_on(seed(rig.port))?;
    }
    for repetition in 1..=options.repetitions.max(3) {
        for (rig, (_, cost)) in rigs.iter().zip(&mut report.costs) {
            eprintln!("repetition {repetition}: {}", rig.name);
            runtime.block_on(measure::once(&rig.job(), time, cost))?;
        }
        if let Some((_, cost)) = report.costs.last_mut().filter(|_| events_too) {
            eprintln!("repetition {repetition}: {EVENT}");
            deliver::once(&redis, events, cost)?;
        }
    }
    drop(rigs);
    // They are many.
    let time = time.min(Duration::from_secs(1));
    stores::measure(&runtime, |row| options.wants(row), options.repetitions.max(3), time, &mut report)?;
    if options.only.is_empty() {
        eprintln!("Redis by itself");
        report.redis = redis_benchmark(redis.port());
        eprintln!("memory and start-up");
        report.memory = memory::all(options.repetitions.max(3), app.port, redis.port())?;
        report.modules = memory::modules();
    }
    report.targets = targets::judge(&report);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    } else {
        report.print();
    }
    Ok(())
}

const PLAIN: &str = "(a) plain Envoy";
const PLAIN_TWICE: &str = "(a) plain Envoy, two";
const NOOP: &str = "(b) no-op filter";
const NOOP_TWICE: &str = "(b) no-op filter, two";
const PASS: &str = "(c) Weft passing through";
const INVOKE: &str = "(d) invoke, caller and callee";
const GET: &str = "(e) state get, Redis";
const SAVE: &str = "(e) state save, Redis";
const PUBLISH: &str = "(f) publish, Redis Streams";
/// Two plain Envoys and an invocation through two with Weft, each time one thing larger than in the rows above.
const LARGER: [(&str, &str, &str, Shape); 4] = [
    ("4 workers", "(h) plain, two, 4 workers", "(h) invoke, 4 workers", Shape { workers: 4, ..ONE }),
    ("1,000 applications configured", PLAIN_TWICE, "(h) invoke, 1,000 applications", Shape { apps: 1_000, ..ONE }),
    ("bodies of 64 KiB", "(h) plain, two, 64 KiB", "(h) invoke, 64 KiB", Shape { body: 64 * 1024, ..ONE }),
    ("bodies of 1 MiB", "(h) plain, two, 1 MiB", "(h) invoke, 1 MiB", Shape { body: 1024 * 1024, ..ONE }),
];
const ONE: Shape = Shape { workers: 1, apps: 1, body: 0 };
const NOOP_WORKERS: &str = "(h) no-op, two, 4 workers";
const EVENT: &str = "(g) delivered event";

/// A row's name and how its chain is started on the ports of an application and of Redis.
type Row = (&'static str, fn(&'static str, u16, u16) -> Rig);

const ROWS: [Row; 10] = [
    (PLAIN, |name, app, _| rig::proxies(name, Filter::None, 1, ONE, app)),
    (PLAIN_TWICE, |name, app, _| rig::proxies(name, Filter::None, 2, ONE, app)),
    (NOOP, |name, app, _| rig::proxies(name, Filter::Noop, 1, ONE, app)),
    (NOOP_TWICE, |name, app, _| rig::proxies(name, Filter::Noop, 2, ONE, app)),
    (PASS, |name, app, _| rig::proxies(name, Filter::Weft, 1, ONE, app)),
    (INVOKE, |name, app, _| rig::invoke(name, ONE, app)),
    (GET, |name, app, redis| rig::on_redis(name, Work::Get, app, redis)),
    (SAVE, |name, app, redis| rig::on_redis(name, Work::Save, app, redis)),
    (PUBLISH, |name, app, redis| rig::on_redis(name, Work::Publish, app, redis)),
    (NOOP_WORKERS, |name, app, _| rig::proxies(name, Filter::Noop, 2, Shape { workers: 4, ..ONE }, app)),
];

fn rigs(options: &Options, app: u16, redis: u16) -> Vec<Rig> {
    let wanted = ROWS.iter().filter(|(name, _)| options.wants(name));
    let mut rigs: Vec<Rig> = wanted.map(|(name, start)| start(name, app, redis)).collect();
    for (_, plain, invoke, shape) in LARGER {
        if plain != PLAIN_TWICE && options.wants(plain) {
            rigs.push(rig::proxies(plain, Filter::None, 2, shape, app));
        }
        if options.wants(invoke) {
            rigs.push(rig::invoke(invoke, shape, app));
        }
    }
    rigs
}

/// Writes the value that the state gets will read.
async fn seed(port: u16) -> Result<(), String> {
    let load = load::run(port, &rig::save(), 204, 1, Duration::from_millis(100)).await;
    match load {
        Ok(load) if load.done > 0 && load.failed == 0 => Ok(()),
        other => Err(format!("the first value could not be saved: {other:?}")),
    }
}

/// Redis by itself, for comparison; nothing if the program is not installed.
fn redis_benchmark(port: u16) -> Vec<(String, f64)> {
    let output = Command::new("redis-benchmark")
        .args(["-p", &port.to_string(), "-t", "get,set", "-c", "16", "-n", "200000", "--csv"])
        .output();
    let Ok(output) = output else {
        eprintln!("redis-benchmark is not installed: Redis's own rate is left out");
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| {
        let mut cells = line.split(',').map(|cell| cell.trim_matches('"'));
        Some((format!("redis-benchmark {}", cells.next()?), cells.next()?.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}
