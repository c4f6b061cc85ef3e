//! What an application asks of one write (`dapr-api` 3.3).

use super::{Concurrency, Consistency, StoreError, Ttl};
use crate::api::query;
use std::collections::BTreeMap;

/// Metadata of a request or of one item in it.
pub(super) type Metadata = BTreeMap<String, String>;

/// `first-write`, `last-write`, or nothing.
///
/// # Errors
/// Any other text. As in daprd it is the write that fails, not the request that is malformed.
pub(super) fn concurrency(text: &str) -> Result<Concurrency, StoreError> {
    match text {
        "" => Ok(Concurrency::Unspecified),
        "first-write" => Ok(Concurrency::FirstWrite),
        "last-write" => Ok(Concurrency::LastWrite),
        other => Err(unrecognized("concurrency", other, "first-write or last-write")),
    }
}

/// `strong`, `eventual`, or nothing.
///
/// # Errors
/// As [`concurrency`].
pub(super) fn consistency(text: &str) -> Result<Consistency, StoreError> {
    match text {
        "" => Ok(Consistency::Unspecified),
        "eventual" => Ok(Consistency::Eventual),
        "strong" => Ok(Consistency::Strong),
        other => Err(unrecognized("consistency", other, "strong or eventual")),
    }
}

/// `ttlInSeconds` of the first metadata that has it: a whole number, which for 0 and less means "for ever".
///
/// # Errors
/// Any other text.
pub(super) fn ttl(metadata: &[&Metadata]) -> Result<Ttl, StoreError> {
    let given = metadata.iter().find_map(|some| query::find(some, "ttlInSeconds"));
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(Ttl::Unspecified);
    };
    match text.parse::<i64>() {
        Ok(seconds) if seconds <= 0 => Ok(Ttl::Never),
        Ok(seconds) => Ok(Ttl::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX))),
        Err(_) => {
            Err(failed(format!("incorrect value {text:?} for metadata ttlInSeconds: use a whole number of seconds")))
        }
    }
}

#[inline(never)]
fn unrecognized(option: &str, text: &str, known: &str) -> StoreError {
    failed(format!("unrecognized {option} {text:?}: use {known}"))
}

fn failed(reason: String) -> StoreError {
    StoreError::Failed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_exactly_daprs_words() {
        assert_eq!(concurrency("first-write"), Ok(Concurrency::FirstWrite));
        assert_eq!(concurrency("last-write"), Ok(Concurrency::LastWrite));
        assert_eq!(concurrency(""), Ok(Concurrency::Unspecified));
        assert_eq!(consistency("strong"), Ok(Consistency::Strong));
        assert_eq!(consistency("eventual"), Ok(Consistency::Eventual));
        assert_eq!(consistency(""), Ok(Consistency::Unspecified));
        for text in ["First-Write", "firstwrite", " ", "strong", "null"] {
            let why = concurrency(text).unwrap_err().to_string();
            assert_eq!(why, format!("unrecognized concurrency {text:?}: use first-write or last-write"));
        }
        let why = consistency("STRONG").unwrap_err().to_string();
        assert_eq!(why, "unrecognized consistency \"STRONG\": use strong or eventual");
    }

    #[test]
    fn a_ttl_is_a_whole_number_of_any_size() {
        let read = |text: &str| ttl(&[&Metadata::from([("TTLInSeconds".to_owned(), text.to_owned())])]);
        for (text, expected) in [
            ("", Ttl::Unspecified),
            ("-1", Ttl::Never),
            ("0", Ttl::Never),
            ("1", Ttl::Seconds(1)),
            ("+60", Ttl::Seconds(60)),
            ("4294967295", Ttl::Seconds(u32::MAX)),
            ("9223372036854775807", Ttl::Seconds(u32::MAX)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        assert_eq!(ttl(&[&Metadata::new()]), Ok(Ttl::Unspecified));
        for text in ["1.5", "1s", " 1", "ten", "9223372036854775808", "-"] {
            let why = read(text).unwrap_err().to_string();
            assert!(why.contains(&format!("{text:?}")) && why.contains("ttlInSeconds"), "{why}");
        }
    }
}
