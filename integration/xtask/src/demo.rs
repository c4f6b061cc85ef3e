//! `cargo xtask demo`.

use crate::process::{self, Outcome, cargo, command, say};
use crate::{paths, tools, wasm};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

/// Flags of the demo.
#[derive(clap::Args)]
pub struct Options {
    /// End after the first round, with status 0 only if every step held.
    #[arg(long)]
    once: bool,
    /// Keep state and events in a real Redis.
    #[arg(long)]
    redis: bool,
}

/// Builds what the demo needs and runs it.
///
/// # Errors
/// A step that failed.
pub fn run(options: &Options) -> Outcome {
    wasm::build()?;
    say("building weft and the demo");
    process::run(cargo().args(["build", "--quiet", "--locked", "-p", "weft", "-p", "weft-demo"]))?;
    let mut demo = command(built("weft-demo"));
    demo.env("WEFT_BIN", built("weft"))
        .env("WEFT_WASM", wasm::module("weft.wasm"))
        .env("ENVOY_BIN", tools::envoy(None)?);
    if options.once {
        demo.arg("--once");
    }
    if options.redis {
        demo.arg("--redis").env("REDIS_SERVER_BIN", tools::redis_server()?);
    }
    // In this process's place, so that Ctrl-C and the end are the demo's.
    Err(format!("the demo cannot be started: {}", demo.exec()))
}

/// A program built by `cargo build`.
pub fn built(name: &str) -> PathBuf {
    paths::target().join("debug").join(name)
}
