//! The whole block: requests as the front door hands them over, answers as they go out.

mod bulk;
mod errors;
mod save;
mod single;
mod transaction;

use super::fake::Fixture;
use super::{Concurrency, Consistency, StoreError, Ttl};
use crate::http::{Headers, Reply};
use serde_json::{Value, json};

/// Status, `errorCode` and message.
fn error(reply: &Reply) -> (u16, String, String) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("errorCode"), text("message"))
}

fn expect_error(reply: &Reply, status: u16, code: &str, message: &str) {
    assert_eq!(error(reply), (status, code.to_owned(), message.to_owned()));
}

fn is_saved(reply: &Reply) {
    assert_eq!(*reply, Reply::no_content(), "{}", String::from_utf8_lossy(&reply.body));
}

fn mismatch() -> StoreError {
    StoreError::EtagMismatch { reason: "it has changed".to_owned() }
}

fn invalid() -> StoreError {
    StoreError::EtagInvalid { reason: "no number".to_owned() }
}

fn failed() -> StoreError {
    StoreError::Failed { reason: "it is full".to_owned() }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: "no connection".to_owned() }
}

fn unknown() -> StoreError {
    StoreError::OutcomeUnknown { reason: "the link died".to_owned() }
}
