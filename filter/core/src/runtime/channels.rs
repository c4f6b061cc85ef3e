//! Waking flows of the other root contexts of the same VM.
//!
//! Each application of a proxy has a root context in every worker's VM, so whatever one of them does is told to the
//! others without leaving the worker. The proxy's shared queues could tell other workers too, but a queue outlives
//! the VM that made it: Envoy then calls whatever context has that number in the next VM, and the SDK stops that VM.

use super::{Inner, Runtime, Signal};
use crate::by_name::ByName;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// Who in one VM wants to hear of what. Cheap to clone.
#[derive(Clone, Default)]
pub struct Channels(Rc<RefCell<ByName<Vec<Listener>>>>);

struct Listener {
    /// A root that has ended hears nothing.
    runtime: Weak<Inner>,
    signal: Signal,
}

impl Channels {
    pub(super) fn listen(&self, channel: &str, runtime: &Runtime) -> Signal {
        let mut channels = self.0.borrow_mut();
        let listeners = channels.get_or_insert_with(channel, Vec::new);
        listeners.retain(|listener| listener.runtime.strong_count() > 0);
        let own = listeners.iter().find(|listener| std::ptr::eq(listener.runtime.as_ptr(), Rc::as_ptr(&runtime.0)));
        if let Some(own) = own {
            return own.signal.clone();
        }
        let signal = Signal::default();
        listeners.push(Listener { runtime: Rc::downgrade(&runtime.0), signal: signal.clone() });
        signal
    }

    pub(super) fn notify(&self, channel: &str) {
        for listener in self.0.borrow().get(channel).into_iter().flatten() {
            if let Some(runtime) = listener.runtime.upgrade() {
                listener.signal.raise();
                Runtime(runtime).run_soon();
            }
        }
    }
}
