//! HTTP calls that have not been answered.

use super::oneshot::{Receiver, Sender, channel};
use crate::host::{CallId, CallOutcome};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Default)]
pub(super) struct Calls(Vec<(CallId, Sender<CallOutcome>)>);

impl Calls {
    pub(super) fn wait(&mut self, id: CallId) -> Receiver<CallOutcome> {
        let (sender, receiver) = channel();
        self.0.push((id, sender));
        receiver
    }

    pub(super) fn take(&mut self, id: CallId) -> Option<Sender<CallOutcome>> {
        let at = self.0.iter().position(|(known, _)| *known == id)?;
        Some(self.0.remove(at).1)
    }
}

/// The outcome of an HTTP call, once it is there.
pub struct Call(Receiver<CallOutcome>);

impl Call {
    pub(super) fn new(receiver: Receiver<CallOutcome>) -> Self {
        Self(receiver)
    }
}

impl Future for Call {
    type Output = CallOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CallOutcome> {
        Pin::new(&mut self.0).poll(context).map(|outcome| outcome.unwrap_or(CallOutcome::Failed { status: 0 }))
    }
}
