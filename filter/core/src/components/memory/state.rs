//! `state.in-memory`: keys and values in the memory that an Envoy's workers share.
//!
//! The keys are spread over a fixed number of buckets, each one shared value. A write of keys of one bucket is one
//! compare-and-set; a transaction over several buckets goes by a journal (see [`store`]). One store of a name is
//! common to all applications of the proxy and holds at most [`STORE_BYTES`]; keys that hash alike at most
//! [`BUCKET_BYTES`] together.

mod bucket;
mod bytes;
mod index;
mod journal;
mod store;
#[cfg(test)]
mod tests;
mod transaction;

use super::refuse_unknown;
use crate::components::{Site, metadata};
use crate::config::Component;
use crate::runtime::BoxFuture;
use crate::state::{DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError};
use std::rc::Rc;
use std::time::Duration;
use store::{Attempt, Patience, Store};

/// Bytes that one store holds at most, keys and 32 bytes for each included. Workers that write at the same moment
/// may go beyond it by what each of them writes.
pub const STORE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of all keys with the same hash. A single value may be nearly that large.
pub const BUCKET_BYTES: usize = 16 * 1024 * 1024;

/// How often a write that meets others is tried again, a few milliseconds apart.
const ROUNDS: u32 = 100;

const METADATA: &[&str] = &["keyPrefix", "actorStateStore", "ttlInSeconds"];

/// Builds the store. `ttlInSeconds` is the lifetime of values that are stored without one, 0 or less for no end;
/// `keyPrefix` and `actorStateStore` are the state block's.
///
/// # Errors
/// One line for each thing in the component that cannot be used.
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<String>> {
    let mut errors = Vec::new();
    refuse_unknown(component, METADATA, &mut errors);
    let ttl = default_ttl(component).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let store = Store::new(site.runtime.clone(), component.name.clone(), ttl);
    Ok(Rc::new(InMemory(Rc::new(store))))
}

fn default_ttl(component: &Component) -> Result<Option<u32>, String> {
    let Some(text) = metadata(component, "ttlInSeconds") else {
        return Ok(None);
    };
    let refuse = |_| {
        format!(
            "component {:?}: ttlInSeconds {text:?} is not a whole number of seconds up to {}",
            component.name,
            u32::MAX
        )
    };
    let seconds: i64 = text.trim().parse().map_err(|_| refuse(()))?;
    if seconds <= 0 {
        return Ok(None);
    }
    u32::try_from(seconds).map(Some).map_err(|_| refuse(()))
}

struct InMemory(Rc<Store>);

impl StateStore for InMemory {
    fn capabilities(&self) -> &'static [&'static str] {
        &["ETAG", "TRANSACTIONAL", "TTL"]
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let store = Rc::clone(&self.0);
        Box::pin(async move { store.get(&key) })
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        write(&self.0, vec![Operation::Upsert(request)])
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        write(&self.0, vec![Operation::Delete(request)])
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        write(&self.0, operations)
    }
}

fn write(store: &Rc<Store>, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
    let store = Rc::clone(store);
    Box::pin(async move {
        let mut patience = Patience::default();
        for round in 0..ROUNDS {
            if store.write(&operations, &mut patience)? == Attempt::Done {
                return Ok(());
            }
            // Nothing is held between the rounds. The pause differs from worker to worker.
            let pause = Duration::from_millis(1 + u64::from(store.random_byte()) % (2 + u64::from(round) / 4));
            store.runtime().sleep(pause).await;
        }
        Err(store.busy())
    })
}
