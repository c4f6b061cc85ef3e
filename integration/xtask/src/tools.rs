//! The programs that building and testing need, found or fetched.

pub mod envoy;
mod etcd;
mod postgres;
mod redis;
mod sdk;
mod target;

pub use self::envoy::envoy;
pub use etcd::etcd;
pub use postgres::postgres;
pub use redis::redis_server;
pub use sdk::{go as sdk_go, javascript as sdk_javascript, python as sdk_python};
pub use target::ensure as ensure_target;

use crate::paths;
use crate::process::{Outcome, command, on_path, run, say};

/// Installs Debian's packages.
///
/// # Errors
/// There is no apt, or it cannot.
fn apt(packages: &[&str]) -> Outcome {
    if on_path("apt-get").is_none() {
        return Err("there is no apt-get".to_owned());
    }
    say(&format!("installing Debian's packages {}", packages.join(", ")));
    let apt = |words: &[&str]| {
        let mut apt = command("apt-get");
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
        run(&mut apt)
    };
    apt(&["update", "-q"])?;
    apt(&[&["install", "-qy", "--no-install-recommends"], packages].concat())
}

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
