//! `cargo xtask wasm`: the modules, their size and what they cost a proxy.

mod footprint;
pub mod link;
mod module;

use crate::process::{self, Outcome, cargo, say};
use crate::{paths, tools};
use module::Module;
use std::fs;
use std::path::PathBuf;
use weft_limits::Limits;

/// The target that Envoy runs.
pub const TARGET: &str = "wasm32-wasip1";

/// File names of the modules and the cargo flags that make them.
pub const VARIANTS: &[(&str, &[&str])] =
    &[("weft-route.wasm", &[ROUTING_ONLY]), ("weft.wasm", &[]), ("weft-full.wasm", &["--features", "full"])];

/// The flag of a module without blocks, flows and links.
const ROUTING_ONLY: &str = "--no-default-features";

/// Largest function, in bytes of code: V8 takes far more memory for large ones.
const LARGEST_FUNCTION: usize = 10 * 1024;

/// Flags of the size check.
#[derive(clap::Args)]
pub struct Options {
    /// Build and check sizes and imports, but do not start Envoy.
    #[arg(long)]
    build_only: bool,
}

/// Where a built module is.
pub fn module(name: &str) -> PathBuf {
    paths::modules().join(name)
}

/// Builds the modules and the no-op filter into `target/weft`, without their names.
///
/// # Errors
/// A build that failed.
pub fn build() -> Outcome {
    tools::ensure_target(TARGET)?;
    fs::create_dir_all(paths::modules()).map_err(|error| error.to_string())?;
    for (name, features) in VARIANTS {
        say(&format!("building {name}"));
        build_one("weft-filter", features, name)?;
    }
    build_one("weft-noop-filter", &[], "noop.wasm")
}

/// A folder of its own keeps these builds from waiting for those of the host.
fn build_one(package: &str, features: &[&str], name: &str) -> Outcome {
    let folder = paths::target().join("wasm");
    let mut build = cargo();
    build.args(["build", "--quiet", "--locked", "-p", package, "--target", TARGET, "--profile", "release-wasm"]);
    // The no-op filter is what others would build: with every callback.
    let mut flags = flags();
    if package == "weft-filter" {
        flags.extend(link::flags(!features.contains(&ROUTING_ONLY))?);
    }
    build.args(features).arg("--target-dir").arg(&folder).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    process::run(&mut build)?;
    let file = package.replace('-', "_") + ".wasm";
    let built = folder.join(TARGET).join("release-wasm").join(file);
    let text = |error: std::io::Error| format!("{}: {error}", built.display());
    let bytes = fs::read(&built).map_err(text)?;
    fs::write(module(name).with_extension("named.wasm"), &bytes).map_err(text)?;
    fs::write(module(name), module::without_names(&bytes)?).map_err(text)
}

/// The compiler's flags. LLVM would put whatever is called once into its caller, whole chains of futures into one
/// function, and V8 takes far more memory for one large function than for ten small ones; what needs much stack is
/// large. Where size matters most it inlines next to nothing; a threshold of 30 instead of 5 costs 2 % of size, no memory,
/// and saves 4 % of the CPU of an event. Panic messages name source files, which must not depend on where the sources lie.
fn flags() -> Vec<String> {
    let mut flags = vec!["-Cllvm-args=-inline-max-stacksize=128 -inline-threshold=30".to_owned()];
    // Only a login hashes: one small loop will do, in place of eight KiB without any.
    flags.push("--cfg=sha2_backend_soft=\"compact\"".to_owned());
    let places = [(paths::cargo_home(), "cargo"), (Some(paths::root()), "weft")];
    for (place, name) in places {
        flags.extend(place.map(|place| format!("--remap-path-prefix={}={name}", place.display())));
    }
    flags
}

/// Builds, measures, and holds the result against the limits.
///
/// # Errors
/// A limit that is not kept, or an import that Envoy does not have.
pub fn run(options: &Options) -> Outcome {
    build()?;
    let mut broken = Vec::new();
    for limits in weft_limits::ALL {
        check(limits, &mut broken)?;
    }
    if !options.build_only {
        footprint::check(&mut broken)?;
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n       ")) }
}

/// Checks size, functions and imports of one module.
fn check(limits: Limits, broken: &mut Vec<String>) -> Outcome {
    let (name, limit) = (limits.module, limits.size_kib);
    let size = fs::metadata(module(name)).map_err(|error| error.to_string())?.len();
    let bytes = fs::read(module(name).with_extension("named.wasm")).map_err(|error| error.to_string())?;
    let parsed = Module::parse(&bytes)?;
    println!("{name}: {:.1} KiB of {limit} KiB", size as f64 / 1024.0);
    if size > u64::from(limit) * 1024 {
        broken.push(format!("{name} is {size} bytes, more than {limit} KiB"));
    }
    for function in parsed.functions.iter().take(10) {
        println!("  {:>7}  {}", function.size, function.name);
    }
    let too_large = parsed.functions.iter().filter(|function| function.size > LARGEST_FUNCTION);
    broken.extend(
        too_large.map(|it| format!("{name}: function {} is {} bytes, more than {LARGEST_FUNCTION}", it.name, it.size)),
    );
    println!("  imports: {}", parsed.imports.join(" "));
    for place in paths::cargo_home().into_iter().chain([paths::root()]) {
        let place = place.display().to_string();
        if bytes.windows(place.len()).any(|part| part == place.as_bytes()) {
            broken.push(format!("{name} names the path {place} of this machine"));
        }
    }
    let unknown = parsed.imports.iter().filter(|import| !module::is_known(import));
    broken.extend(unknown.map(|import| format!("{name} imports {import}, which Envoy does not have")));
    Ok(())
}

/// Checks the imports of the built modules only.
///
/// # Errors
/// An import that Envoy does not have.
pub fn check_imports() -> Outcome {
    let mut broken = Vec::new();
    for (name, _) in VARIANTS {
        let bytes = fs::read(module(name)).map_err(|error| error.to_string())?;
        let imports = Module::parse(&bytes)?.imports;
        broken.extend(
            imports
                .iter()
                .filter(|it| !module::is_known(it))
                .map(|it| format!("{name} imports {it}, which Envoy does not have")),
        );
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n       ")) }
}
