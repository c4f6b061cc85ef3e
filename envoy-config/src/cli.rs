//! The command line.

mod args;
mod run;

use crate::launch::guard;
use args::{Verb, Weft};
use std::process::ExitCode;

/// What a verb gives: the status to exit with, or why it failed.
type Outcome = Result<u8, String>;

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let outcome = match args::parse() {
        Weft { verb: Verb::Run(options) } => run::run(&options),
        Weft { verb: Verb::Guard { folder } } => {
            guard::run(&folder);
            Ok(0)
        }
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("weft: {why}");
            ExitCode::FAILURE
        }
    }
}
