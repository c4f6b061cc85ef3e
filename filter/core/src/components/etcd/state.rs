//! `state.etcd`: one key per value, as daprd's component writes it.
//!
//! The etag is the number of a key's last write (`mod_revision`). Every write is one transaction of etcd's, so that what
//! was compared still holds when it is done.

mod many;
mod plan;
#[cfg(test)]
mod tests;
mod write;

use super::client::{Client, Failure, Method};
use super::settings::{self, Format, Settings};
use super::wire::{self, Stored};
use crate::components::Site;
use crate::config::{Component, LogLevel, Problem};
use crate::log_line::Line;
use crate::protobuf::Malformed;
use crate::runtime::BoxFuture;
use crate::state::{DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Pauses between attempts to reach etcd for the first time; the last one is repeated.
const PAUSES_MS: [u64; 5] = [100, 300, 1000, 2000, 5000];

/// Builds the store of a `state.etcd` component.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    let Settings { format, prefix, max_operations } = settings::read(component)?;
    let target = site.target.clone().ok_or_else(|| vec![Problem::no_link()])?;
    let client = Client::new(site.runtime.clone(), target.backend);
    let place = Place { name: component.name.clone(), client, format, prefix, trouble: RefCell::default() };
    Ok(Rc::new(EtcdStore { place: Rc::new(place), max_operations }))
}

/// Where the values of one component are.
struct Place {
    /// The component's.
    name: String,
    client: Client,
    format: Format,
    /// What stands before each key.
    prefix: String,
    /// Why etcd was not reached yet; empty before the first attempt, too.
    trouble: RefCell<Option<String>>,
}

struct EtcdStore {
    place: Rc<Place>,
    max_operations: usize,
}

impl StateStore for EtcdStore {
    fn capabilities(&self) -> &'static [&'static str] {
        &["ETAG", "TRANSACTIONAL", "TTL"]
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        Box::pin(get(Rc::clone(&self.place), key))
    }

    fn at_a_time(&self) -> usize {
        many::MOST.min(self.max_operations)
    }

    fn get_many(&self, keys: Vec<String>) -> BoxFuture<'static, Vec<Result<Option<Record>, StoreError>>> {
        Box::pin(many::get(Rc::clone(&self.place), keys))
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        self.transact(vec![Operation::Upsert(request)])
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        self.transact(vec![Operation::Delete(request)])
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(write::transact(Rc::clone(&self.place), operations))
    }

    fn max_operations(&self) -> Option<usize> {
        Some(self.max_operations)
    }

    fn start(&self) {
        self.place.client.runtime().spawn(Box::pin(Rc::clone(&self.place).greet()));
    }

    fn trouble(&self) -> Option<String> {
        self.place.trouble.borrow().clone()
    }
}

impl Place {
    /// A key as etcd knows it.
    fn full(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    /// Asks until etcd has answered once, so that health can tell why it does not.
    async fn greet(self: Rc<Self>) {
        let mut pauses = PAUSES_MS.into_iter();
        let mut pause = 0;
        while let Err(why) = self.look().await {
            let reason = why.reason();
            let before = self.trouble.replace(Some(reason.to_owned()));
            if before.as_deref() != Some(reason) {
                let about = [("store", self.name.as_str())];
                let line = Line { component: "etcd", about: &about, what: "etcd does not serve", why: reason };
                self.client.runtime().log(LogLevel::Warn, &line);
            }
            pause = pauses.next().unwrap_or(pause);
            self.client.runtime().sleep(Duration::from_millis(pause)).await;
        }
        self.trouble.replace(None);
    }

    async fn look(&self) -> Result<(), Failure> {
        let until = self.client.deadline();
        self.client.call(Method::Range, wire::range(&self.prefix), until).await.map(|_| ())
    }

    /// What a stored value says.
    #[inline(never)]
    fn record(&self, key: &str, stored: Stored) -> Result<Record, StoreError> {
        let etag = Some(stored.revision.to_string());
        match self.format {
            Format::Bare => Ok(Record { data: stored.value, etag, expires: None }),
            Format::Timed => match wire::unpack(&stored.value) {
                Ok((data, expires)) => Ok(Record { data, etag, expires }),
                Err(Malformed) => Err(strange_value(key)),
            },
        }
    }
}

async fn get(place: Rc<Place>, key: String) -> Result<Option<Record>, StoreError> {
    let until = place.client.deadline();
    let answer = place.client.read(Method::Range, wire::range(&place.full(&key)), until).await;
    let found = wire::of_range(&answer.map_err(Failure::of_read)?).map_err(|Malformed| strange_answer())?;
    found.map(|stored| place.record(&key, stored)).transpose()
}

#[inline(never)]
fn strange_value(key: &str) -> StoreError {
    let reason =
        ["the value of ", key, " is not in the form of state.etcd v2; if v1 wrote it, use version v1"].concat();
    StoreError::Failed { reason }
}

#[inline(never)]
fn strange_answer() -> StoreError {
    StoreError::Unavailable { reason: "etcd's answer cannot be read".to_owned() }
}
