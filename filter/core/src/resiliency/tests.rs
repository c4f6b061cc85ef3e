use super::*;
use crate::fake::FakeHost;
use std::time::Duration;

fn rules() -> CircuitBreaker {
    CircuitBreaker {
        trip: "consecutiveFailures > 1".to_owned(),
        max_requests: 1,
        interval_ms: 0,
        timeout_ms: 1000,
        cache_size: 2,
    }
}

fn policy() -> CallPolicy {
    let retry = Retry {
        max_retries: 3,
        on: "5xx,retriable-status-codes".to_owned(),
        status_codes: Some("429".to_owned()),
        grpc_on: Some("reset".to_owned()),
        grpc_statuses: Some("unavailable".to_owned()),
    };
    CallPolicy { timeout_ms: Some(500), retry: Some(retry), circuit_breaker: None }
}

fn target(authority: &str) -> Target<'_> {
    Target { caller: "a", name: "b", authority }
}

fn asked(policy: &CallPolicy, call: Call) -> Vec<String> {
    let mut edits = Edits::default();
    begin(policy, target("b"), call, &*FakeHost::new(), &Headers::new(), &mut edits).unwrap();
    edits.add.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect()
}

#[test]
fn the_router_is_asked_by_its_headers() {
    let timeout = "x-envoy-upstream-rq-per-try-timeout-ms: 500";
    assert_eq!(
        asked(&policy(), Call::Whole),
        [
            timeout,
            "x-envoy-retry-on: 5xx,retriable-status-codes",
            "x-envoy-max-retries: 3",
            "x-envoy-retriable-status-codes: 429"
        ]
    );
    // The route may have retries of its own.
    assert_eq!(asked(&policy(), Call::Streamed), [timeout, "x-envoy-max-retries: 0"]);
    assert_eq!(
        asked(&policy(), Call::Grpc),
        [timeout, "x-envoy-retry-on: reset", "x-envoy-max-retries: 3", "x-envoy-retry-grpc-on: unavailable"]
    );
    assert!(asked(&CallPolicy::default(), Call::Whole).is_empty());
    let none = Retry { max_retries: 0, ..policy().retry.unwrap_or_default() };
    let none = CallPolicy { retry: Some(none), ..CallPolicy::default() };
    assert_eq!(asked(&none, Call::Whole), ["x-envoy-max-retries: 0"]);
}

#[test]
fn what_a_caller_asks_of_the_router_gives_way() {
    let headers = Headers::new().with("x-envoy-max-retries", "99");
    let mut edits = Edits::default();
    begin(&policy(), target("b"), Call::Whole, &*FakeHost::new(), &headers, &mut edits).unwrap();
    assert_eq!(edits.set, [("x-envoy-max-retries", b"3".to_vec())]);
}

/// Makes a call of that host; whether it went through.
fn call(host: &FakeHost, authority: &str, succeeds: bool) -> bool {
    let policy = CallPolicy { circuit_breaker: Some(rules()), ..CallPolicy::default() };
    let begun = begin(&policy, target(authority), Call::Whole, host, &Headers::new(), &mut Edits::default());
    let Ok(watch) = begun else { return false };
    watch.unwrap().ended(host, 1, succeeds);
    true
}

#[test]
fn each_host_has_its_breaker_and_the_longest_unused_is_forgotten() {
    let host = FakeHost::new();
    assert!(call(&host, "one", false) && call(&host, "one", false) && !call(&host, "one", true));
    // Two have room.
    assert!(call(&host, "two", false) && call(&host, "three", false));
    assert!(call(&host, "one", true));
}

#[test]
fn an_open_breaker_that_holds_calls_back_is_in_use() {
    let host = FakeHost::new();
    assert!(call(&host, "one", false) && call(&host, "one", false));
    for other in ["two", "three", "four"] {
        assert!(!call(&host, "one", true));
        assert!(call(&host, other, false));
    }
    assert!(!call(&host, "one", true));
}

#[test]
fn other_workers_are_let_by() {
    let host = FakeHost::new();
    host.conflicts.set(5);
    assert!(call(&host, "b", false) && call(&host, "b", false));
    assert!(!call(&host, "b", true));
    host.conflicts.set(u32::MAX);
    // Nothing can be written, and nobody waits for that.
    assert!(call(&host, "c", false));
}

#[test]
fn a_call_is_tried_until_the_breaker_opens() {
    let host = FakeHost::new();
    let policy = CallPolicy { circuit_breaker: Some(rules()), ..policy() };
    let mut edits = Edits::default();
    let watch = begin(&policy, target("b"), Call::Whole, &*host, &Headers::new(), &mut edits).unwrap().unwrap();
    assert!(edits.add.contains(&("x-envoy-max-retries", b"1".to_vec())));
    watch.ended(&*host, 2, false);
    assert!(!call(&host, "b", true));
    host.advance(Duration::from_millis(1000));
    assert!(call(&host, "b", true));
}

#[test]
fn values_of_another_release_count_as_none() {
    let host = FakeHost::new();
    let write = |value: &[u8]| {
        let (_, version) = host.shared_get("weft.breaker/a/b");
        host.shared_set("weft.breaker/a/b", value, version).unwrap();
    };
    for value in [&b""[..], b"\x02abc", b"\x01\xff\xffshort", b"\x01\x01\x00b\x01"] {
        write(value);
        assert!(call(&host, "b", true), "{value:?}");
    }
}
