//! Deadlines.

use super::Runtime;
use crate::host::Time;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Who is to be woken when, in order of time.
#[derive(Default)]
pub(crate) struct Timers {
    by_time: BTreeMap<(Time, u32), Waker>,
    next_id: u32,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Time> {
        self.by_time.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn due(&mut self, now: Time) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.by_time.first_entry() {
            if entry.key().0 > now {
                break;
            }
            due.push(entry.remove());
        }
        due
    }

    fn add(&mut self, at: Time, waker: Waker) -> (Time, u32) {
        self.next_id = self.next_id.wrapping_add(1);
        let key = (at, self.next_id);
        self.by_time.insert(key, waker);
        key
    }
}

/// Ends when its time has come.
pub struct Sleep {
    runtime: Runtime,
    at: Time,
    key: Option<(Time, u32)>,
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
            timers.by_time.remove(&key);
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
            self.runtime.timers().borrow_mut().by_time.remove(&key);
        }
    }
}
