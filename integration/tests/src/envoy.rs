//! A real Envoy whose log is judged when it ends.

mod admin;
mod log;

pub use admin::Admin;
pub use log::{Announced, LogEntry, judge, parse};

use crate::process::try_signal;
use crate::{env, wait};
use serde_json::Value;
use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tempfile::TempDir;

/// How long Envoy may take to start. It bounds a failure; no success waits for it.
const START: Duration = Duration::from_secs(60);
/// How long Envoy may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(20);

/// The file in which Envoy tells its admin address.
const ADMIN_ADDRESS: &str = "admin.address";

/// A running Envoy. When it is dropped it is ended, and the test fails if its log holds a failure that was not
/// announced with [`EnvoyProcess::expect_log`].
#[derive(Debug)]
pub struct EnvoyProcess {
    process: Mutex<Child>,
    folder: TempDir,
    /// The bootstrap's name in the folder.
    file: String,
    workers: u32,
    drain_seconds: u32,
    admin: Admin,
    announced: Mutex<Vec<Announced>>,
}

impl EnvoyProcess {
    /// Starts Envoy with `bootstrap`, whose `admin.address` is replaced, and waits until it is ready.
    ///
    /// # Panics
    /// If Envoy ends, or is not ready in time; the message holds its log.
    #[must_use]
    pub fn start(bootstrap: Value, workers: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, bootstrap, workers)
    }

    /// As [`EnvoyProcess::start`], in a folder that already holds what `bootstrap` points to.
    #[must_use]
    pub fn start_in(folder: TempDir, bootstrap: Value, workers: u32) -> Self {
        Self::start_draining(folder, bootstrap, workers, 1)
    }

    /// As [`EnvoyProcess::start_in`]; listeners that are replaced serve what they have for `drain_seconds`.
    #[must_use]
    pub fn start_draining(folder: TempDir, mut bootstrap: Value, workers: u32, drain_seconds: u32) -> Self {
        bootstrap["admin"] =
            serde_json::json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
        let text = serde_json::to_string_pretty(&bootstrap).expect("JSON");
        fs::write(folder.path().join("bootstrap.json"), text).expect("the bootstrap can be written");
        Self::launched(folder, "bootstrap.json", workers, drain_seconds)
    }

    /// As [`EnvoyProcess::start`], with a bootstrap file that lies in `folder` and is taken as it stands. `folder` is
    /// Envoy's working directory.
    #[must_use]
    pub fn start_file(folder: TempDir, name: &str, workers: u32) -> Self {
        Self::launched(folder, name, workers, 1)
    }

    fn launched(folder: TempDir, name: &str, workers: u32, drain_seconds: u32) -> Self {
        let process = Mutex::new(launch(folder.path(), name, workers, drain_seconds));
        let (admin, announced) = (Admin::default(), Mutex::new(Vec::new()));
        let envoy = Self { process, folder, file: name.to_owned(), workers, drain_seconds, admin, announced };
        envoy.wait_until_ready();
        envoy
    }

    /// Ends Envoy at once, as a crash or the kernel's memory killer does.
    pub fn kill(&self) {
        self.fail_if_ended();
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.kill().and_then(|()| process.wait()).expect("Envoy can be killed");
    }

    /// Starts Envoy again after [`EnvoyProcess::kill`], as it was, and waits until it is ready. The log goes on.
    pub fn restart(&self) {
        fs::remove_file(self.folder.path().join(ADMIN_ADDRESS)).expect("the killed Envoy left its address");
        let process = launch(self.folder.path(), &self.file, self.workers, self.drain_seconds);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let path = self.folder.path().join(ADMIN_ADDRESS);
        let address = wait::until("Envoy tells its admin address", START, || {
            self.fail_if_ended();
            fs::read_to_string(&path).ok().filter(|text| !text.is_empty())
        });
        self.admin.set(&address);
        wait::until("Envoy is ready", START, || {
            self.fail_if_ended();
            self.admin.is_ready().then_some(())
        });
    }

    /// The admin interface.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner).id()
    }

    /// The folder of its bootstrap and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that Envoy wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("envoy.log")).expect("the log can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of what Envoy wrote so far.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Announces failures that this test provokes: log entries with `text` in them are not held against Envoy, but
    /// their number has to be within `count`.
    pub fn expect_log(&self, text: &str, count: RangeInclusive<usize>) {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).push(Announced { text: text.to_owned(), count });
    }

    /// Whether the process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    /// Fails if the log so far holds a failure that was not announced.
    pub fn check_log(&self) {
        self.fail_if_ended();
        let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let soft: Vec<Announced> = announced.into_iter().map(Announced::at_most).collect();
        self.judge(&soft);
    }

    /// Ends Envoy as an orchestrator does, and judges its log.
    pub fn stop(self) {
        drop(self);
    }

    fn judge(&self, announced: &[Announced]) {
        let text = self.log();
        let faults = judge(&parse(&text), announced);
        assert!(faults.is_empty(), "Envoy's log holds failures:\n{}", faults.join("\n"));
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).try_wait().expect("the process can be asked")
    }

    fn fail_if_ended(&self) {
        if let Some(status) = self.ended() {
            panic!("Envoy ended by itself with {status}; its log:\n{}", self.log());
        }
    }

    fn end(&self) -> Result<(), String> {
        if let Some(status) = self.ended() {
            return Err(format!("Envoy ended by itself with {status}"));
        }
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if !try_signal("TERM", process.id()) {
            return Err("SIGTERM could not be sent".to_owned());
        }
        let start = std::time::Instant::now();
        while start.elapsed() < STOP {
            match process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("Envoy ended with {status} after SIGTERM")),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(format!("Envoy cannot be waited for: {error}")),
            }
        }
        let killed = process.kill().and_then(|()| process.wait());
        Err(format!("Envoy did not end within {STOP:?} after SIGTERM; killed: {killed:?}"))
    }
}

fn launch(folder: &Path, name: &str, workers: u32, drain_seconds: u32) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("envoy.log")).expect("a log file");
    let mut command = Command::new(env::envoy());
    command
        .current_dir(folder)
        .args(["--config-path", name])
        .arg("--admin-address-path")
        .arg(folder.join(ADMIN_ADDRESS))
        .args(["--use-dynamic-base-id", "--concurrency", &workers.to_string()])
        .args(["--log-level", "warning", "--log-format", log::FORMAT])
        .args(["--component-log-level", "wasm:info,config:info"])
        .args(["--drain-time-s", &drain_seconds.to_string()])
        .args(["--parent-shutdown-time-s", &(drain_seconds + 1).to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    spawn(command)
}

/// Starts a program from a thread that lives as long as the tests. Envoy asks the kernel for SIGTERM when its parent
/// dies, and the kernel takes the thread that started it for the parent; a test's thread ends too early.
fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, started) in queue {
                // The test that asked may have failed meanwhile.
                let _nobody_waits = started.send(command.spawn());
            }
        });
        orders
    });
    let (started, child) = mpsc::channel();
    starter.send((command, started)).expect("the thread lives");
    child.recv().expect("the thread answers").expect("Envoy can be started")
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        let ended = self.end();
        if std::thread::panicking() {
            eprintln!("--- end of Envoy's log ---\n{}", self.last_lines());
            return;
        }
        if let Err(problem) = ended {
            panic!("{problem}; its log:\n{}", self.log());
        }
        let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.judge(&announced);
    }
}
