//! Processes that a test did not start itself, or that need more than an end.

use std::path::Path;
use std::process::Command;

/// Sends a signal, such as `TERM`, to a process.
///
/// # Panics
/// If it cannot be sent.
pub fn signal(name: &str, pid: u32) {
    assert!(try_signal(name, pid), "SIG{name} cannot be sent to {pid}");
}

/// As [`signal`]; `false` if it cannot be sent.
#[must_use]
pub fn try_signal(name: &str, pid: u32) -> bool {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    sent.is_ok_and(|status| status.success())
}

/// Whether a process is there and has not ended.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The most memory, in bytes, that a process has had resident so far.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn peak_memory(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// The memory, in bytes, that a process has resident.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn memory(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// The children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The command line of a process, its words apart by blanks.
#[must_use]
pub fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
