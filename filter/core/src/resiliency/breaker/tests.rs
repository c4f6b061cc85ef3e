use super::*;

fn rules(trip: &str) -> CircuitBreaker {
    CircuitBreaker { trip: trip.to_owned(), max_requests: 1, interval_ms: 0, timeout_ms: 1000, cache_size: 100 }
}

fn call(state: &mut State, rules: &CircuitBreaker, now: u64, succeeds: bool) -> bool {
    let Ok(passage) = state.admit(rules, now, 0) else { return false };
    state.report(rules, now, passage.is_probe, 1, succeeds);
    true
}

#[test]
fn the_failure_that_trips_it_opens_it() {
    let (rules, mut state) = (rules("consecutiveFailures > 2"), State::default());
    for succeeds in [false, false, true, false, false, false] {
        assert!(call(&mut state, &rules, 5, succeeds));
    }
    assert!(!call(&mut state, &rules, 1004, true));
    assert_eq!(state.admit(&rules, 1004, 0), Err("circuit breaker is open"));
}

#[test]
fn after_its_time_one_call_decides() {
    let (rules, mut state) = (rules("consecutiveFailures > 0"), State::default());
    assert!(call(&mut state, &rules, 0, false));
    let passage = state.admit(&rules, 1000, 5).unwrap();
    assert_eq!(passage, Passage { is_probe: true, most_retries: 0 });
    assert!(state.admit(&rules, 1000, 5).unwrap_err().contains("half open"));
    state.report(&rules, 1001, true, 1, false);
    assert!(!call(&mut state, &rules, 2000, true));
    assert!(call(&mut state, &rules, 2001, true));
    assert_eq!(state.phase, Phase::Closed);
    assert!(call(&mut state, &rules, 2002, true));
}

#[test]
fn as_many_as_are_let_through_have_to_succeed() {
    let rules = CircuitBreaker { max_requests: 2, ..rules("consecutiveFailures > 0") };
    let mut state = State::default();
    assert!(call(&mut state, &rules, 0, false));
    assert!(call(&mut state, &rules, 1000, true));
    assert_eq!(state.phase, Phase::HalfOpen);
    assert!(call(&mut state, &rules, 1001, true));
    assert_eq!(state.phase, Phase::Closed);
}

#[test]
fn a_call_that_is_never_heard_of_again_does_not_keep_it_half_open() {
    let (rules, mut state) = (rules("consecutiveFailures > 0"), State::default());
    assert!(call(&mut state, &rules, 0, false));
    assert!(state.admit(&rules, 1000, 0).is_ok());
    assert!(state.admit(&rules, 1999, 0).is_err());
    assert!(call(&mut state, &rules, 2000, true));
    assert_eq!(state.phase, Phase::Closed);
}

#[test]
fn a_call_of_another_time_counts_for_nothing() {
    let (rules, mut state) = (rules("consecutiveFailures > 0"), State::default());
    let early = state.admit(&rules, 0, 0).unwrap();
    assert!(call(&mut state, &rules, 1, false));
    assert!(state.admit(&rules, 1001, 0).is_ok());
    state.report(&rules, 1002, early.is_probe, 1, true);
    assert_eq!(state.phase, Phase::HalfOpen);
}

#[test]
fn what_was_counted_is_forgotten_after_the_interval() {
    let rules = CircuitBreaker { interval_ms: 100, ..rules("totalFailures > 1") };
    let mut state = State::default();
    assert!(call(&mut state, &rules, 10, false));
    assert!(call(&mut state, &rules, 110, false));
    assert_eq!(state.phase, Phase::Closed);
    assert!(call(&mut state, &rules, 120, false));
    assert_eq!(state.phase, Phase::Open);
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let (rules, mut state) = (rules("consecutiveFailures > 0"), State::default());
    assert!(call(&mut state, &rules, 1_000_000, false));
    assert!(call(&mut state, &rules, 5, true));
}

#[test]
fn a_call_that_may_be_tried_for_ever_is_not_where_the_breaker_would_open_late() {
    let rules = rules("totalFailures > 200");
    assert_eq!(State::default().admit(&rules, 0, u32::MAX).unwrap().most_retries, 100);
}

#[test]
fn every_try_counts() {
    let (rules, mut state) = (rules("totalFailures >= 3 && requests >= 4"), State::default());
    state.report(&rules, 0, false, 3, true);
    assert_eq!((state.counts.requests, state.counts.total_failures, state.counts.total_successes), (3, 2, 1));
    assert_eq!(state.counts.consecutive_failures, 0);
    // A call is tried again until the breaker would open, no further.
    assert_eq!(state.admit(&rules, 0, 9), Ok(Passage { is_probe: false, most_retries: 0 }));
    state.report(&rules, 0, false, 1, false);
    assert_eq!(state.phase, Phase::Open);
    assert_eq!(State::default().admit(&rules, 0, 9).unwrap().most_retries, 3);
    assert_eq!(State::default().admit(&rules, 0, 2).unwrap().most_retries, 2);
}
