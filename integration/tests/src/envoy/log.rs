//! Reading Envoy's log: what in it is a failure.

use std::ops::RangeInclusive;

/// Envoy's `--log-format`: level, component, thread, time, text.
pub(super) const FORMAT: &str = "[%l][%n][%t][%T.%e] %v";

/// Signs of a virtual machine that died, whatever their level.
const TRAPS: [&str; 8] = [
    "Function: proxy_on",
    "Uncaught RuntimeError",
    "invalid context_id",
    "panicked at",
    "wasm trap",
    "VM failed",
    "Failed to load Wasm",
    "Failed to initialize",
];

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warning", "error", "critical"];

/// One entry of the log, with all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Envoy's word for the severity, such as `warning`.
    pub level: String,
    /// The part of Envoy that wrote it, such as `wasm`.
    pub component: String,
    /// The whole entry.
    pub text: String,
}

/// Failures that a test provokes on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Part of the entry.
    pub text: String,
    /// How many entries there have to be.
    pub count: RangeInclusive<usize>,
}

impl Announced {
    /// The same, for a log that may still grow.
    pub(super) fn at_most(self) -> Self {
        Self { count: 0..=*self.count.end(), text: self.text }
    }
}

/// Splits a log that was written in [`FORMAT`] into entries.
#[must_use]
pub fn parse(text: &str) -> Vec<LogEntry> {
    let mut entries: Vec<LogEntry> = Vec::new();
    for line in text.lines() {
        if let Some((level, component)) = start(line) {
            entries.push(LogEntry { level: level.to_owned(), component: component.to_owned(), text: line.to_owned() });
        } else if let Some(last) = entries.last_mut() {
            last.text.push('\n');
            last.text.push_str(line);
        } else {
            entries.push(LogEntry { level: String::new(), component: String::new(), text: line.to_owned() });
        }
    }
    entries
}

fn start(line: &str) -> Option<(&str, &str)> {
    let (level, rest) = line.strip_prefix('[')?.split_once("][")?;
    let (component, _) = rest.split_once("][")?;
    LEVELS.contains(&level).then_some((level, component))
}

/// What is wrong with a log: every failure that was not announced, and every announcement that did not come true.
#[must_use]
pub fn judge(entries: &[LogEntry], announced: &[Announced]) -> Vec<String> {
    let mut faults: Vec<String> = entries
        .iter()
        .filter(|entry| is_failure(entry) && !announced.iter().any(|it| entry.text.contains(&it.text)))
        .map(|entry| entry.text.clone())
        .collect();
    for it in announced {
        let found = entries.iter().filter(|entry| entry.text.contains(&it.text)).count();
        if !it.count.contains(&found) {
            faults.push(format!("announced {:?} entries with {:?}, found {found}", it.count, it.text));
        }
    }
    faults
}

fn is_failure(entry: &LogEntry) -> bool {
    matches!(entry.level.as_str(), "error" | "critical") || TRAPS.iter().any(|sign| entry.text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::{Announced, judge, parse};

    const CALM: &str = "[info][main][1][10:00:00.001] starting\n[warning][wasm][7][10:00:00.002] wasm log: link lost\n";

    fn announce(text: &str, count: std::ops::RangeInclusive<usize>) -> Vec<Announced> {
        vec![Announced { text: text.to_owned(), count }]
    }

    #[test]
    fn information_and_warnings_are_no_failures() {
        assert_eq!(judge(&parse(CALM), &[]), Vec::<String>::new());
    }

    #[test]
    fn an_error_of_any_part_of_envoy_is_a_failure() {
        let text = format!("{CALM}[error][wasm][7][10:00:00.003] wasm log weft.api: component=statestore down\n");
        assert_eq!(judge(&parse(&text), &[]).len(), 1);
    }

    #[test]
    fn a_trap_is_a_failure_at_any_level_and_keeps_its_back_trace() {
        let text = "[info][wasm][7][10:00:00.003] Function: proxy_on_tick failed\n  0: 0x12 - core::panicking\n";
        let faults = judge(&parse(text), &[]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("0x12"));
    }

    #[test]
    fn an_announced_failure_is_forgiven_in_the_announced_number_only() {
        let text = "[error][wasm][7][10:00:00.003] link lost\n[error][wasm][7][10:00:00.004] link lost\n";
        assert!(judge(&parse(text), &announce("link lost", 1..=2)).is_empty());
        assert_eq!(judge(&parse(text), &announce("link lost", 3..=4)).len(), 1);
        assert_eq!(judge(&parse(text), &announce("another", 0..=0)).len(), 2);
    }
}
