//! A store behind its outbound policy.

use super::{DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError};
use crate::resiliency::component::{Failure, Guard};
use crate::runtime::BoxFuture;
use std::rc::Rc;

/// Does each operation as often as the policy says.
pub struct Guarded {
    store: Rc<dyn StateStore>,
    guard: Rc<Guard>,
}

impl Guarded {
    /// Puts the policy before the store.
    pub fn before(store: Rc<dyn StateStore>, guard: Rc<Guard>) -> Rc<dyn StateStore> {
        Rc::new(Self { store, guard })
    }
}

impl Failure for StoreError {
    fn held(why: &str) -> Self {
        Self::Unavailable { reason: why.to_owned() }
    }

    fn late(millis: u32) -> Self {
        Self::OutcomeUnknown { reason: format!("no answer in the {millis} ms of the component's policy") }
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::EtagMismatch { .. } | Self::EtagInvalid { .. })
    }
}

impl StateStore for Guarded {
    fn capabilities(&self) -> &'static [&'static str] {
        self.store.capabilities()
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let store = Rc::clone(&self.store);
        Box::pin(Rc::clone(&self.guard).run(move || store.get(key.clone())))
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        let store = Rc::clone(&self.store);
        self.write(Box::new(move || store.set(request.clone())))
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        let store = Rc::clone(&self.store);
        self.write(Box::new(move || store.delete(request.clone())))
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        let store = Rc::clone(&self.store);
        self.write(Box::new(move || store.transact(operations.clone())))
    }

    fn max_operations(&self) -> Option<usize> {
        self.store.max_operations()
    }

    fn start(&self) {
        self.store.start();
    }

    fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }
}

type Attempt = Box<dyn Fn() -> BoxFuture<'static, Result<(), StoreError>>>;

impl Guarded {
    fn write(&self, attempt: Attempt) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(Rc::clone(&self.guard).run(attempt))
    }
}
