//! `cargo xtask bench`: what Weft costs, as ratios within one run.
#![allow(clippy::indexing_slicing, reason = "JSON values give null for what is not there")]

mod cpu;
mod deliver;
mod load;
mod measure;
mod memory;
mod report;
mod rig;
mod sink;

use clap::Parser;
use measure::Cost;
use report::{Report, Target};
use rig::{Filter, Rig, Work};
use std::process::{Command, ExitCode};
use std::time::Duration;
use weft_tests::redis::Redis;

/// Measures Envoy's CPU per request and throughput without and with Weft.
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
    let app = sink::Sink::start("nothing").map_err(|error| error.to_string())?;
    eprintln!("starting the proxies");
    let rigs = rigs(app.port, redis.port());
    let (time, events) = if options.quick { (1, 6_000) } else { (4, 24_000) };
    let time = Duration::from_secs(time);
    let costs = rigs.iter().map(|rig| (rig.name, Cost::default())).collect();
    let mut report = Report { costs, ..Report::default() };
    report.costs.push((EVENT, Cost::default()));
    runtime.block_on(seed(&rigs))?;
    for repetition in 1..=options.repetitions.max(3) {
        for (rig, (_, cost)) in rigs.iter().zip(&mut report.costs) {
            eprintln!("repetition {repetition}: {}", rig.name);
            runtime.block_on(measure::once(rig, time, cost))?;
        }
        eprintln!("repetition {repetition}: {EVENT}");
        if let Some((_, cost)) = report.costs.last_mut() {
            deliver::once(&redis, events, cost)?;
        }
    }
    drop(rigs);
    eprintln!("memory and start-up");
    report.redis = redis_benchmark(redis.port());
    report.memory = memory::all(app.port, redis.port())?;
    report.modules = memory::modules();
    judge(&mut report);
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
const EVENT: &str = "(g) delivered event";

fn rigs(app: u16, redis: u16) -> Vec<Rig> {
    vec![
        rig::proxies(PLAIN, Filter::None, 1, app),
        rig::proxies(PLAIN_TWICE, Filter::None, 2, app),
        rig::proxies(NOOP, Filter::Noop, 1, app),
        rig::proxies(NOOP_TWICE, Filter::Noop, 2, app),
        rig::proxies(PASS, Filter::Weft, 1, app),
        Rig { name: INVOKE, ..rig::invoke(app) },
        rig::on_redis(GET, Work::Get, app, redis),
        rig::on_redis(SAVE, Work::Save, app, redis),
        rig::on_redis(PUBLISH, Work::Publish, app, redis),
    ]
}

/// Writes the value that the state gets will read.
async fn seed(rigs: &[Rig]) -> Result<(), String> {
    let save = rigs.iter().find(|rig| rig.name == SAVE).ok_or("no rig saves")?;
    let load = load::run(save.port, &save.request, save.wanted, 1, Duration::from_millis(100)).await;
    match load {
        Ok(load) if load.done > 0 && load.failed == 0 => Ok(()),
        other => Err(format!("the first value could not be saved: {other:?}")),
    }
}

fn judge(report: &mut Report) {
    let cpu = |name: &str| report.cost(name).cpu_us;
    let at_most = |name, measured, bound| Target { name, measured, bound, at_least: false };
    let targets = vec![
        at_most("invoke over two no-op filters, CPU", cpu(INVOKE).over(&cpu(NOOP_TWICE)), 1.15),
        at_most("state get over proxying one request, CPU", cpu(GET).over(&cpu(PLAIN)), 0.9),
        Target {
            name: "state gets per second and worker",
            measured: report.cost(GET).per_second,
            bound: 25_000.0,
            at_least: true,
        },
        at_most("publish over proxying one request, CPU", cpu(PUBLISH).over(&cpu(PLAIN)), 1.1),
        at_most("delivered event over proxying one request, CPU", cpu(EVENT).over(&cpu(PLAIN)), 1.0),
    ];
    report.targets = targets;
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
