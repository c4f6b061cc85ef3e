//! Nothing outlives this program: a second process of it, the guard, waits for the first one's end, however that comes,
//! and then ends every process group that is still there and removes the run's folder.
//!
//! The first one holds a pipe to it and writes `+<group>` and `-<group>`; the pipe's end is the sign.

use super::group::Group;
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The hidden subcommand that a guard is started with.
pub const VERB: &str = "guard";

/// How long a group has for its end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// The running guard.
#[derive(Debug)]
pub struct Guard(Mutex<Child>);

impl Guard {
    /// Starts it. `folder` is removed at the end.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(VERB).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // In a group of its own Ctrl-C does not reach it.
        command.process_group(0).spawn().map(|child| Self(Mutex::new(child)))
    }

    /// From now on this group is ended with this program.
    pub fn watch(&self, group: Group) {
        self.tell(&format!("+{}\n", group.number()));
    }

    /// The group has ended.
    pub fn forget(&self, group: Group) {
        self.tell(&format!("-{}\n", group.number()));
    }

    fn tell(&self, line: &str) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stdin) = &mut child.stdin {
            // A guard that was killed guards no more; the ordinary end does not need it.
            let _ = stdin.write_all(line.as_bytes());
        }
    }

    /// Lets it finish, and waits for that.
    pub fn end(self) {
        let mut child = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// What the guard's process does.
pub fn run(folder: &Path) {
    let mut groups = BTreeSet::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        match (line.strip_prefix('+').and_then(Group::parse), line.strip_prefix('-').and_then(Group::parse)) {
            (Some(group), _) => groups.insert(group),
            (_, Some(group)) => groups.remove(&group),
            _ => continue,
        };
    }
    groups.iter().for_each(|group| group.terminate());
    for group in &groups {
        group.end_within(GRACE);
    }
    // It may never have been made, or be gone.
    let _ = std::fs::remove_dir_all(folder);
}
