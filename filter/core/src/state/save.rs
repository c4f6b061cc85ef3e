//! Storing values: each item of the body is a write of its own.

use super::block::{Flow, Site};
use super::item::Item;
use super::{SetRequest, StoreError, error};
use crate::api::query;
use crate::app::Request;
use crate::error::DaprError;
use crate::http::Reply;
use crate::json;
use crate::runtime::{BoxFuture, join_some};
use std::fmt::Write as _;
use std::rc::Rc;

/// How many items are with the store at once.
const AT_ONCE: usize = 100;

/// `POST /v1.0/state/{store}`: 204 once all items are stored. Nothing is stored unless all of them make sense.
#[inline(never)]
pub(super) fn save(site: Rc<Site>, request: &Request) -> Flow {
    let writes = read(&site, request)?;
    Ok(Box::pin(async move {
        let items = writes.len();
        let flows = writes.into_iter().map(|write| one(&site, write));
        let failed: Vec<_> = join_some(flows, AT_ONCE).await.into_iter().flatten().collect();
        match summary(items, &failed) {
            None => Reply::no_content(),
            Some((kind, why)) => error::save_failed(&site.name, kind, &why).reply(),
        }
    }))
}

/// The write of one item, with the key that the application knows.
struct ItemWrite {
    key: String,
    set: SetRequest,
}

struct Failed {
    key: String,
    why: StoreError,
}

fn one(site: &Site, write: ItemWrite) -> BoxFuture<'static, Option<Failed>> {
    let ItemWrite { key, set } = write;
    let stored = site.store.set(set);
    Box::pin(async move { stored.await.err().map(|why| Failed { key, why }) })
}

#[inline(never)]
fn read(site: &Site, request: &Request) -> Result<Vec<ItemWrite>, DaprError> {
    let text = json::text(&request.body);
    let of_request = query::metadata(&request.query);
    let values = json::array(&text).map_err(|why| error::malformed(&why.to_string()))?;
    let mut items = Vec::with_capacity(values.len());
    for (at, value) in values.into_iter().enumerate() {
        let item = Item::read(value, "it", &of_request);
        items.push(item.map_err(|why| error::malformed(&format!("item {}: {why}", at + 1)))?);
    }
    let mut writes = Vec::with_capacity(items.len());
    for item in items {
        if item.key.is_empty() {
            return Err(error::malformed("\"key\" is a required field"));
        }
        let (key, full_key) = (item.key.to_string(), site.full_key(&item.key)?);
        let set = item.into_set(full_key).map_err(|why| error::save_failed(&site.name, &why, &why.to_string()))?;
        writes.push(ItemWrite { key, set });
    }
    Ok(writes)
}

/// What the answer says of the items that failed: the failure that decides its status, and its text. An unknown
/// outcome goes before everything, then the first conflict of etags.
#[inline(never)]
fn summary(items: usize, failed: &[Failed]) -> Option<(&StoreError, String)> {
    let first = failed.first()?;
    let is_unknown = |failed: &&Failed| matches!(failed.why, StoreError::OutcomeUnknown { .. });
    let is_etag = |failed: &&Failed| !matches!(failed.why, StoreError::Failed { .. });
    let kind = failed.iter().find(is_unknown).or_else(|| failed.iter().find(is_etag)).unwrap_or(first);
    if items == 1 {
        return Some((&kind.why, first.why.to_string()));
    }
    let mut text = format!("{} of {items} items failed", failed.len());
    for (at, Failed { key, why }) in failed.iter().enumerate() {
        let mark = if at == 0 { ':' } else { ';' };
        // Writing to a string cannot fail.
        let _ = write!(text, "{mark} {key}: {why}");
    }
    Some((&kind.why, text))
}
