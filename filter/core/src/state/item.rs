//! One item of a save, or the request of one operation of a transaction, as it was sent (`dapr-api` 3.1).

use super::options::{self, Metadata};
use super::{DeleteRequest, SetRequest, StoreError};
use crate::json::{JsonError, RawObject, RawValue};
use std::borrow::Cow;

/// What is stored for an item that has no value.
const NO_VALUE: &str = "null";

/// An item whose members have the right types; what its options say was not judged yet.
pub(super) struct Item<'a> {
    /// The application's key; empty if there was none.
    pub(super) key: Cow<'a, str>,
    value: Option<RawValue<'a>>,
    etag: Option<String>,
    metadata: Metadata,
    /// Lent, not merged into each item: many small items with a long query would fill the proxy's memory.
    of_request: &'a Metadata,
    concurrency: Cow<'a, str>,
    consistency: Cow<'a, str>,
}

impl<'a> Item<'a> {
    /// Reads an object; `name` stands for it in errors. The metadata of the request goes before the item's own.
    ///
    /// # Errors
    /// No object, or a member of another type than Dapr's.
    #[inline(never)]
    pub(super) fn read(value: RawValue<'a>, name: &str, of_request: &'a Metadata) -> Result<Self, JsonError> {
        Self::of(&RawObject::of(value, name)?, of_request)
    }

    /// Same as [`Item::read`], from its members.
    ///
    /// # Errors
    /// A member of another type than Dapr's.
    #[inline(never)]
    pub(super) fn of(fields: &RawObject<'a>, of_request: &'a Metadata) -> Result<Self, JsonError> {
        let options = fields.object("options")?.unwrap_or_default();
        // Known to Dapr, without meaning for values that are kept as they were sent.
        fields.string("contentType")?;
        Ok(Self {
            key: fields.string("key")?.unwrap_or_default(),
            value: fields.get("value"),
            etag: fields.string("etag")?.map(Cow::into_owned),
            metadata: fields.string_map("metadata")?.unwrap_or_default(),
            of_request,
            concurrency: options.string("concurrency")?.unwrap_or_default(),
            consistency: options.string("consistency")?.unwrap_or_default(),
        })
    }

    /// The write of this item under its full key. The value keeps every byte.
    ///
    /// # Errors
    /// Options or a TTL that are not Dapr's.
    #[inline(never)]
    pub(super) fn into_set(self, full_key: String) -> Result<SetRequest, StoreError> {
        Ok(SetRequest {
            key: full_key,
            data: self.value.map_or(NO_VALUE, RawValue::get).as_bytes().to_vec(),
            etag: self.etag,
            concurrency: options::concurrency(&self.concurrency)?,
            consistency: options::consistency(&self.consistency)?,
            ttl: options::ttl(&[self.of_request, &self.metadata])?,
        })
    }

    /// The removal of this item under its full key.
    ///
    /// # Errors
    /// Options that are not Dapr's.
    #[inline(never)]
    pub(super) fn into_delete(self, full_key: String) -> Result<DeleteRequest, StoreError> {
        Ok(DeleteRequest {
            key: full_key,
            etag: self.etag,
            concurrency: options::concurrency(&self.concurrency)?,
            consistency: options::consistency(&self.consistency)?,
        })
    }
}
