//! Writes: one operation or many, as one of PostgreSQL's transactions.

use super::super::PgLink;
use super::super::message::{Messages, Param};
use super::super::schema::{DELETE, DELETE_IF, NOTHING_CHANGED, SET, SET_FIRST, SET_IF, Statement};
use super::super::wire::Outcome;
use super::ask;
use crate::runtime::link::{Kind, LinkError};
use crate::state::{Concurrency, Operation, StoreError, Ttl};

/// How often a transaction is tried that was undone because it was in the way of another.
const ROUNDS: u32 = 5;

/// Does all operations or none.
///
/// # Errors
/// An etag that does not fit, what PostgreSQL refuses, or an outcome that is not known.
pub(super) async fn transact(link: Option<PgLink>, operations: Vec<Operation>) -> Result<(), StoreError> {
    if operations.is_empty() {
        return Ok(());
    }
    let command = encode(&operations)?;
    for _ in 1..ROUNDS {
        let outcome = ask(link.clone(), Kind::Write, command.clone()).await.map_err(interrupted)?;
        if !outcome.refusal.as_ref().is_some_and(|refusal| refusal.is_collision()) {
            return judge(&operations, &outcome);
        }
    }
    judge(&operations, &ask(link, Kind::Write, command).await.map_err(interrupted)?)
}

/// A write that the link could not bring to an end.
fn interrupted(error: LinkError) -> StoreError {
    match error {
        LinkError::NotSent { reason } => StoreError::Unavailable { reason },
        LinkError::OutcomeUnknown { reason } => StoreError::OutcomeUnknown { reason },
    }
}

/// # Errors
/// An etag that no row can have.
#[inline(never)]
fn encode(operations: &[Operation]) -> Result<Vec<u8>, StoreError> {
    let size = operations.iter().map(|operation| match operation {
        Operation::Upsert(set) => 160 + set.key.len() + set.data.len(),
        Operation::Delete(delete) => 160 + delete.key.len(),
    });
    let mut messages = Messages::with_room(size.sum());
    for operation in operations {
        let statement = statement(operation);
        let name = if operations.len() > 1 { statement.strict } else { statement.name };
        match operation {
            Operation::Upsert(set) => {
                let seconds = if let Ttl::Seconds(seconds) = set.ttl { Some(seconds.to_string()) } else { None };
                let seconds = seconds.as_deref().map_or(Param::Null, Param::Text);
                let mut params = vec![Param::Text(&set.key), Param::Bytes(&set.data), seconds];
                params.extend(etag(operation).map(Param::Text));
                messages.run(name, params.get(..statement.parameters()).unwrap_or(&params));
            }
            Operation::Delete(delete) => {
                let mut params = vec![Param::Text(&delete.key)];
                params.extend(etag(operation).map(Param::Text));
                messages.run(name, params.get(..statement.parameters()).unwrap_or(&params));
            }
        }
        if etag(operation).is_some_and(|etag| !is_uuid(etag)) && statement.compares() {
            return Err(mismatch(operation));
        }
    }
    Ok(messages.sync())
}

/// The one that the operation's etag and concurrency ask for.
fn statement(operation: &Operation) -> Statement {
    match operation {
        Operation::Upsert(set) => match (set.concurrency, etag(operation)) {
            (Concurrency::LastWrite, _) | (Concurrency::Unspecified, None) => SET,
            (Concurrency::FirstWrite, None) => SET_FIRST,
            (_, Some(_)) => SET_IF,
        },
        Operation::Delete(delete) => match (delete.concurrency, etag(operation)) {
            (Concurrency::LastWrite, _) | (_, None) => DELETE,
            (_, Some(_)) => DELETE_IF,
        },
    }
}

/// An etag that was given; an empty one counts as none.
fn etag(operation: &Operation) -> Option<&str> {
    let etag = match operation {
        Operation::Upsert(set) => set.etag.as_deref(),
        Operation::Delete(delete) => delete.etag.as_deref(),
    };
    etag.filter(|etag| !etag.is_empty())
}

/// Whether PostgreSQL would take it for a UUID, written as PostgreSQL writes it.
fn is_uuid(etag: &str) -> bool {
    etag.len() == 36
        && etag.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// What came of it.
#[inline(never)]
fn judge(operations: &[Operation], outcome: &Outcome) -> Result<(), StoreError> {
    let (changed, many) = (&outcome.counts, operations.len() > 1);
    match (&outcome.refusal, operations) {
        (Some(refusal), _) if many && refusal.code == NOTHING_CHANGED => {
            Err(operations.get(changed.len()).map_or_else(lost_count, mismatch))
        }
        (Some(refusal), _) => Err(StoreError::Failed { reason: refusal.to_string() }),
        (None, [single]) if changed.first() == Some(&0) && statement(single) != DELETE => Err(mismatch(single)),
        (None, _) if changed.len() != operations.len() => Err(lost_count()),
        (None, _) => Ok(()),
    }
}

#[inline(never)]
fn lost_count() -> StoreError {
    StoreError::OutcomeUnknown { reason: "PostgreSQL did not say what became of each operation".to_owned() }
}

#[inline(never)]
fn mismatch(operation: &Operation) -> StoreError {
    let (what, key) = match operation {
        Operation::Upsert(set) => ("set", &set.key),
        Operation::Delete(delete) => ("delete", &delete.key),
    };
    let reason = match etag(operation) {
        Some(etag) => format!("failed to {what} key {key}: its etag is not {etag}"),
        // daprd's status.
        None => return StoreError::Failed { reason: format!("failed to {what} key {key}: there is a value") },
    };
    StoreError::EtagMismatch { reason }
}
