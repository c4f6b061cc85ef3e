//! The command line.

mod args;
mod prepare;
mod render;
mod run;

use crate::launch::guard;
use args::{Verb, Weft};
use std::process::ExitCode;

/// What a verb gives: the status to exit with, or why it failed.
type Outcome = Result<u8, String>;

/// Runs what the command line says.
pub fn main() -> ExitCode {
    match args::parse().and_then(|weft| act(&weft)) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("weft: {why}");
            ExitCode::FAILURE
        }
    }
}

fn act(weft: &Weft) -> Outcome {
    match &weft.verb {
        Verb::Run(options) => run::run(options),
        Verb::Render(options) => render::run(options),
        Verb::Guard { folder } => {
            guard::run(folder);
            Ok(0)
        }
    }
}
