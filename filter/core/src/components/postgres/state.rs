//! `state.postgresql`: one row per key, in the table that version 2 of daprd's component makes.
//!
//! The rules for etags are daprd's, so that both can work on the same rows. A transaction is one of PostgreSQL's: all
//! or nothing. Every command is sent whole, so that nothing is held in the database while the application is waited for.

mod clean;
#[cfg(test)]
mod tests;
mod write;

use super::message::{Messages, Param};
use super::schema::GET;
use super::wire::{Outcome, Reply, Wire};
use super::{PgLink, Pool, settings};
use crate::components::Site;
use crate::config::{Component, Problem};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, Link, LinkError, LinkSettings};
use crate::state::{DeleteRequest, Operation, Record, SetRequest, StateStore, StoreError};
use settings::Settings;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Builds the store of a `state.postgresql` component.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    let Settings { login, schema, timeout, clean_every, connections } = settings::read(component)?;
    let target = site.target.clone().ok_or_else(|| vec![Problem::no_link()])?;
    let patience =
        LinkSettings { fails_after: Some(Duration::from_secs(2)), reply_timeout: timeout, ..LinkSettings::default() };
    let link = |_| {
        let wire = Wire::new(site.runtime.clone(), Rc::clone(&login), Rc::clone(&schema));
        Link::new(site.runtime.clone(), target.clone(), wire, patience.clone())
    };
    let pool = Pool { links: (0..connections).map(link).collect(), turn: Cell::new(0) };
    Ok(Rc::new(PgStore { pool: Rc::new(pool), clean_every, site: site.clone() }))
}

struct PgStore {
    pool: Rc<Pool>,
    clean_every: Option<Duration>,
    site: Site,
}

impl StateStore for PgStore {
    fn capabilities(&self) -> &'static [&'static str] {
        &["ETAG", "TRANSACTIONAL", "TTL"]
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        Box::pin(get(self.pool.pick(), key))
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        self.transact(vec![Operation::Upsert(request)])
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>> {
        self.transact(vec![Operation::Delete(request)])
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(write::transact(self.pool.pick(), operations))
    }

    fn start(&self) {
        if let Some(link) = self.pool.links.first() {
            link.open();
        }
        if let Some(every) = self.clean_every {
            let (pool, runtime) = (Rc::downgrade(&self.pool), self.site.runtime.clone());
            self.site.runtime.spawn(Box::pin(clean::keep(pool, runtime, every)));
        }
    }

    fn trouble(&self) -> Option<String> {
        self.pool.links.first().and_then(PgLink::never_up)
    }
}

async fn get(link: Option<PgLink>, key: String) -> Result<Option<Record>, StoreError> {
    let mut messages = Messages::with_room(64 + key.len());
    messages.run(GET.name, &[Param::Text(&key)]);
    match ask(link, Kind::Read, messages.sync()).await {
        Ok(outcome) => record(&key, outcome),
        // Nothing was changed, whatever became of a read.
        Err(LinkError::NotSent { reason } | LinkError::OutcomeUnknown { reason }) => {
            Err(StoreError::Unavailable { reason })
        }
    }
}

/// Sends one command.
async fn ask(link: Option<PgLink>, kind: Kind, command: Vec<u8>) -> Result<Outcome, LinkError> {
    let Some(link) = link else { return Err(LinkError::NotSent { reason: "there is no connection".to_owned() }) };
    match link.send(kind, command).await? {
        Reply::Ready(outcome) => Ok(*outcome),
        // A connection that is in service is asked for nothing.
        Reply::Demand(_) => Err(LinkError::OutcomeUnknown { reason: "PostgreSQL asked for a password".to_owned() }),
    }
}

/// The value from its row.
#[inline(never)]
fn record(key: &str, outcome: Outcome) -> Result<Option<Record>, StoreError> {
    if let Some(refusal) = outcome.refusal {
        return Err(StoreError::Failed { reason: refusal.to_string() });
    }
    if outcome.too_large {
        return Err(StoreError::Failed { reason: format!("the value of {key} is larger than 64 MiB") });
    }
    let Some(row) = outcome.row else { return Ok(None) };
    let mut columns = row.into_iter();
    let mut column = || columns.next().flatten();
    let (value, etag, millis) = (column(), column(), column());
    let millis = millis.and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
    Ok(Some(Record {
        data: value.unwrap_or_default(),
        etag: etag.map(|etag| String::from_utf8_lossy(&etag).into_owned()),
        expires: millis.and_then(|millis| Some(Duration::from_millis(u64::try_from(millis).ok()?))),
    }))
}
