//! Writes: set, delete and transaction.

use super::super::{Client, Command, resp::Reply};
use super::replies::{failed, interrupted};
use super::script::{self, By};
use crate::runtime::link::Kind;
use crate::state::{Concurrency, DeleteRequest, Operation, SetRequest, StoreError, Ttl};
use std::rc::Rc;

/// Stands for "no etag" in the scripts.
const ANY: &str = "0";

/// An etag that was given; an empty one counts as none.
fn given(etag: Option<&str>) -> Option<&str> {
    etag.filter(|etag| !etag.is_empty())
}

pub(super) async fn set(client: Client, default: Ttl, request: Rc<SetRequest>) -> Result<(), StoreError> {
    let fields = Fields::new(&request, default)?;
    let encode = |by| {
        let size = request.key.len() + request.data.len();
        let mut command = script::SET.call(by, 6, size);
        command.add_number(1);
        command.add(request.key.as_bytes());
        fields.add_to(&mut command, &request.data);
        command.into_bytes()
    };
    match script::run(&client, &request.key, &encode).await.map_err(interrupted)? {
        Reply::Integer(1) => Ok(()),
        Reply::Integer(0) => Err(unfit_set(&request)),
        other => Err(failed(other)),
    }
}

/// The arguments of one set in the scripts.
struct Fields {
    etag: String,
    mark: &'static str,
    ttl: String,
}

impl Fields {
    fn new(request: &SetRequest, default: Ttl) -> Result<Self, StoreError> {
        let etag = match given(request.etag.as_deref()) {
            Some(etag) if request.concurrency != Concurrency::LastWrite => version(etag)?,
            _ => ANY.to_owned(),
        };
        let first_write = request.concurrency == Concurrency::FirstWrite;
        let ttl = match request.ttl {
            Ttl::Unspecified => default,
            ttl => ttl,
        };
        Ok(Self {
            etag,
            mark: if first_write { "0" } else { "1" },
            ttl: match ttl {
                Ttl::Unspecified => String::new(),
                Ttl::Never => "-1".to_owned(),
                Ttl::Seconds(seconds) => seconds.to_string(),
            },
        })
    }

    fn add_to(&self, command: &mut Command, data: &[u8]) {
        command.add(self.etag.as_bytes());
        command.add(data);
        command.add(self.mark.as_bytes());
        command.add(self.ttl.as_bytes());
    }
}

/// A version as Redis counts it.
fn version(etag: &str) -> Result<String, StoreError> {
    match etag.parse::<i64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(StoreError::EtagInvalid { reason: format!("{etag:?} is not the number of a version") }),
    }
}

fn unfit_set(request: &SetRequest) -> StoreError {
    let key = &request.key;
    match given(request.etag.as_deref()) {
        Some(etag) => {
            StoreError::EtagMismatch { reason: format!("failed to set key {key}: its version is not {etag}") }
        }
        None => StoreError::Failed {
            reason: format!("failed to set key {key}: it was stored with first-write, so its etag must be given"),
        },
    }
}

pub(super) async fn delete(client: Client, request: Rc<DeleteRequest>) -> Result<(), StoreError> {
    let Some(etag) = given(request.etag.as_deref()).filter(|etag| *etag != ANY) else {
        let command = Command::new(2, request.key.len()).arg(b"DEL").arg(request.key.as_bytes());
        let reply = client.send(Kind::Write, request.key.as_bytes(), command.into_bytes()).await;
        return match reply.map_err(interrupted)? {
            Reply::Integer(_) => Ok(()),
            other => Err(failed(other)),
        };
    };
    let encode = |by| {
        let mut command = script::DELETE.call(by, 3, request.key.len() + etag.len());
        command.add_number(1);
        command.add(request.key.as_bytes());
        command.add(etag.as_bytes());
        command.into_bytes()
    };
    match script::run(&client, &request.key, &encode).await.map_err(interrupted)? {
        Reply::Integer(1) => Ok(()),
        Reply::Integer(0) => Err(unfit_delete(&request.key, etag)),
        other => Err(failed(other)),
    }
}

