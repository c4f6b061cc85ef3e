//! Waking a flow that waits for "something happened, or that time has passed".

use super::Sleep;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct State {
    raised: bool,
    waker: Option<Waker>,
}

/// Raised by anybody, heard by one flow. Raising it before the flow waits is not lost. Cheap to clone.
#[derive(Clone, Default)]
pub struct Signal(Rc<RefCell<State>>);

impl Signal {
    /// Wakes the flow that waits, or the next one that will.
    pub fn raise(&self) {
        let waker = {
            let mut state = self.0.borrow_mut();
            state.raised = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends when the signal is raised or the time has come.
    pub fn raised_or(self, sleep: Sleep) -> impl Future<Output = ()> {
        RaisedOr { signal: self, sleep }
    }
}

struct RaisedOr {
    signal: Signal,
    sleep: Sleep,
}

impl Future for RaisedOr {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut state = self.signal.0.borrow_mut();
            if std::mem::take(&mut state.raised) {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
        }
        Pin::new(&mut self.sleep).poll(context)
    }
}
