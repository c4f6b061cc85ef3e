//! HTTP calls that have not been answered.

use super::oneshot::{Receiver, Sender, channel};
#[cfg(feature = "etcd")]
use crate::host::GrpcOutcome;
use crate::host::{CallId, CallOutcome};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// By their numbers, with whom the outcome is for.
pub(super) struct Calls<T>(Vec<(CallId, Sender<T>)>);

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Calls<T> {
    pub(super) fn wait(&mut self, id: CallId) -> Receiver<T> {
        let (sender, receiver) = channel();
        self.0.push((id, sender));
        receiver
    }

    #[cfg(feature = "etcd")]
    pub(super) fn has(&self, id: CallId) -> bool {
        self.0.iter().any(|(known, _)| *known == id)
    }

    pub(super) fn take(&mut self, id: CallId) -> Option<Sender<T>> {
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

/// The outcome of a gRPC call, once it is there.
#[cfg(feature = "etcd")]
pub struct GrpcCall(Receiver<GrpcOutcome>);

#[cfg(feature = "etcd")]
impl GrpcCall {
    pub(super) fn new(receiver: Receiver<GrpcOutcome>) -> Self {
        Self(receiver)
    }
}

#[cfg(feature = "etcd")]
impl Future for GrpcCall {
    type Output = GrpcOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<GrpcOutcome> {
        Pin::new(&mut self.0).poll(context).map(Option::unwrap_or_default)
    }
}
