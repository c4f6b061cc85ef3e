//! What a trace changes in a request that goes on.

use super::{Span, Trace, binary};
use crate::http::Headers;
use crate::invoke::Edits;

impl Trace {
    /// Tells the next one about our span. `headers` are the request's; a `tracestate` that belongs to no valid
    /// `traceparent` is removed.
    pub fn edit(&self, headers: &Headers, edits: &mut Edits) {
        let (context, started) = match &self.span {
            Span::Passed(_) => return,
            Span::Child(context) => (context, false),
            Span::Root(context) => (context, true),
        };
        edits.put(headers, "traceparent", context.text().to_vec());
        binary::edit(context, headers, edits);
        if started && headers.get("tracestate").is_some() {
            edits.remove.push("tracestate");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;
    use crate::telemetry::Sampling;

    fn edits(headers: &Headers, sampling: Sampling) -> Edits {
        let mut edits = Edits::default();
        Trace::continue_or_start(headers, &sampling, &*FakeHost::new()).edit(headers, &mut edits);
        edits
    }

    #[test]
    fn a_started_trace_sets_its_parent_and_removes_a_stray_state() {
        let edits = edits(&Headers::new().with("tracestate", "a=1"), Sampling::All);
        assert_eq!(edits.remove, ["tracestate"]);
        assert_eq!((edits.add.len(), edits.set.len()), (1, 0));
    }

    #[test]
    fn a_continued_trace_keeps_its_state() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let edits = edits(&Headers::new().with("traceparent", parent).with("tracestate", "a=1"), Sampling::All);
        assert!(edits.remove.is_empty());
        assert_eq!((edits.add.len(), edits.set.len()), (0, 1));
    }

    #[test]
    fn tracing_off_changes_nothing() {
        assert_eq!(
            edits(&Headers::new().with("traceparent", "x").with("tracestate", "y"), Sampling::Off),
            Edits::default()
        );
    }
}
