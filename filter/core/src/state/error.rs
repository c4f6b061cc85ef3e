//! Dapr's errors for state (`dapr-api` 3.2).

use super::StoreError;
use crate::error::{DaprError, Detail};

#[inline(never)]
pub(super) fn not_found(store: &str, app_id: &str) -> DaprError {
    let message = format!("state store {store} is not found");
    let metadata = vec![("appID", app_id.to_owned())];
    let error = DaprError::new(400, "ERR_STATE_STORE_NOT_FOUND", message);
    error.with(Detail::ErrorInfo { reason: "DAPR_STATE_NOT_FOUND", metadata })
}

/// The body of a save cannot be read, or not all of it makes sense.
#[inline(never)]
pub(super) fn malformed(why: &str) -> DaprError {
    DaprError::new(400, "ERR_MALFORMED_REQUEST", why.to_owned())
}

/// The body of another request cannot be read.
#[inline(never)]
pub(super) fn unreadable(why: &str) -> DaprError {
    malformed(&format!("failed deserializing HTTP body: {why}"))
}

/// The key holds what separates prefix and key.
#[inline(never)]
pub(super) fn illegal_key(store: &str, key: &str) -> DaprError {
    let message = format!("input key/keyPrefix '{key}' can't contain '||'");
    let violation = (key.to_owned(), message.clone());
    rich(store, 400, "ERR_MALFORMED_REQUEST", message, "DAPR_STATE_ILLEGAL_KEY", Vec::new())
        .with(Detail::BadRequest(vec![violation]))
}

#[inline(never)]
pub(super) fn get_failed(store: &str, key: &str, why: &StoreError) -> DaprError {
    DaprError::new(500, "ERR_STATE_GET", format!("fail to get {key} from state store {store}: {why}"))
}

#[inline(never)]
pub(super) fn bulk_get_failed(why: String) -> DaprError {
    DaprError::new(500, "ERR_STATE_BULK_GET", why)
}

/// `kind` decides the status, `why` is the text: they differ where several items failed.
#[inline(never)]
pub(super) fn save_failed(store: &str, kind: &StoreError, why: &str) -> DaprError {
    DaprError::new(status(kind), "ERR_STATE_SAVE", format!("failed saving state in state store {store}: {why}"))
}

#[inline(never)]
pub(super) fn delete_failed(key: &str, why: &StoreError) -> DaprError {
    DaprError::new(status(why), "ERR_STATE_DELETE", format!("failed deleting state with key {key}: {why}"))
}

/// Also for a conflict of etags, as in daprd.
#[inline(never)]
pub(super) fn transaction_failed(why: &StoreError) -> DaprError {
    DaprError::new(500, "ERR_STATE_TRANSACTION", format!("error while executing state transaction: {why}"))
}

#[inline(never)]
pub(super) fn unknown_operation(operation: &str) -> DaprError {
    let message = format!("operation type {operation} not supported");
    DaprError::new(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", message)
}

#[inline(never)]
pub(super) fn too_many_operations(store: &str, given: usize, most: usize) -> DaprError {
    let message = format!(
        "the transaction contains {given} operations, which is more than what the state store supports: {most}"
    );
    let metadata = vec![("currentOpsTransaction", given.to_string()), ("maxOpsPerTransaction", most.to_string())];
    let code = "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS";
    rich(store, 400, code, message, "DAPR_STATE_TOO_MANY_TRANSACTIONS", metadata)
}

#[inline(never)]
pub(super) fn no_transactions(store: &str) -> DaprError {
    let message = format!("state store {store} doesn't support transactions");
    let help = (
        "state stores and what they support",
        "https://docs.dapr.io/reference/components-reference/supported-state-stores/",
    );
    let reason = "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED";
    rich(store, 500, "ERR_STATE_STORE_NOT_SUPPORTED", message, reason, Vec::new())
        .with(Detail::Help(vec![(help.0.to_owned(), help.1.to_owned())]))
}

#[inline(never)]
pub(super) fn no_queries(store: &str) -> DaprError {
    let message = "state store does not support querying".to_owned();
    let reason = "DAPR_STATE_QUERYING_NOT_SUPPORTED";
    rich(store, 500, "ERR_STATE_STORE_NOT_SUPPORTED", message, reason, Vec::new())
}

fn status(why: &StoreError) -> u16 {
    match why {
        StoreError::EtagMismatch { .. } => 409,
        StoreError::EtagInvalid { .. } => 400,
        StoreError::Failed { .. } | StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. } => 500,
    }
}

fn rich(
    store: &str,
    status: u16,
    code: &'static str,
    message: String,
    reason: &'static str,
    metadata: Vec<(&'static str, String)>,
) -> DaprError {
    let resource = Detail::ResourceInfo {
        resource_type: "state",
        resource_name: store.to_owned(),
        owner: String::new(),
        description: message.clone(),
    };
    DaprError::new(status, code, message).with(Detail::ErrorInfo { reason, metadata }).with(resource)
}
