//! The end of a run: the applications first, while they can still use the proxy, then the proxy.

use super::{End, Plan, Session, signal_code};
use crate::launch::member::{Event, Who};
use crate::launch::signals;
use rustix::process::Signal;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// How long applications have for their end.
const APPS: Duration = Duration::from_secs(10);
/// How long what they left behind has.
const LEFTOVERS: Duration = Duration::from_secs(2);
/// How long Envoy has.
const ENVOY: Duration = Duration::from_secs(5);

impl Session {
    /// Ends everything; gives the status to exit with.
    ///
    /// # Errors
    /// Why the run failed.
    pub(super) fn finish(mut self, end: End, plan: &Plan) -> Result<u8, String> {
        let outcome = match end {
            End::AppsEnded => Ok(()),
            End::Signal(number) => {
                self.stop_apps(plan, signals::passed_on(number));
                Ok(())
            }
            End::Interrupted(number) => {
                self.failed = Some(signal_code(number));
                Ok(())
            }
            End::EnvoyEnded(status) => {
                self.envoy_ended();
                self.console.say(&format!("Envoy ended by itself ({status}), so the run is over"));
                self.failed = Some(1);
                Ok(())
            }
            End::Failed(why) => Err(why),
        };
        self.stop_apps(plan, Signal::TERM);
        for group in std::mem::take(&mut self.leftovers) {
            group.terminate();
            group.end_within(LEFTOVERS);
        }
        self.stop_envoy();
        self.guard.end();
        outcome.map(|()| self.failed.unwrap_or(0))
    }

    /// Sends the applications a signal and waits for their end; another signal, or too long a time, kills them.
    fn stop_apps(&mut self, plan: &Plan, signal: Signal) {
        self.apps.values().for_each(|group| group.signal(signal));
        let mut deadline = Instant::now() + APPS;
        while !self.apps.is_empty() {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Ended(Who::App(place), status)) => self.app_ended(plan, place, status),
                Ok(Event::Ended(Who::Envoy, _)) => self.envoy_ended(),
                Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => {
                    self.apps.values().for_each(|group| group.signal(Signal::KILL));
                    deadline = Instant::now() + APPS;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn stop_envoy(&mut self) {
        if let Some(group) = self.envoy {
            group.terminate();
        }
        let mut deadline = Instant::now() + ENVOY;
        while let Some(group) = self.envoy {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Ended(Who::Envoy, _)) => self.envoy_ended(),
                Ok(Event::Ended(Who::App(_), _)) => {}
                Ok(Event::Signal(_)) | Err(RecvTimeoutError::Timeout) => {
                    group.signal(Signal::KILL);
                    deadline = Instant::now() + ENVOY;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
