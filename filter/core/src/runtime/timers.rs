//! Deadlines.

use super::Runtime;
use crate::host::Time;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A deadline; the number tells those of one moment apart.
type Key = (Time, u32);

/// Who is to be woken when, the last one first. There are few: a list costs a module less than a tree.
#[derive(Default)]
pub(crate) struct Timers {
    by_time: Vec<(Key, Waker)>,
    next_id: u32,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Time> {
        self.by_time.last().map(|((at, _), _)| *at)
    }

    pub(super) fn due(&mut self, now: Time) -> Vec<Waker> {
        let first_due = self.by_time.partition_point(|((at, _), _)| *at > now);
        self.by_time.drain(first_due..).rev().map(|(_, waker)| waker).collect()
    }

    fn add(&mut self, at: Time, waker: Waker) -> Key {
        self.next_id = self.next_id.wrapping_add(1);
        let key = (at, self.next_id);
        let place = self.by_time.partition_point(|(known, _)| *known > key);
        self.by_time.insert(place, (key, waker));
        key
    }

    fn remove(&mut self, key: Key) {
        let place = self.by_time.partition_point(|(known, _)| *known > key);
        if self.by_time.get(place).is_some_and(|(known, _)| *known == key) {
            self.by_time.remove(place);
        }
    }
}

/// Ends when its time has come.
pub struct Sleep {
    runtime: Runtime,
    at: Time,
    key: Option<Key>,
}

impl Sleep {
    pub(super) fn new(runtime: Runtime, at: Time) -> Self {
        Self { runtime, at, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let runtime = self.runtime.clone();
        let mut timers = runtime.timers().borrow_mut();
        if let Some(key) = self.key.take() {
            timers.remove(key);
        }
        if runtime.now() >= self.at {
            return Poll::Ready(());
        }
        self.key = Some(timers.add(self.at, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.runtime.timers().borrow_mut().remove(key);
        }
    }
}
