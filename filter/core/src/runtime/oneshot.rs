//! One value from a callback to a flow.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

enum Slot<T> {
    Empty(Option<Waker>),
    Full(T),
    /// Sender or receiver has gone.
    Closed,
}

/// The callback's end.
pub struct Sender<T>(Rc<RefCell<Slot<T>>>);

/// The flow's end: a future of the value, or of `None` if the sender went away without one.
pub struct Receiver<T>(Rc<RefCell<Slot<T>>>);

/// A new pair.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Rc::new(RefCell::new(Slot::Empty(None)));
    (Sender(Rc::clone(&slot)), Receiver(slot))
}

impl<T> Sender<T> {
    /// Hands the value over and wakes the flow. A flow that has gone is no error.
    pub fn send(self, value: T) {
        self.put(Slot::Full(value));
    }

    /// Whether the flow still waits.
    pub fn is_wanted(&self) -> bool {
        matches!(*self.0.borrow(), Slot::Empty(_))
    }

    fn put(&self, new: Slot<T>) {
        let waker = {
            let mut slot = self.0.borrow_mut();
            let Slot::Empty(waker) = &mut *slot else {
                return;
            };
            let waker = waker.take();
            *slot = new;
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.put(Slot::Closed);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        *self.0.borrow_mut() = Slot::Closed;
    }
}

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.0.borrow_mut();
        if let Slot::Empty(waker) = &mut *slot {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *slot, Slot::Closed) {
            Slot::Full(value) => Poll::Ready(Some(value)),
            Slot::Empty(_) | Slot::Closed => Poll::Ready(None),
        }
    }
}
