//! `state.in-memory`: keys and values in the memory that an Envoy's workers share.
//!
//! The keys are spread over a fixed number of buckets, each one shared value. A write of keys of one bucket is one
//! compare-and-set; a transaction over several buckets goes by a journal (see `store`). One store of a name is
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

use crate::components::Site;
use crate::components::reader::{Known, Reader};
use crate::config::{Component, Problem};
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

const KNOWN: Known<'_> = Known { names: &[&["keyPrefix", "actorStateStore", "ttlInSeconds"]], of_the_cluster: &[] };

/// Builds the store. `ttlInSeconds` is the lifetime of values that are stored without one, 0 or less for no end;
/// `keyPrefix` and `actorStateStore` are the state block's.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    let mut reader = Reader::new(component, &KNOWN);
    let ttl = default_ttl(&mut reader);
    let ttl = reader.finish(ttl)?;
    let store = Store::new(site.runtime.clone(), component.name.clone(), ttl);
    Ok(Rc::new(InMemory(Rc::new(store))))
}

fn default_ttl(reader: &mut Reader<'_>) -> Option<u32> {
    let expected = "a whole number of seconds up to 4294967295";
    let seconds = reader.parsed::<i64>("ttlInSeconds", expected).filter(|seconds| *seconds > 0)?;
    let ttl = u32::try_from(seconds).ok();
    if ttl.is_none() {
        reader.refuse("ttlInSeconds", expected);
    }
    ttl
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
