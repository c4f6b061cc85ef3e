//! `cargo xtask demo`.

use crate::process::{self, Outcome, cargo, command};
use crate::{paths, tools, wasm};
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
    process::run(&mut demo)
}

/// A program built by `cargo build`.
pub fn built(name: &str) -> PathBuf {
    paths::target().join("debug").join(name)
}
