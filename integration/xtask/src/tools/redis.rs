//! redis-server.

use crate::process::{Outcome, on_path};
use std::path::PathBuf;

/// Finds redis-server: `$REDIS_SERVER_BIN`, `PATH`, else Debian's package where apt can install it.
///
/// # Errors
/// It is not there and cannot be installed; the text says what to do.
pub fn redis_server() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("REDIS_SERVER_BIN") {
        return Ok(PathBuf::from(path));
    }
    if let Some(path) = on_path("redis-server") {
        return Ok(path);
    }
    let advice = "redis-server is missing: install it (Debian: apt-get install redis-server) or set REDIS_SERVER_BIN";
    super::apt(&["redis-server", "redis-tools"]).map_err(|why| format!("{advice} ({why})"))?;
    on_path("redis-server").ok_or_else(|| advice.to_owned())
}
