//! The program that runs WebAssembly tests in Node.

use crate::paths;
use crate::process::{Outcome, cargo, run, say};
use std::path::PathBuf;

/// wasm-bindgen's test runner, of the same version as the crate in `Cargo.lock`; built on first use.
///
/// # Errors
/// The crate is not in `Cargo.lock`, or the runner cannot be built.
pub fn runner() -> Outcome<PathBuf> {
    let version = locked("wasm-bindgen")?;
    let folder = paths::tools().join(format!("wasm-bindgen-{version}"));
    let binary = folder.join("bin/wasm-bindgen-test-runner");
    if !binary.is_file() {
        say(&format!("building wasm-bindgen's test runner {version}, once"));
        let mut install = cargo();
        install.args(["install", "--quiet", "--locked", "wasm-bindgen-cli", "--debug", "--version", &version]);
        run(install.arg("--root").arg(&folder).arg("--target-dir").arg(paths::tools().join("build")))?;
    }
    Ok(binary)
}

fn locked(package: &str) -> Outcome<String> {
    let lock =
        std::fs::read_to_string(paths::root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    version_in(&lock, package).ok_or_else(|| format!("{package} is not in Cargo.lock"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_of_a_package_is_found() {
        let lock =
            "[[package]]\nname = \"a-b\"\nversion = \"9.9.9\"\n\n[[package]]\nname = \"b\"\nversion = \"1.2.3\"\n";
        assert_eq!(version_in(lock, "b").as_deref(), Some("1.2.3"));
        assert_eq!(version_in(lock, "c"), None);
    }
}
