//! The stock JavaScript SDK.

use crate::paths;
use crate::process::{Outcome, command, on_path, run, say};
use std::fs;
use std::path::PathBuf;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "shop.js"];

/// The test program for the JavaScript SDK with its packages, as the lock file beside it names them; `None` if there
/// is no Node. The packages are fetched once, and again when the lock file changes.
///
/// # Errors
/// A package that npm cannot fetch.
pub fn javascript() -> Outcome<Option<PathBuf>> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        return Ok(None);
    }
    let source = paths::root().join("integration/tests/sdk/javascript");
    let folder = paths::tools().join("sdk-javascript");
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(text)?;
    let lock = fs::read(source.join("package-lock.json")).map_err(text)?;
    // npm writes this file last, so it stands for a whole installation of the lock file that lies beside it.
    let installed = folder.join("node_modules/.package-lock.json").is_file();
    let same = fs::read(folder.join("package-lock.json")).is_ok_and(|old| old == lock);
    for file in FILES {
        fs::copy(source.join(file), folder.join(file)).map_err(text)?;
    }
    if !(installed && same) {
        say("fetching the packages of the JavaScript SDK (40 MB unpacked)");
        let mut npm = command("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]);
        run(npm.current_dir(&folder).stdout(std::io::stderr()))?;
    }
    Ok(Some(folder))
}
