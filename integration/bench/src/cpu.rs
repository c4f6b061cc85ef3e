//! What a process has used, from the kernel's own counters.

use std::fs;
use std::time::Duration;

/// CPU time that all threads of a process have used so far, to the nanosecond.
///
/// # Errors
/// The process has ended.
pub fn used(pid: u32) -> Result<Duration, String> {
    let mut nanos = 0;
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("process {pid}: {error}"))?;
    for task in tasks.flatten() {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Resident memory of a process in MiB: all of it, and the anonymous part.
///
/// # Errors
/// The process has ended.
pub fn memory(pid: u32) -> Result<(f64, f64), String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| format!("process {pid}: {error}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        line.split_whitespace().next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    Ok((field("VmRSS:"), field("RssAnon:")))
}
