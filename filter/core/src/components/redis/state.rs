//! `state.redis`: one hash per key with the fields `data`, `version` and, after a first-write set, `first-write`.
//!
//! The layout and the rules for versions are daprd's, so that both can work on the same data. Beyond daprd, a
//! write and its TTL are one step, and a transaction is all or nothing.
//!
//! A write with consistency `strong` is answered once all replicas have it. A read is the same with both: it is served
//! by the Redis that takes the writes.

#[cfg(test)]
mod fake;
mod replies;
mod script;
mod strong;
#[cfg(test)]
mod tests;
mod write;

use super::{Client, Command, Reach, resp::Reply, settings};
use crate::components::Site;
use crate::config::{Component, Problem};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError, LinkSettings};
use crate::state::{Consistency, DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError, Ttl};
use std::rc::Rc;
use std::time::Duration;

/// Builds the store of a `state.redis` component.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    let settings = settings::state(component)?;
    let reach = Reach::new(site, settings.login, settings.servers)?;
    let patience = LinkSettings { fails_after: Some(Duration::from_secs(2)), ..LinkSettings::default() };
    let client = || reach.client(patience.clone());
    Ok(Rc::new(RedisStore { client: client(), strong: client(), ttl: settings.ttl }))
}

/// A write under way.
type Writing = BoxFuture<'static, Result<(), StoreError>>;

struct RedisStore {
    client: Client,
    /// For writes that wait for replicas; its connections are opened by the first.
    strong: Client,
    /// For values without a TTL of their own.
    ttl: Ttl,
}

impl StateStore for RedisStore {
    fn capabilities(&self) -> &'static [&'static str] {
        &["ETAG", "TRANSACTIONAL", "TTL"]
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        Box::pin(get(self.client.clone(), key))
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        let (ttl, slot, request) = (self.ttl, self.client.slot(request.key.as_bytes()), Rc::new(request));
        self.write(request.consistency, slot, move |client| Box::pin(write::set(client, ttl, Rc::clone(&request))))
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        let (slot, request) = (self.client.slot(request.key.as_bytes()), Rc::new(request));
        self.write(request.consistency, slot, move |client| Box::pin(write::delete(client, Rc::clone(&request))))
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        let slot = match write::one_slot(&self.client, &operations) {
            Ok(slot) => slot,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let (ttl, consistency, operations) = (self.ttl, strictest(&operations), Rc::new(operations));
        self.write(consistency, slot, move |client| Box::pin(write::transact(client, ttl, Rc::clone(&operations))))
    }

    fn start(&self) {
        self.client.open();
    }

    fn trouble(&self) -> Option<String> {
        self.client.never_up()
    }
}

impl RedisStore {
    /// Sends a write about a key of that slot by the client that its consistency asks for.
    fn write(&self, consistency: Consistency, slot: u16, write: impl Fn(Client) -> Writing + 'static) -> Writing {
        match consistency {
            Consistency::Strong => strong::write(self.strong.clone(), slot, Box::new(write)),
            Consistency::Eventual | Consistency::Unspecified => write(self.client.clone()),
        }
    }
}

/// What a transaction asks for: what any of its operations does.
fn strictest(operations: &[Operation]) -> Consistency {
    let is_strong = operations.iter().any(|operation| match operation {
        Operation::Upsert(set) => set.consistency == Consistency::Strong,
        Operation::Delete(delete) => delete.consistency == Consistency::Strong,
    });
    if is_strong { Consistency::Strong } else { Consistency::Unspecified }
}

async fn get(client: Client, key: String) -> Result<Option<Record>, StoreError> {
    match read(&client, b"HGETALL", &key).await? {
        Reply::Array(fields) => replies::record(&key, fields),
        // A plain string, written by something else than Dapr, is served without a version.
        error if error.is_error("WRONGTYPE") => match read(&client, b"GET", &key).await? {
            Reply::Bulk(data) => Ok(Some(Record { data, etag: None, expires: None })),
            Reply::Nil => Ok(None),
            other => Err(replies::failed(other)),
        },
        other => Err(replies::failed(other)),
    }
}

async fn read(client: &Client, command: &[u8], key: &str) -> Result<Reply, StoreError> {
    let command = Command::new(2, key.len()).arg(command).arg(key.as_bytes());
    let reply = client.send(Kind::Read, key.as_bytes(), command.into_bytes()).await;
    // Nothing was changed, whatever became of a read.
    reply.map_err(|error| StoreError::Unavailable {
        reason: match error {
            LinkError::NotSent { reason } | LinkError::OutcomeUnknown { reason } => reason,
        },
    })
}
