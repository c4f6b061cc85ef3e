//! What Dapr promises of its answers, as assertions.

use crate::client::Answer;
use serde_json::Value;

/// Asserts that `answer` is a Dapr error with this status and code, and gives its body.
///
/// # Panics
/// If it is anything else.
pub fn error(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["errorCode"], code, "{body}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    body
}

/// Asserts that `answer` is Dapr's empty success.
///
/// # Panics
/// If it is anything else.
pub fn no_content(answer: &Answer) {
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert!(answer.body.is_empty(), "{}", answer.text());
}

/// The `details` entry of a rich error with this protobuf type, such as `ErrorInfo`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn detail<'a>(body: &'a Value, kind: &str) -> &'a Value {
    let wanted = format!("type.googleapis.com/google.rpc.{kind}");
    let list = body["details"].as_array().unwrap_or_else(|| panic!("no details in {body}"));
    list.iter().find(|it| it["@type"] == wanted.as_str()).unwrap_or_else(|| panic!("no {kind} in {body}"))
}

/// A name that no other test uses: `what`, the program's id and a number.
#[must_use]
pub fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
