use super::*;
use crate::fake::FakeHost;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn parsed(text: &str) -> Option<String> {
    TraceContext::parse(text.as_bytes()).map(|context| context.to_string())
}

fn trace(headers: Headers, rate: &str) -> Trace {
    Trace::continue_or_start(&headers, &Sampling::parse(rate).unwrap(), &*FakeHost::new())
}

#[test]
fn a_valid_traceparent_is_read_and_written() {
    assert_eq!(parsed(PARENT).as_deref(), Some(PARENT));
    assert!(TraceContext::parse(PARENT.as_bytes()).unwrap().sampled());
    assert!(!TraceContext::parse(PARENT.replace("-01", "-00").as_bytes()).unwrap().sampled());
}

#[test]
fn unknown_flags_are_sent_as_zero() {
    assert_eq!(parsed(&PARENT.replace("b7-01", "b7-ff")), Some(PARENT.replace("b7-01", "b7-03")));
    assert_eq!(parsed(&PARENT.replace("b7-01", "b7-02")), Some(PARENT.replace("b7-01", "b7-02")));
}

#[test]
fn a_wrong_length_separator_or_digit_is_invalid() {
    let upper = PARENT.to_uppercase();
    let longer = format!("{PARENT}-x");
    let joined = PARENT.replacen('-', "_", 1);
    for text in ["", "00", &upper, &longer, &joined, " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
        assert_eq!(parsed(text), None, "{text}");
    }
    for end in 0..PARENT.len() {
        assert_eq!(parsed(&PARENT[..end]), None, "{end}");
    }
    assert_eq!(parsed(&PARENT.replace("-01", "-0g")), None);
    assert_eq!(parsed(&PARENT.replace("4bf9", "4bF9")), None);
    assert!(TraceContext::parse(b"00-\xff\xff").is_none());
}

