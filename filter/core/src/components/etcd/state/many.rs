//! Several values with one call: a transaction that only reads.

use super::super::client::Failure;
use super::super::wire::{self, Stored};
use super::{Place, strange_answer};
use crate::protobuf::Malformed;
use crate::state::{Record, StoreError};
use std::rc::Rc;

type Read = Result<Option<Record>, StoreError>;

/// The most values of one call. The proxy keeps 32 MiB of an answer, and etcd's values have 1.5 MiB unless it is told
/// otherwise.
pub(super) const MOST: usize = 20;

/// Reads the values of these keys as they are at one time; in their order.
pub(super) async fn get(place: Rc<Place>, keys: Vec<String>) -> Vec<Read> {
    let until = place.client.deadline();
    let (method, message) = encode(&place, &keys).into_message();
    let failed = match place.client.call(method, message, until).await {
        Ok(answer) => match wire::of_reads(&answer) {
            Ok(found) if found.len() == keys.len() => {
                return keys.iter().zip(found).map(|(key, stored)| record(&place, key, stored)).collect();
            }
            Ok(_) | Err(Malformed) => strange_answer(),
        },
        // Broken off, or larger than the proxy keeps; or a key, or their number, is more than etcd likes.
        Err(Failure::Unknown(_) | Failure::Refused(_)) if place.client.runtime().now() < until => {
            return one_by_one(place, keys).await;
        }
        Err(why) => why.of_read(),
    };
    keys.iter().map(|_| Err(failed.clone())).collect()
}

async fn one_by_one(place: Rc<Place>, keys: Vec<String>) -> Vec<Read> {
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        let read = super::get(Rc::clone(&place), key).await;
        // The others would wait as long for nothing.
        let is_away = matches!(read, Err(StoreError::Unavailable { .. }));
        all.push(read);
        if is_away {
            break;
        }
    }
    all
}

#[inline(never)]
fn encode(place: &Place, keys: &[String]) -> wire::Txn {
    let mut txn = wire::Txn::with_room(keys.iter().map(|key| 64 + place.prefix.len() + key.len()).sum());
    keys.iter().for_each(|key| txn.read(&place.full(key)));
    txn
}

fn record(place: &Place, key: &str, stored: Option<Stored>) -> Read {
    stored.map(|stored| place.record(key, stored)).transpose()
}