fn unfit_delete(key: &str, etag: &str) -> StoreError {
    StoreError::EtagMismatch { reason: format!("failed to delete key {key}: its version is not {etag}") }
}

/// The slot of the keys of a transaction.
///
/// # Errors
/// Its keys are not all on one node of a Redis Cluster.
#[cfg(feature = "redis-nodes")]
#[inline(never)]
pub(super) fn one_slot(client: &Client, operations: &[Operation]) -> Result<u16, StoreError> {
    let first = operations.first().map(key).unwrap_or_default();
    let slot = client.slot(first.as_bytes());
    match operations.iter().map(key).find(|key| client.slot(key.as_bytes()) != slot) {
        Some(other) => Err(StoreError::Failed { reason: apart(first, other) }),
        None => Ok(slot),
    }
}

/// There is one server, and so no slots.
#[cfg(not(feature = "redis-nodes"))]
pub(super) fn one_slot(_client: &Client, _operations: &[Operation]) -> Result<u16, StoreError> {
    Ok(0)
}

#[cfg(feature = "redis-nodes")]
#[inline(never)]
fn apart(one: &str, other: &str) -> String {
    format!(
        "the keys {one} and {other} have different hash slots in the Redis Cluster, and a transaction is done by one node: \
         give its keys the same part in braces, such as {{order-1}}"
    )
}

pub(super) async fn transact(client: Client, default: Ttl, operations: Rc<Vec<Operation>>) -> Result<(), StoreError> {
    let Some(first) = operations.first() else { return Ok(()) };
    let fields = operations
        .iter()
        .map(|operation| match operation {
            Operation::Upsert(set) => Fields::new(set, default).map(Some),
            Operation::Delete(_) => Ok(None),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let encode = |by| encode_transaction(by, &operations, &fields);
    match script::run(&client, key(first), &encode).await.map_err(interrupted)? {
        Reply::Integer(0) => Ok(()),
        Reply::Integer(number) => Err(unfit(&operations, number)),
        other => Err(failed(other)),
    }
}

fn encode_transaction(by: By, operations: &[Operation], fields: &[Option<Fields>]) -> Vec<u8> {
    let (mut arguments, mut size) = (1, 0);
    for operation in operations {
        (arguments, size) = match operation {
            Operation::Upsert(set) => (arguments + 6, size + set.key.len() + set.data.len()),
            Operation::Delete(delete) => (arguments + 3, size + delete.key.len()),
        };
    }
    let mut command = script::TRANSACT.call(by, arguments, size + 16 * arguments);
    command.add_number(operations.len() as u64);
    for operation in operations {
        command.add(key(operation).as_bytes());
    }
    for (operation, fields) in operations.iter().zip(fields) {
        match (operation, fields) {
            (Operation::Upsert(set), Some(fields)) => {
                command.add(b"S");
                fields.add_to(&mut command, &set.data);
            }
            (operation, _) => {
                command.add(b"D");
                command.add(etag(operation).unwrap_or(ANY).as_bytes());
            }
        }
    }
    command.into_bytes()
}

fn key(operation: &Operation) -> &str {
    match operation {
        Operation::Upsert(set) => &set.key,
        Operation::Delete(delete) => &delete.key,
    }
}

fn etag(operation: &Operation) -> Option<&str> {
    given(match operation {
        Operation::Upsert(set) => set.etag.as_deref(),
        Operation::Delete(delete) => delete.etag.as_deref(),
    })
}

/// The error for the operation of that number, counted from 1.
fn unfit(operations: &[Operation], number: i64) -> StoreError {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index.and_then(|index| operations.get(index)) {
        Some(Operation::Upsert(set)) => unfit_set(set),
        Some(Operation::Delete(delete)) => unfit_delete(&delete.key, given(delete.etag.as_deref()).unwrap_or(ANY)),
        None => failed(Reply::Integer(number)),
    }
}
