//! Sharing what is slow to start between the tests of one program.

use std::sync::{Arc, Mutex, Weak};

/// Something that lives as long as any test uses it, and is started again when one comes later. So its end runs
/// inside a test, and what the end finds wrong fails that test.
pub struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// What runs, or else what `start` gives.
    pub fn get(&self, start: impl FnOnce() -> T) -> Arc<T> {
        // A start that failed poisons nothing that the next one needs.
        let mut place = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        place.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(start());
            *place = Arc::downgrade(&fresh);
            fresh
        })
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}
