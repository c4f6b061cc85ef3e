//! `weft`: runs Dapr applications on Envoy, and writes Envoy's configuration for them.
#![forbid(unsafe_code)]

mod cli;
mod launch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
