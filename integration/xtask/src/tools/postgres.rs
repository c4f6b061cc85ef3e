//! PostgreSQL's server.

use crate::process::{Outcome, on_path};
use std::path::PathBuf;

/// Finds postgres: `$POSTGRES_BIN`, `PATH`, where Debian puts it, else Debian's package where apt can install it.
///
/// # Errors
/// It is not there and cannot be installed; the text says what to do.
pub fn postgres() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("POSTGRES_BIN") {
        return Ok(PathBuf::from(path));
    }
    if let Some(path) = on_path("postgres").or_else(of_debian) {
        return Ok(path);
    }
    let advice = "postgres is missing: install it (Debian: apt-get install postgresql) or set POSTGRES_BIN";
    super::apt(&["postgresql"]).map_err(|why| format!("{advice} ({why})"))?;
    of_debian().ok_or_else(|| advice.to_owned())
}

/// Debian keeps the programs of each version in a folder of its own. The newest one.
fn of_debian() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = folders.flatten().map(|folder| folder.path()).max_by_key(version)?;
    Some(newest.join("bin/postgres")).filter(|file| file.is_file())
}
