//! State management: the rules of Dapr's state building block, whatever the store.

mod block;
mod bulk;
mod error;
#[cfg(test)]
mod fake;
#[cfg(feature = "policies")]
pub mod guarded;
mod item;
mod key;
mod options;
mod save;
mod single;
#[cfg(test)]
mod tests;
mod transaction;

pub use block::State;

use crate::host::Time;
use crate::runtime::BoxFuture;
use std::fmt;

/// What concurrent writers may do to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// The option was not given; acts as last-write.
    #[default]
    Unspecified,
    /// A write succeeds only if nobody wrote before: with an etag if it still is that one, without if there is
    /// no value.
    FirstWrite,
    /// A write always succeeds, whatever the etag.
    LastWrite,
}

/// How soon a write must be everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The option was not given; acts as eventual.
    #[default]
    Unspecified,
    /// As soon as the store likes.
    Eventual,
    /// Before the write is answered.
    Strong,
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ttl {
    /// Not said: the component's own default.
    #[default]
    Unspecified,
    /// For ever (`ttlInSeconds: -1`, and 0 or less).
    Never,
    /// That many seconds.
    Seconds(u32),
}

/// A stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The bytes as they were stored.
    pub data: Vec<u8>,
    /// The store's mark for this version of the value, without quotes.
    pub etag: Option<String>,
    /// When it goes away, for stores that can tell.
    pub expires: Option<Time>,
}

/// One value to store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetRequest {
    /// The full key, with its prefix.
    pub key: String,
    /// The bytes to store, exactly.
    pub data: Vec<u8>,
    /// Store only over this version.
    pub etag: Option<String>,
    /// What concurrent writers may do to each other.
    pub concurrency: Concurrency,
    /// How soon it must be everywhere.
    pub consistency: Consistency,
    /// How long it lives.
    pub ttl: Ttl,
}

/// One value to remove. Removing what is not there succeeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteRequest {
    /// The full key, with its prefix.
    pub key: String,
    /// Remove only this version.
    pub etag: Option<String>,
    /// What concurrent writers may do to each other.
    pub concurrency: Concurrency,
    /// How soon it must be everywhere.
    pub consistency: Consistency,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Store a value.
    Upsert(SetRequest),
    /// Remove a value.
    Delete(DeleteRequest),
}

/// Why a store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The value is not of that version any more (HTTP 409, gRPC `ABORTED`).
    EtagMismatch {
        /// What the store said.
        reason: String,
    },
    /// No version of this store looks like that (HTTP 400).
    EtagInvalid {
        /// What the store said.
        reason: String,
    },
    /// Nothing was changed.
    Failed {
        /// What the store said, without secrets.
        reason: String,
    },
    /// The store could not be asked, and nothing was changed.
    Unavailable {
        /// What stands in the way.
        reason: String,
    },
    /// A write was sent and no answer came: it may or may not have been done.
    OutcomeUnknown {
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EtagMismatch { reason } => write!(f, "possible etag mismatch. error from state store: {reason}"),
            Self::EtagInvalid { reason } => write!(f, "invalid etag value: {reason}"),
            Self::Failed { reason } | Self::Unavailable { reason } => f.write_str(reason),
            Self::OutcomeUnknown { reason } => {
                write!(f, "the outcome is unknown, the write may or may not have been done: {reason}")
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// Whether the store does not answer, so that asking it for something else now would only be waiting.
    fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::OutcomeUnknown { .. })
    }
}

/// A state store component.
pub trait StateStore {
    /// What `/v1.0/metadata` reports, in Dapr's words and order, such as `ETAG`.
    fn capabilities(&self) -> &'static [&'static str];

    /// Reads a value; `None` if there is none.
    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>>;

    /// How many values [`StateStore::get_many`] reads with one call; 1 where it is of no use.
    #[cfg(feature = "etcd")]
    fn at_a_time(&self) -> usize {
        1
    }

    /// Reads as many values as [`StateStore::at_a_time`] says, or fewer; in the order of the keys.
    /// Those of the last keys may be missing where the store does not answer.
    #[cfg(feature = "etcd")]
    fn get_many(&self, _keys: Vec<String>) -> BoxFuture<'static, Vec<Result<Option<Record>, StoreError>>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Stores a value.
    fn set(&self, request: SetRequest) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Removes a value.
    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Does all operations in order, or none of them.
    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// How many operations one transaction may have; `None` for any number.
    fn max_operations(&self) -> Option<usize> {
        None
    }

    /// Opens what is needed to serve, before the first request. Called from a root callback of a worker.
    fn start(&self) {}

    /// Why it does not serve; `None` once its backend was reached, or where it has none.
    fn trouble(&self) -> Option<String> {
        None
    }
}
