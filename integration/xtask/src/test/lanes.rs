//! What each lane does.

use super::Lane;
use super::totals::Totals;
use crate::demo::built;
use crate::process::{self, Outcome, cargo, command, on_path, say};
use crate::{lint, paths, tools, wasm};
use std::path::{Path, PathBuf};
use std::process::Command;

pub type Counted = Result<Totals, (Totals, String)>;

/// Runs one lane.
///
/// # Errors
/// What was counted until then, and why it failed.
pub fn run(lane: Lane, envoy: Option<&str>) -> Counted {
    match lane {
        Lane::Lint => lint::run().map(|()| Totals { passed: 1, ..Totals::default() }).map_err(uncounted),
        Lane::Unit => test(cargo().args(["test", "--locked", "-p", "weft-core", "-p", "weft", "-p", "xtask"])),
        Lane::Wasm => in_node(),
        Lane::Envoy => in_envoy(envoy),
        Lane::Sdk => sdk(envoy),
    }
}

/// Tests that can go on for longer: each of them for that many seconds, one after the other.
///
/// # Errors
/// What was counted until then, and why it failed.
pub fn soak(envoy: Option<&str>, seconds: u64) -> Counted {
    let mut tests = envoy_tests(envoy, &["--test", "faults", "--test", "pubsub"], 1).map_err(uncounted)?;
    tests.args(SOAKED).env("WEFT_SOAK_SECONDS", seconds.to_string());
    test(&mut tests)
}

/// Modules of tests that can go on for longer.
const SOAKED: [&str; 3] = ["linear::", "memory::", "never_lost::"];

fn uncounted(why: String) -> (Totals, String) {
    (Totals::default(), why)
}

fn test(command: &mut Command) -> Counted {
    let (text, ok) = process::stream(command).map_err(uncounted)?;
    let totals = Totals::read(&text);
    if ok { Ok(totals) } else { Err((totals, "a test failed".to_owned())) }
}

/// The core's own tests, unchanged, on the target that is shipped: 32-bit sizes, the same allocator and code.
fn in_node() -> Counted {
    let Some(node) = on_path("node") else {
        say("there is no node on PATH: the core is not tested on 32-bit WebAssembly");
        return Ok(Totals { skipped: 1, ..Totals::default() });
    };
    tools::ensure_target(wasm::TARGET).map_err(uncounted)?;
    let mut tests = cargo();
    tests
        .args(["test", "--locked", "-p", "weft-core", "--lib", "--target", wasm::TARGET])
        .args(["--config", &runner(&node), "--target-dir"])
        .arg(paths::target().join("node"));
    test(&mut tests)
}

/// Cargo's setting for the program that runs a test binary; as an array, since it would split one text at blanks.
fn runner(node: &Path) -> String {
    let script = paths::root().join("integration/xtask/src/test/wasi.mjs");
    format!("target.{}.runner=[{:?}, {:?}]", wasm::TARGET, node.display().to_string(), script.display().to_string())
}

fn in_envoy(version: Option<&str>) -> Counted {
    let mut tests = envoy_tests(version, &[], AT_ONCE).map_err(uncounted)?;
    test(&mut tests)
}

/// Each test has processes of its own; more than a few at a time starve each other on two cores.
const AT_ONCE: u32 = 4;

/// The test binary of the SDK lane: one module per language, left out aloud where the language is missing.
fn sdk(version: Option<&str>) -> Counted {
    let languages = [
        ("javascript", "node with npm", tools::sdk_javascript as fn() -> Outcome<Option<PathBuf>>),
        ("python", "python3 with pip", tools::sdk_python),
        ("go", "go", tools::sdk_go),
    ];
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    for (language, needed, fetch) in languages {
        match fetch().map_err(uncounted)? {
            Some(path) => found.push((format!("WEFT_SDK_{}", language.to_uppercase()), path)),
            None => {
                say(&format!("there is no {needed} on PATH: the tests of sdk/{language}.rs are left out"));
                left_out.push(format!("{language}::"));
            }
        }
    }
    let skipped = Totals { skipped: left_out.len() as u64, ..Totals::default() };
    if found.is_empty() {
        return Ok(skipped);
    }
    let mut tests = envoy_tests(version, &["--test", "sdk"], AT_ONCE).map_err(uncounted)?;
    tests.args(left_out.iter().flat_map(|tests| ["--skip", tests])).envs(found);
    test(&mut tests).map(|totals| totals.plus(skipped))
}

fn envoy_tests(version: Option<&str>, which: &[&str], at_once: u32) -> Outcome<Command> {
    let envoy = tools::envoy(version)?;
    wasm::build()?;
    wasm::check_imports()?;
    process::run(cargo().args(["build", "--quiet", "--locked", "-p", "weft", "-p", "weft-demo"]))?;
    say(process::output(command(&envoy).arg("--version"))?.trim());
    let mut tests = cargo();
    tests.args(["test", "--locked", "-p", "weft-tests"]);
    if which.is_empty() {
        tests.args(binaries()?.iter().flat_map(|name| ["--test".to_owned(), name.clone()])).arg("--lib");
    } else {
        tests.args(which);
    }
    tests
        .env("ENVOY_BIN", envoy)
        .env("REDIS_SERVER_BIN", tools::redis_server()?)
        .env("POSTGRES_BIN", tools::postgres()?)
        .env("ETCD_BIN", tools::etcd()?)
        .env("WEFT_BIN", built("weft"))
        .env("WEFT_DEMO_BIN", built("weft-demo"))
        .env("WEFT_WASM", wasm::module("weft.wasm"))
        .env("WEFT_ROUTE_WASM", wasm::module("weft-route.wasm"))
        .env("WEFT_FULL_WASM", wasm::module("weft-full.wasm"));
    tests.args(["--", "--test-threads", &at_once.to_string()]);
    Ok(tests)
}

/// Every test binary but the one of the SDK lane.
fn binaries() -> Outcome<Vec<String>> {
    let folder = paths::root().join("integration/tests/tests");
    let files = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = files
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|end| end == "rs"))
        .filter_map(|file| Some(file.path().file_stem()?.to_string_lossy().into_owned()))
        .filter(|name| name != "sdk")
        .collect();
    names.sort();
    Ok(names)
}
