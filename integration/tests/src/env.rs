//! Where the programs and modules are that the tests run.

use std::path::{Path, PathBuf};

/// The Envoy binary: `$ENVOY_BIN`, else `envoy` on `PATH`.
#[must_use]
pub fn envoy() -> PathBuf {
    program("ENVOY_BIN", "envoy")
}

/// The Redis server: `$REDIS_SERVER_BIN`, else `redis-server` on `PATH`.
#[must_use]
pub fn redis_server() -> PathBuf {
    program("REDIS_SERVER_BIN", "redis-server")
}

/// PostgreSQL's server: `$POSTGRES_BIN`, else `postgres` on `PATH`. Its other programs lie beside it.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn postgres() -> PathBuf {
    let file = program("POSTGRES_BIN", "postgres");
    file.canonicalize().expect("the program is there")
}

/// etcd's server: `$ETCD_BIN`, else `etcd` on `PATH`.
#[must_use]
pub fn etcd() -> PathBuf {
    program("ETCD_BIN", "etcd")
}

/// The whole module: `$WEFT_WASM`, else `target/weft/weft.wasm`.
#[must_use]
pub fn module() -> PathBuf {
    built("WEFT_WASM", "target/weft/weft.wasm")
}

/// The module that only routes: `$WEFT_ROUTE_WASM`, else `target/weft/weft-route.wasm`.
#[must_use]
pub fn route_module() -> PathBuf {
    built("WEFT_ROUTE_WASM", "target/weft/weft-route.wasm")
}

/// The module with every component: `$WEFT_FULL_WASM`, else `target/weft/weft-full.wasm`.
#[must_use]
pub fn full_module() -> PathBuf {
    built("WEFT_FULL_WASM", "target/weft/weft-full.wasm")
}

/// The CLI: `$WEFT_BIN`, else `target/debug/weft`.
#[must_use]
pub fn weft() -> PathBuf {
    built("WEFT_BIN", "target/debug/weft")
}

/// The demo: `$WEFT_DEMO_BIN`, else `target/debug/weft-demo`.
#[must_use]
pub fn demo() -> PathBuf {
    built("WEFT_DEMO_BIN", "target/debug/weft-demo")
}

/// The workspace's folder.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders deep").to_path_buf()
}

/// A program on `PATH`, if there is one.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn program(variable: &str, name: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(given) => existing(variable, PathBuf::from(given)),
        None => on_path(name).unwrap_or_else(|| {
            panic!("there is no `{name}` on PATH and ${variable} is not set: run the tests with `cargo xtask test`")
        }),
    }
}

fn built(variable: &str, beside: &str) -> PathBuf {
    let file = std::env::var_os(variable).map_or_else(|| workspace().join(beside), PathBuf::from);
    existing(variable, file)
}

fn existing(variable: &str, file: PathBuf) -> PathBuf {
    assert!(file.is_file(), "there is no file {} (${variable}): run the tests with `cargo xtask test`", file.display());
    file
}
