//! Spans in a collector: one tree, whoever made them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "traces/calls.rs"]
mod calls;
#[path = "traces/events.rs"]
mod events;

/// A span that an application brings.
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The same, of a trace that nobody is to record.
fn unsampled() -> String {
    PARENT.replace("-01", "-00")
}

/// The trace that a `traceparent` names.
fn trace(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).expect("a traceparent")
}

/// The flags of a `traceparent`.
fn flags(traceparent: &str) -> &str {
    traceparent.split('-').nth(3).expect("a traceparent")
}
