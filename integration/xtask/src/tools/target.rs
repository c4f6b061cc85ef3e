//! Rust's wasm targets.

use crate::process::{Outcome, command, on_path, output, run, say};
use std::path::Path;

/// Makes sure that the standard library of a target is there.
///
/// # Errors
/// It is not there and rustup cannot add it.
pub fn ensure(target: &str) -> Outcome {
    let sysroot = output(command("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        return Err(format!("Rust's target {target} is missing and there is no rustup; install the target"));
    }
    say(&format!("adding Rust's target {target}"));
    run(command("rustup").args(["target", "add", target]))
}
