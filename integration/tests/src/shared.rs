//! Sharing what is slow to start between the tests of one program.

use crate::mesh::Mesh;
use std::sync::{Arc, Mutex, PoisonError, Weak};

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
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

/// The same mesh on one worker and on four.
pub struct Meshes {
    one: Shared<Mesh>,
    four: Shared<Mesh>,
    start: fn(u32) -> Mesh,
}

impl Meshes {
    /// Meshes that `start` makes when it is given a number of workers.
    #[must_use]
    pub const fn new(start: fn(u32) -> Mesh) -> Self {
        Self { one: Shared::new(), four: Shared::new(), start }
    }

    /// The mesh on one worker, for what does not depend on their number.
    pub fn one(&self) -> Arc<Mesh> {
        self.one.get(|| (self.start)(1))
    }

    /// Runs `test` on both, and judges Envoy's log after each.
    pub fn each(&self, test: impl Fn(&Mesh)) {
        for (workers, shared) in [(1, &self.one), (4, &self.four)] {
            let mesh = shared.get(|| (self.start)(workers));
            let attempt = Attempt { mesh: &mesh, workers };
            test(&mesh);
            drop(attempt);
            mesh.envoy.check_log();
        }
    }
}

/// Says on which mesh a test failed.
struct Attempt<'a> {
    mesh: &'a Mesh,
    workers: u32,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- failed on {} workers; the last of Envoy's log ---\n{}",
                self.workers,
                self.mesh.envoy.last_lines()
            );
        }
    }
}
