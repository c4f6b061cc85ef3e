//! One run, from the proxy's start to the end of everything.

mod start;
mod stop;

use super::console::Console;
use super::group::Group;
use super::guard::Guard;
use super::member::{Event, Who};
use super::signals;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use weft::bootstrap::Proxy;
use weft::modules::Module;
use weft::runfile::Destination;
use weft_core::config::LogLevel;

/// What is to run.
pub struct Plan {
    /// The proxy and its applications; its module is set at the start.
    pub proxy: Proxy,
    /// The filter's module.
    pub module: Module,
    /// Envoy's binary.
    pub envoy: PathBuf,
    /// The least severe line of Envoy's log that is shown.
    pub log_level: LogLevel,
    /// The programs of the proxy's applications, in the same order.
    pub programs: Vec<Program>,
}

/// How an application is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its app id.
    pub id: String,
    /// The command; empty if somebody else starts it.
    pub command: Vec<String>,
    /// The folder to run in.
    pub folder: PathBuf,
    /// Environment variables besides those of this program.
    pub environment: BTreeMap<String, String>,
    /// Where its lines go.
    pub log: Destination,
    /// Where its filters' lines go.
    pub filter_log: Destination,
}

/// A run under way.
struct Session {
    console: Arc<Console>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    guard: Guard,
    envoy: Option<Group>,
    /// The applications that run, by their place in the list.
    apps: BTreeMap<usize, Group>,
    /// Groups whose first process has ended but not all others.
    leftovers: Vec<Group>,
    /// The first status of an application that was none of success.
    failed: Option<u8>,
}

/// Why a run goes on no longer.
enum End {
    /// Every application has ended.
    AppsEnded,
    /// A signal came.
    Signal(i32),
    /// A signal came before any application was started.
    Interrupted(i32),
    /// The proxy is gone.
    EnvoyEnded(ExitStatus),
    /// Something could not be started.
    Failed(String),
}

/// Runs everything until the applications or this program are ended; gives the status to exit with.
///
/// # Errors
/// Something could not be started, or the proxy ended by itself.
pub fn run(mut plan: Plan, console: Arc<Console>) -> Result<u8, String> {
    let (sender, events) = channel();
    signals::watch(sender.clone()).map_err(|error| format!("signals: {error}"))?;
    let folder = tempfile::Builder::new().prefix("weft-").tempdir().map_err(|error| format!("a folder: {error}"))?;
    let guard = Guard::start(folder.path()).map_err(|error| format!("a second process of weft: {error}"))?;
    // The guard removes it from now on.
    let folder = folder.keep();
    let (apps, leftovers) = (BTreeMap::new(), Vec::new());
    let mut session = Session { console, sender, events, guard, envoy: None, apps, leftovers, failed: None };
    let end = match session.start(&mut plan, &folder) {
        Ok(()) => session.watch(&plan),
        Err(end) => end,
    };
    session.finish(end, &plan)
}

impl Session {
    /// Waits until something ends the run.
    fn watch(&mut self, plan: &Plan) -> End {
        loop {
            match self.events.recv() {
                Ok(Event::Signal(number)) => return End::Signal(number),
                Ok(Event::Ended(Who::Envoy, status)) => return End::EnvoyEnded(status),
                Ok(Event::Ended(Who::App(place), status)) => {
                    self.app_ended(plan, place, status);
                    if self.apps.is_empty() {
                        return End::AppsEnded;
                    }
                }
                // Cannot be: this session holds a sender.
                Err(_) => return End::AppsEnded,
            }
        }
    }

    fn app_ended(&mut self, plan: &Plan, place: usize, status: ExitStatus) {
        let code = exit_code(status);
        if code != 0 {
            self.failed.get_or_insert(code);
        }
        if let Some(group) = self.apps.remove(&place) {
            if group.is_gone() {
                self.guard.forget(group);
            } else {
                self.leftovers.push(group);
            }
        }
        if let Some(program) = plan.programs.get(place) {
            self.console.say(&format!("{} ended: {status}", program.id));
        }
    }

    fn envoy_ended(&mut self) {
        if let Some(group) = self.envoy.take() {
            self.guard.forget(group);
        }
    }
}

/// The status that says how a program ended, as a shell has it.
fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (None, Some(number)) => signal_code(number),
        (code, _) => code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    }
}

/// The status that says that a signal ended a program, as a shell has it.
fn signal_code(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(1)
}
