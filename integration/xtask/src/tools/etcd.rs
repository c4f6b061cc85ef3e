//! etcd's server.

use crate::process::{Outcome, on_path};
use std::path::PathBuf;

/// Finds etcd: `$ETCD_BIN`, `PATH`, else Debian's package where apt can install it.
///
/// # Errors
/// It is not there and cannot be installed; the text says what to do.
pub fn etcd() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("ETCD_BIN") {
        return Ok(PathBuf::from(path));
    }
    if let Some(path) = on_path("etcd") {
        return Ok(path);
    }
    let advice = "etcd is missing: install it (Debian: apt-get install etcd-server) or set ETCD_BIN";
    super::apt(&["etcd-server"]).map_err(|why| format!("{advice} ({why})"))?;
    on_path("etcd").ok_or_else(|| advice.to_owned())
}
