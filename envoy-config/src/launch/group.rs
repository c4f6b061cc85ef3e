//! Process groups: a program and all it starts.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::time::{Duration, Instant};

/// A process group, named by the number of the process that it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(i32);

/// Between two looks at a group that is to end.
const LOOK: Duration = Duration::from_millis(10);

impl Group {
    /// Of a process that was started with a group of its own.
    pub fn of(child: &std::process::Child) -> Option<Self> {
        i32::try_from(child.id()).ok().map(Self)
    }

    /// Reads what [`Group::number`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 1).map(Self)
    }

    /// The number of its first process.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Sends a signal to all of its processes.
    pub fn signal(self, signal: Signal) {
        if let Some(id) = Pid::from_raw(self.0) {
            // It may have ended in the meantime.
            let _ = kill_process_group(id, signal);
        }
    }

    /// Asks all of its processes to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Whether none of its processes is left.
    pub fn is_gone(self) -> bool {
        Pid::from_raw(self.0).is_none_or(|id| test_kill_process_group(id).is_err())
    }

    /// Waits until it is gone; what is left after `grace` is killed.
    pub fn end_within(self, grace: Duration) {
        let end = Instant::now() + grace;
        while !self.is_gone() {
            if Instant::now() >= end {
                self.signal(Signal::KILL);
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}
