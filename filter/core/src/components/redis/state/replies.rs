//! What Redis' replies mean for a state store.

use super::super::resp::Reply;
use crate::runtime::link::LinkError;
use crate::state::{Record, StoreError};

/// The value from the fields of its hash; `None` for no hash.
///
/// # Errors
/// [`StoreError::Failed`] for a hash that is not Dapr's.
pub(super) fn record(key: &str, fields: Vec<Reply>) -> Result<Option<Record>, StoreError> {
    if fields.is_empty() {
        return Ok(None);
    }
    let (mut data, mut version) = (None, None);
    let mut fields = fields.into_iter();
    while let (Some(Reply::Bulk(name)), Some(Reply::Bulk(value))) = (fields.next(), fields.next()) {
        match name.as_slice() {
            b"data" => data = Some(value),
            b"version" => version = Some(value),
            _ => {}
        }
    }
    let (Some(data), Some(version)) = (data, version) else {
        return Err(StoreError::Failed {
            reason: format!("the Redis hash {key} has no data or no version: Dapr did not write it"),
        });
    };
    Ok(Some(Record { data, etag: Some(String::from_utf8_lossy(&version).into_owned()), expires: None }))
}

/// Redis did not do it.
pub(super) fn failed(reply: Reply) -> StoreError {
    StoreError::Failed { reason: reply.unexpected() }
}

/// A write that the link could not bring to an end.
pub(super) fn interrupted(error: LinkError) -> StoreError {
    match error {
        LinkError::NotSent { reason } => StoreError::Unavailable { reason },
        LinkError::OutcomeUnknown { reason } => StoreError::OutcomeUnknown { reason },
    }
}
