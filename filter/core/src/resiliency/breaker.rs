//! A circuit breaker: what it counts, and when it opens and closes, as Dapr's (`dapr-api` 8.2).

use super::trip;
use crate::config::CircuitBreaker;

/// What `trip` can ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u32,
    pub(super) total_successes: u32,
    pub(super) total_failures: u32,
    pub(super) consecutive_successes: u32,
    pub(super) consecutive_failures: u32,
}

impl Counts {
    /// All of them, in the order of the fields.
    pub(super) fn all(&self) -> [u32; 5] {
        [
            self.requests,
            self.total_successes,
            self.total_failures,
            self.consecutive_successes,
            self.consecutive_failures,
        ]
    }

    /// From all of them.
    pub(super) fn of(all: [u32; 5]) -> Self {
        let [requests, total_successes, total_failures, consecutive_successes, consecutive_failures] = all;
        Self { requests, total_successes, total_failures, consecutive_successes, consecutive_failures }
    }

    fn succeed(&mut self) {
        self.total_successes = self.total_successes.saturating_add(1);
        self.consecutive_successes = self.consecutive_successes.saturating_add(1);
        self.consecutive_failures = 0;
    }

    fn fail(&mut self) {
        self.total_failures = self.total_failures.saturating_add(1);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.consecutive_successes = 0;
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Calls go through.
    #[default]
    Closed,
    /// None does.
    Open,
    /// A few do, to see whether they succeed.
    HalfOpen,
}

/// A breaker as it is now. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) counts: Counts,
    /// When its phase ends by itself; 0 for never. A half-open one begins anew then, in case its calls were never heard
    /// of again.
    pub(super) until: u64,
}

/// How a call goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    /// Whether it is one of those that decide if a half-open breaker closes.
    pub(super) is_probe: bool,
    /// How often it may be tried again: as often as it takes to open the breaker.
    pub(super) most_retries: u32,
}

/// A call gets no more retries than this: further it is not looked ahead.
const LOOK_AHEAD: u32 = 100;

impl State {
    /// Lets time pass.
    fn at(mut self, rules: &CircuitBreaker, now: u64) -> Self {
        if self.until == 0 && self.phase == Phase::Closed && rules.interval_ms > 0 {
            self.until = now + u64::from(rules.interval_ms);
        }
        // An end further away than any can be was set before the clock was set back.
        let furthest = now + u64::from(rules.timeout_ms.max(rules.interval_ms));
        if self.until == 0 || (self.until > now && self.until <= furthest) {
            return self;
        }
        match self.phase {
            Phase::Closed => Self { until: after(now, rules.interval_ms), ..Self::default() },
            Phase::Open | Phase::HalfOpen => {
                Self { phase: Phase::HalfOpen, until: now + u64::from(rules.timeout_ms), ..Self::default() }
            }
        }
    }

    /// Lets a call through, or not: then the text says why.
    pub(super) fn admit(&mut self, rules: &CircuitBreaker, now: u64, retries: u32) -> Result<Passage, &'static str> {
        *self = self.at(rules, now);
        match self.phase {
            Phase::Closed => Ok(Passage { is_probe: false, most_retries: self.retries(rules, retries) }),
            Phase::Open => Err("circuit breaker is open"),
            Phase::HalfOpen if self.counts.requests >= rules.max_requests => {
                Err("circuit breaker is half open: too many requests")
            }
            Phase::HalfOpen => {
                self.counts.requests += 1;
                Ok(Passage { is_probe: true, most_retries: 0 })
            }
        }
    }

    fn retries(&self, rules: &CircuitBreaker, wanted: u32) -> u32 {
        let mut counts = self.counts;
        for retries in 0..wanted.min(LOOK_AHEAD) {
            counts.requests = counts.requests.saturating_add(1);
            counts.fail();
            if trip::holds(&rules.trip, &counts) {
                return retries;
            }
        }
        wanted.min(LOOK_AHEAD)
    }

    /// Takes in how a call ended: so many tries, all but the last one failed.
    pub(super) fn report(&mut self, rules: &CircuitBreaker, now: u64, is_probe: bool, tries: u32, succeeded: bool) {
        *self = self.at(rules, now);
        match (self.phase, is_probe) {
            (Phase::Closed, false) => {
                for left in (0..tries).rev() {
                    self.counts.requests = self.counts.requests.saturating_add(1);
                    if succeeded && left == 0 {
                        self.counts.succeed();
                        continue;
                    }
                    self.counts.fail();
                    if trip::holds(&rules.trip, &self.counts) {
                        return self.open(rules, now);
                    }
                }
            }
            (Phase::HalfOpen, true) if succeeded => {
                self.counts.succeed();
                if self.counts.consecutive_successes >= rules.max_requests {
                    *self = Self { until: after(now, rules.interval_ms), ..Self::default() };
                }
            }
            (Phase::HalfOpen, true) => self.open(rules, now),
            // The call began in another time.
            _ => {}
        }
    }

    fn open(&mut self, rules: &CircuitBreaker, now: u64) {
        *self = Self { phase: Phase::Open, until: now + u64::from(rules.timeout_ms.max(1)), ..Self::default() };
    }
}

fn after(now: u64, millis: u32) -> u64 {
    if millis == 0 { 0 } else { now + u64::from(millis) }
}

#[cfg(test)]
mod tests;
