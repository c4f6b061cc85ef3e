//! Where things are in the repository.

use std::path::PathBuf;

/// The repository's folder.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).unwrap_or(here)
}

/// Cargo's output folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// Cargo's own folder, with the sources of what we depend on.
pub fn cargo_home() -> Option<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// Where fetched tools go.
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// Where the built modules go.
pub fn modules() -> PathBuf {
    target().join("weft")
}
