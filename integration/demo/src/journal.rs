//! What an application did, for the demo to show.

use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A list of entries.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Vec<Value>>);

impl Journal {
    /// Adds an entry, with the time.
    pub fn add(&self, mut entry: Value) {
        if let Some(members) = entry.as_object_mut() {
            members.insert("at".to_owned(), now().into());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// All entries.
    pub fn all(&self) -> Value {
        Value::Array(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(millis).unwrap_or_default()
}

/// A time in milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What `work` gives, and how many milliseconds it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, millis(begun.elapsed()))
}
