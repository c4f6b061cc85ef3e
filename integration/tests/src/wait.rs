//! Waiting for something that happens soon.

use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once. It bounds a failure; no success waits for it.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks `probe` again and again until it has something to give.
///
/// # Panics
/// If nothing came within `limit`; `what` says what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits, for at most [`SOON`], until `probe` holds.
pub fn until_true(what: &str, mut probe: impl FnMut() -> bool) {
    until(what, SOON, || probe().then_some(()));
}
