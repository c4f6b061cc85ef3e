//! The stock SDKs, each with its test program.

use crate::paths;
use crate::process::{Outcome, command, on_path, output, run, say};
use std::fs;
use std::path::{Path, PathBuf};

const JAVASCRIPT: [&str; 3] = ["package.json", "package-lock.json", "shop.js"];

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
    for file in JAVASCRIPT {
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

/// The test program for the Python SDK with its packages in `packages`, as its list of them says; `None` if there is no
/// Python with pip. The packages are fetched once, and again when the list changes.
///
/// # Errors
/// A package that pip cannot fetch, or that is not the listed one.
pub fn python() -> Outcome<Option<PathBuf>> {
    let Some(python) = on_path("python3").filter(|python| has_pip(python)) else {
        return Ok(None);
    };
    let source = paths::root().join("integration/tests/sdk/python");
    let folder = paths::tools().join("sdk-python");
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(text)?;
    let list = source.join("requirements.txt");
    // Copied at the end, so it stands for a whole installation.
    let installed = folder.join("requirements.txt");
    let wanted = fs::read(&list).map_err(text)?;
    fs::copy(source.join("caller.py"), folder.join("caller.py")).map_err(text)?;
    if fs::read(&installed).is_ok_and(|old| old == wanted) {
        return Ok(Some(folder));
    }
    say("fetching the packages of the Python SDK (40 MB unpacked)");
    let packages = folder.join("packages");
    if packages.exists() {
        fs::remove_dir_all(&packages).map_err(text)?;
    }
    let mut pip = command(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action", "ignore"]);
    pip.arg("--target").arg(&packages).arg("--requirement").arg(&list).stdout(std::io::stderr());
    run(&mut pip)?;
    fs::copy(&list, &installed).map_err(text)?;
    Ok(Some(folder))
}

fn has_pip(python: &Path) -> bool {
    output(command(python).args(["-c", "import pip"])).is_ok()
}

/// The test program that uses Go's own HTTP client, built; `None` if there is no Go.
///
/// # Errors
/// It does not build.
pub fn go() -> Outcome<Option<PathBuf>> {
    let Some(go) = on_path("go") else { return Ok(None) };
    let program = paths::tools().join("sdk-go");
    let mut build = command(go);
    // Without modules from elsewhere there is nothing to fetch, another toolchain included.
    build.args(["build", "-o"]).arg(&program).arg(".").env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod");
    run(build.current_dir(paths::root().join("integration/tests/sdk/go")).stdout(std::io::stderr()))?;
    Ok(Some(program))
}
