//! Format, lints, licences.

use crate::process::{self, Outcome, cargo, on_path, say};
use crate::tools;
use crate::wasm::TARGET;

/// Checks everything.
///
/// # Errors
/// The first check that fails.
pub fn run() -> Outcome {
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    say("clippy on the host");
    process::run(cargo().args(["clippy", "--quiet", "--locked", "--all-targets", "--", "-D", "warnings"]))?;
    say("clippy on the host, routing only");
    process::run(cargo().args([
        "clippy",
        "--quiet",
        "--locked",
        "-p",
        "weft-core",
        "--no-default-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    tools::ensure_target(TARGET)?;
    for (name, features) in crate::wasm::VARIANTS {
        say(&format!("clippy on {TARGET}, {name}"));
        let mut clippy = cargo();
        clippy.args([
            "clippy",
            "--quiet",
            "--locked",
            "-p",
            "weft-filter",
            "-p",
            "weft-noop-filter",
            "--target",
            TARGET,
        ]);
        process::run(clippy.args(*features).args(["--", "-D", "warnings"]))?;
    }
    if on_path("cargo-deny").is_none() {
        say("cargo-deny is not installed: licences and sources of dependencies are not checked");
        return Ok(());
    }
    say("cargo-deny");
    // Advisories need a database from the network, and so are no part of a check that must also work without it.
    process::run(cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}
