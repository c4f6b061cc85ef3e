//! The programs that building and testing need, found or fetched.

pub mod envoy;
mod redis;
mod sdk;
mod target;

pub use self::envoy::envoy;
pub use redis::redis_server;
pub use sdk::{go as sdk_go, javascript as sdk_javascript, python as sdk_python};
pub use target::ensure as ensure_target;

use crate::paths;
use crate::process::{Outcome, say};

/// Removes everything that was fetched.
///
/// # Errors
/// A file that cannot be removed.
pub fn clean() -> Outcome {
    let folder = paths::tools();
    if !folder.exists() {
        say("nothing was fetched");
        return Ok(());
    }
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    say("removed the fetched tools");
    Ok(())
}
