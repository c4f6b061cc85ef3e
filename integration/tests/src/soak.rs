//! Tests that go on for as long as somebody wants: once in `cargo xtask test`, for minutes in `cargo xtask soak`.

use std::time::{Duration, Instant};

/// For how long one test goes on: `$WEFT_SOAK_SECONDS`, else no longer than it takes.
///
/// # Panics
/// If that is no number.
#[must_use]
pub fn time() -> Duration {
    let seconds =
        std::env::var("WEFT_SOAK_SECONDS").map_or(0, |text| text.parse().expect("WEFT_SOAK_SECONDS: a number"));
    Duration::from_secs(seconds)
}

/// Runs `round` once, and again until `time` has passed since the first one began. Gives how often.
pub fn repeat(time: Duration, mut round: impl FnMut()) -> u32 {
    let begun = Instant::now();
    for count in 1.. {
        round();
        if begun.elapsed() >= time {
            return count;
        }
    }
    unreachable!("it ends when the time is over")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_run_once_and_then_until_the_time_is_over() {
        assert_eq!(repeat(Duration::ZERO, || {}), 1);
        let mut rounds = 0;
        let begun = Instant::now();
        let told = repeat(Duration::from_millis(50), || {
            rounds += 1;
            std::thread::sleep(Duration::from_millis(10));
        });
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert!(told > 1 && told == rounds, "{told} {rounds}");
    }
}
