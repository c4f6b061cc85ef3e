//! Which flows want to be polled.

use super::tasks::TaskId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

/// The flows that were woken, in order, each once. Wakers must be `Send`, hence the lock; nobody ever waits for it.
#[derive(Default)]
pub(super) struct ReadyQueue(Mutex<VecDeque<Arc<TaskWaker>>>);

impl ReadyQueue {
    pub(super) fn push(&self, flow: Arc<TaskWaker>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(flow);
    }

    /// The next flow. It stays marked as woken until [`TaskWaker::begin`].
    pub(super) fn pop(&self) -> Option<Arc<TaskWaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Wakes one flow: puts it into the queue, unless it is there already.
pub(super) struct TaskWaker {
    queue: Arc<ReadyQueue>,
    pub(super) id: TaskId,
    is_woken: AtomicBool,
    rests: AtomicBool,
}

impl TaskWaker {
    pub(super) fn new(queue: &Arc<ReadyQueue>, id: TaskId) -> Arc<Self> {
        Arc::new(Self { queue: Arc::clone(queue), id, is_woken: AtomicBool::default(), rests: AtomicBool::default() })
    }

    /// The flow is polled now: what wakes it from here on counts anew.
    pub(super) fn begin(&self) {
        self.is_woken.store(false, Ordering::Relaxed);
    }

    /// The flow was polled and has not ended. If it woke itself it has more to do at once, and wants others to have
    /// their turn first.
    pub(super) fn pause(&self) {
        self.rests.store(self.is_woken.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether this turn is for others.
    pub(super) fn rested(&self) -> bool {
        self.rests.swap(false, Ordering::Relaxed)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::Relaxed) {
            self.queue.push(Arc::clone(self));
        }
    }
}