#[test]
fn ids_of_zeros_are_invalid() {
    assert_eq!(parsed("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
    assert_eq!(parsed("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), None);
}

#[test]
fn a_future_version_may_be_longer_and_is_answered_in_ours() {
    let future = PARENT.replacen("00", "cc", 1);
    assert_eq!(parsed(&future).as_deref(), Some(PARENT));
    assert_eq!(parsed(&format!("{future}-what-comes")).as_deref(), Some(PARENT));
    assert_eq!(parsed(&format!("{future}.what")), None);
    assert_eq!(parsed(&PARENT.replacen("00", "ff", 1)), None);
}

#[test]
fn the_callees_side_keeps_a_valid_context_and_starts_a_missing_one() {
    let kept = |headers: Headers| {
        let trace = Trace::keep_or_start(&headers, &Sampling::All, &*FakeHost::new());
        let mut edits = Default::default();
        trace.edit(&headers, &mut edits);
        edits
    };
    assert_eq!(kept(Headers::new().with("traceparent", PARENT).with("tracestate", "a=1")), Default::default());
    let started = kept(Headers::new().with("tracestate", "a=1"));
    assert_eq!((started.add.len(), started.remove), (1, vec!["tracestate"]));
    let replaced = kept(Headers::new().with("traceparent", "00-xyz"));
    assert_eq!((replaced.set.len(), replaced.add.len()), (1, 0));
}

#[test]
fn an_incoming_trace_is_continued_by_a_span_of_ours() {
    let trace =
        trace(Headers::new().with("traceparent", PARENT).with("tracestate", "a=1").with("tracestate", "b=2"), "1");
    let ours = trace.traceparent();
    assert_eq!(ours[..36], PARENT[..36]);
    assert_ne!(ours[36..52], PARENT[36..52]);
    assert!(ours.ends_with("-01"));
    assert_eq!(trace.tracestate(), "a=1,b=2");
    assert_eq!(trace.response_header(), Some(ours.into_bytes()));
}

#[test]
fn the_parent_decides_whether_a_continued_trace_is_sampled() {
    let headers = Headers::new().with("traceparent", PARENT.replace("-01", "-00"));
    assert!(trace(headers, "1").traceparent().ends_with("-00"));
    let headers = Headers::new().with("traceparent", PARENT);
    assert!(trace(headers, "0.000000001").traceparent().ends_with("-01"));
}

#[test]
fn without_a_valid_parent_a_trace_is_started_and_its_tracestate_dropped() {
    let twice = Headers::new().with("traceparent", PARENT).with("traceparent", PARENT);
    for headers in [Headers::new(), Headers::new().with("traceparent", "junk"), twice] {
        let trace = trace(headers.with("tracestate", "a=1"), "1");
        assert!(parsed(&trace.traceparent()).is_some());
        assert_ne!(trace.traceparent()[..36], PARENT[..36]);
        assert!(trace.traceparent().ends_with("-01"));
        assert_eq!(trace.tracestate(), "");
    }
}

#[test]
fn tracing_off_starts_nothing_and_passes_what_came_in() {
    let none = trace(Headers::new(), "0");
    assert_eq!((none.traceparent().as_str(), none.response_header()), ("", None));
    let passed = trace(Headers::new().with("traceparent", PARENT), "0");
    assert_eq!((passed.traceparent().as_str(), passed.response_header()), (PARENT, None));
    assert_eq!(passed.child(&*FakeHost::new()), passed);
}

#[test]
fn a_delivery_without_a_trace_carries_zeros() {
    let off = Sampling::Off;
    let trace = Trace::of_event(Some(""), Some("a=1"), &off, &*FakeHost::new());
    assert_eq!((&*trace.delivery_header(), trace.tracestate()), (NO_TRACE, ""));
}

#[test]
fn a_delivery_continues_the_events_trace() {
    let trace = Trace::of_event(Some(PARENT), Some("a=1"), &Sampling::All, &*FakeHost::new());
    assert_eq!(trace.delivery_header()[..36], PARENT[..36]);
    assert_ne!(trace.delivery_header(), PARENT);
    assert_eq!(trace.tracestate(), "a=1");
    let unsafe_state = Trace::of_event(Some(PARENT), Some("a=1\r\nx: y"), &Sampling::All, &*FakeHost::new());
    assert_eq!(unsafe_state.tracestate(), "");
    for (length, passed) in [(MAX_STATE, MAX_STATE), (MAX_STATE + 1, 0)] {
        let long = "x".repeat(length);
        let trace = Trace::of_event(Some(PARENT), Some(&long), &Sampling::All, &*FakeHost::new());
        assert_eq!(trace.tracestate().len(), passed);
    }
}

#[test]
fn a_child_has_the_same_trace_and_another_span() {
    let host = FakeHost::new();
    let trace = Trace::continue_or_start(&Headers::new(), &Sampling::All, &*host);
    let child = trace.child(&*host);
    assert_eq!(child.context().unwrap().trace_id, trace.context().unwrap().trace_id);
    assert_ne!(child.context().unwrap().span_id, trace.context().unwrap().span_id);
}

#[test]
fn the_sampling_rate_is_a_decimal_fraction_from_0_to_1() {
    for (text, sampling) in [
        ("0", Sampling::Off),
        ("0.0", Sampling::Off),
        ("1", Sampling::All),
        ("1.000", Sampling::All),
        ("0.5", Sampling::Below(1 << 62)),
        (".25", Sampling::Below(1 << 61)),
    ] {
        assert_eq!(Sampling::parse(text), Ok(sampling), "{text}");
    }
    for text in ["", ".", "2", "1.1", "-1", "0,5", "1e-4", "0.5.5", "always", "99999999999999999999999"] {
        assert!(Sampling::parse(text).is_err(), "{text}");
    }
    assert_ne!(Sampling::parse("0.00000000001"), Ok(Sampling::Off));
}

#[test]
fn a_share_of_the_trace_ids_is_sampled() {
    let half = Sampling::parse("0.5").unwrap();
    assert!(half.takes(&[0; 16]));
    assert!(half.takes(&[0x7f; 16]));
    assert!(!half.takes(&[0x80; 16]));
    assert!(!half.takes(&[0xff; 16]));
}
