//! `cargo xtask bench`.

use crate::process::{self, Outcome, cargo, command, say};
use crate::{paths, tools, wasm};

/// Flags of the benchmark.
#[derive(clap::Args)]
pub struct Options {
    /// Shorter repetitions.
    #[arg(long)]
    quick: bool,
    /// Print the raw figures as JSON.
    #[arg(long)]
    json: bool,
    /// Repetitions, three at least; five unless set.
    #[arg(long)]
    repetitions: Option<u32>,
    /// Measure only the rows whose name holds this text; repeatable.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
}

/// Builds everything for release and measures.
///
/// # Errors
/// A step that failed, or a request that did.
pub fn run(options: &Options) -> Outcome {
    wasm::build()?;
    say("building the benchmark");
    process::run(cargo().args(["build", "--quiet", "--locked", "--release", "-p", "weft-bench"]))?;
    let mut bench = command(paths::target().join("release/weft-bench"));
    bench
        .env("WEFT_WASM", wasm::module("weft.wasm"))
        .env("WEFT_ROUTE_WASM", wasm::module("weft-route.wasm"))
        .env("WEFT_FULL_WASM", wasm::module("weft-full.wasm"))
        .env("WEFT_NOOP_WASM", wasm::module("noop.wasm"))
        .env("ENVOY_BIN", tools::envoy(None)?)
        .env("REDIS_SERVER_BIN", tools::redis_server()?)
        .env("POSTGRES_BIN", tools::postgres()?)
        .env("ETCD_BIN", tools::etcd()?);
    if options.quick {
        bench.arg("--quick");
    }
    if options.json {
        bench.arg("--json");
    }
    if let Some(repetitions) = options.repetitions {
        bench.args(["--repetitions", &repetitions.to_string()]);
    }
    bench.args(options.only.iter().flat_map(|text| ["--only", text]));
    process::run(&mut bench)
}
