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

use super::{Command, RedisLink, resp::Reply, settings};
use crate::components::Site;
use crate::config::{Component, Problem};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError, LinkSettings};
use crate::state::{Consistency, DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError, Ttl};
use std::rc::Rc;

/// Builds the store of a `state.redis` component.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    let settings = settings::state(component)?;
    let target = super::target(site)?;
    let patience = LinkSettings { fails_at_once: true, ..LinkSettings::default() };
    let link = || super::link(site, target.clone(), &settings.login, patience.clone());
    Ok(Rc::new(RedisStore { link: link(), strong: link(), ttl: settings.ttl }))
}

/// A write under way.
type Writing = BoxFuture<'static, Result<(), StoreError>>;

struct RedisStore {
    link: RedisLink,
    /// For writes that wait for replicas; opened by the first.
    strong: RedisLink,
    /// For values without a TTL of their own.
    ttl: Ttl,
}

impl StateStore for RedisStore {
    fn capabilities(&self) -> &'static [&'static str] {
        &["ETAG", "TRANSACTIONAL", "TTL"]
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        Box::pin(get(self.link.clone(), key))
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        let ttl = self.ttl;
        self.write(request.consistency, |link| Box::pin(write::set(link, ttl, request)))
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        self.write(request.consistency, |link| Box::pin(write::delete(link, request)))
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        let ttl = self.ttl;
        self.write(strictest(&operations), |link| Box::pin(write::transact(link, ttl, operations)))
    }

    fn start(&self) {
        self.link.open();
    }

    fn trouble(&self) -> Option<String> {
        self.link.never_up()
    }
}

impl RedisStore {
    /// Sends a write over the link that its consistency asks for.
    fn write(&self, consistency: Consistency, write: impl FnOnce(RedisLink) -> Writing) -> Writing {
        match consistency {
            Consistency::Strong => Box::pin(strong::write(self.strong.clone(), write(self.strong.clone()))),
            Consistency::Eventual | Consistency::Unspecified => write(self.link.clone()),
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

async fn get(link: RedisLink, key: String) -> Result<Option<Record>, StoreError> {
    match read(&link, b"HGETALL", &key).await? {
        Reply::Array(fields) => replies::record(&key, fields),
        // A plain string, written by something else than Dapr, is served without a version.
        error if error.is_error("WRONGTYPE") => match read(&link, b"GET", &key).await? {
            Reply::Bulk(data) => Ok(Some(Record { data, etag: None, expires: None })),
            Reply::Nil => Ok(None),
            other => Err(replies::failed(other)),
        },
        other => Err(replies::failed(other)),
    }
}

async fn read(link: &RedisLink, command: &[u8], key: &str) -> Result<Reply, StoreError> {
    let command = Command::new(2, key.len()).arg(command).arg(key.as_bytes());
    let reply = link.send(Kind::Read, command.into_bytes()).await;
    // Nothing was changed, whatever became of a read.
    reply.map_err(|error| StoreError::Unavailable {
        reason: match error {
            LinkError::NotSent { reason } | LinkError::OutcomeUnknown { reason } => reason,
        },
    })
}
