//! `weft run` as a child.

use super::redis::Redis;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A `weft` that runs. Its lines are kept, until they are asked for.
pub struct Weft {
    process: Child,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines {
    kept: Mutex<Vec<String>>,
    live: AtomicBool,
}

impl Weft {
    /// Starts it with a run file.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(file: &Path, redis: Option<&Redis>) -> Result<Self, String> {
        let binary = std::env::var_os("WEFT_BIN").unwrap_or_else(|| "weft".into());
        let mut command = Command::new(&binary);
        command.args(["run", "--run-file"]).arg(file).env("PATH", path()?);
        if let Some(redis) = redis {
            command.env("REDIS_HOST", redis.host());
        }
        // In a group of its own Ctrl-C reaches only the demo, which passes it on once.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
        let lines = Arc::new(Lines::default());
        if let Some(stdout) = process.stdout.take() {
            lines.follow(stdout);
        }
        if let Some(stderr) = process.stderr.take() {
            lines.follow(stderr);
        }
        Ok(Self { process, lines })
    }

    /// Whether the demo goes on.
    ///
    /// # Errors
    /// It ended by itself, or somebody has ended the demo.
    pub fn check(&mut self, ended: &AtomicBool) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(Some(status)) => Err(format!("weft ended by itself: {status}")),
            _ if ended.load(Ordering::Relaxed) => Err("ended before it was done".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Shows the lines so far, and from now on every line.
    pub fn show_lines(&self) {
        let kept = self.lines.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().for_each(|line| println!("{line}"));
        self.lines.live.store(true, Ordering::Relaxed);
    }

    /// Ends it, and with it everything it has started.
    pub fn stop(mut self) {
        if self.is_running()
            && let Some(id) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
        {
            // It may have ended in the meantime.
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

impl Lines {
    fn follow(self: &Arc<Self>, source: impl Read + Send + 'static) {
        let lines = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                let mut kept = lines.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.live.load(Ordering::Relaxed) {
                    println!("{line}");
                } else {
                    kept.push(line);
                }
            }
        });
    }
}

/// The applications are this program, which the run file names without a folder.
fn path() -> Result<OsString, String> {
    let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let own = program.parent().map(Path::to_path_buf).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(own.chain(std::env::split_paths(&path))).map_err(|error| error.to_string())
}
