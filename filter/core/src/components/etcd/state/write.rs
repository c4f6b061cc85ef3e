//! Writes: one operation or many, as one of etcd's transactions.

use super::super::client::{Failure, Method};
use super::super::wire::{self, Outcome, Txn};
use super::plan::{self, Change, Demand};
use super::{Place, strange_answer};
use crate::host::Time;
use crate::protobuf::Malformed;
use crate::state::{Operation, StoreError};
use std::collections::BTreeMap;
use std::rc::Rc;

type Changes<'a> = BTreeMap<&'a str, Change<'a>>;

/// Does all operations or none.
///
/// # Errors
/// An etag that does not fit, what etcd refuses, or an outcome that is not known.
pub(super) async fn transact(place: Rc<Place>, operations: Vec<Operation>) -> Result<(), StoreError> {
    let changes = plan::plan(&operations)?;
    if changes.is_empty() {
        return Ok(());
    }
    let until = place.client.deadline();
    let leases = grant(&place, &changes, until).await?;
    let (method, message) = encode(&place, &changes, &leases).into_message();
    let ended = place.client.call(method, message, until).await;
    let ended = match ended.as_deref().map(wire::of_txn) {
        Ok(Ok(Outcome::Done)) => return Ok(()),
        Ok(Ok(Outcome::Unmet(seen))) => unmet(&operations, &changes, &seen),
        Ok(Err(Malformed)) => lost(),
        Err(why) => why.clone().of_write(),
    };
    // Of no use any more, unless the write may have been done.
    if !matches!(ended, StoreError::OutcomeUnknown { .. }) {
        revoke(&place, leases);
    }
    Err(ended)
}

/// A lease for each length of life among the values.
async fn grant(place: &Place, changes: &Changes<'_>, until: Time) -> Result<BTreeMap<u32, i64>, StoreError> {
    let mut leases = BTreeMap::new();
    let lives = changes.values().filter_map(|change| change.set).map(plan::seconds);
    for seconds in lives.filter(|seconds| *seconds > 0) {
        if leases.contains_key(&seconds) {
            continue;
        }
        let answer = place.client.call(Method::Grant, wire::grant(seconds), until).await;
        let lease = answer.map_err(Failure::of_read)?;
        leases.insert(seconds, wire::of_grant(&lease).map_err(|Malformed| strange_answer())?);
    }
    Ok(leases)
}

/// Ends leases without letting anybody wait for it. What fails ends by itself.
fn revoke(place: &Rc<Place>, leases: BTreeMap<u32, i64>) {
    for lease in leases.into_values() {
        let place = Rc::clone(place);
        place.client.runtime().clone().spawn(Box::pin(async move {
            let until = place.client.deadline();
            let _ended_anyway = place.client.call(Method::Revoke, wire::revoke(lease), until).await;
        }));
    }
}

#[inline(never)]
fn encode(place: &Place, changes: &Changes<'_>, leases: &BTreeMap<u32, i64>) -> Txn {
    let size = |(key, change): (&&str, &Change<'_>)| {
        160 + 3 * (place.prefix.len() + key.len()) + change.set.map_or(0, |set| set.data.len())
    };
    let mut txn = Txn::with_room(changes.iter().map(size).sum());
    let now = place.client.runtime().host().now();
    for (key, change) in changes {
        let key = place.full(key);
        if let Some(Demand { revision, .. }) = change.demand {
            txn.demand(&key, revision);
            txn.else_look(&key);
        }
        match change.set {
            Some(set) => {
                let seconds = plan::seconds(set);
                let lease = leases.get(&seconds).copied().unwrap_or_default();
                txn.put(&key, &wire::pack(place.format, &set.data, now, seconds), lease);
            }
            None => txn.delete(&key),
        }
    }
    txn
}

/// Which demand was not met: the first one in the order of the operations.
#[inline(never)]
fn unmet(operations: &[Operation], changes: &Changes<'_>, seen: &[i64]) -> StoreError {
    let demands = changes.values().filter_map(|change| change.demand);
    let failed = demands.zip(seen).filter(|(demand, seen)| demand.revision != **seen);
    let first = failed.map(|(demand, _)| demand.operation).min();
    match first.and_then(|at| operations.get(at)) {
        Some(operation) => plan::mismatch(operation),
        None => StoreError::EtagMismatch { reason: "etcd found another value".to_owned() },
    }
}

#[inline(never)]
fn lost() -> StoreError {
    StoreError::OutcomeUnknown { reason: "etcd's answer cannot be read".to_owned() }
}
