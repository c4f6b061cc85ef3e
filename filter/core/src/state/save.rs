//! Storing values: each item of the body is a write of its own.

use super::block::{Flow, Site};
use super::item::Item;
use super::{SetRequest, StoreError, error};
use crate::api::query;
use crate::app::Request;
use crate::error::{DaprError, MAX_MESSAGE};
use crate::http::Reply;
use crate::json;
use crate::runtime::{BoxFuture, join_some};
use crate::telemetry::meters::What;
use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

/// How many items are with the store at once.
const AT_ONCE: usize = 100;

/// `POST /v1.0/state/{store}`: 204 once all items are stored. Nothing is stored unless all of them make sense.
#[inline(never)]
pub(super) fn save(site: Rc<Site>, request: &Request) -> Flow {
    let writes = read(&site, request)?;
    Ok(Box::pin(async move {
        let away = Cell::new(false);
        let flows = writes.into_iter().map(|write| one(&site, write, &away));
        let start = site.now();
        let ended = join_some(flows, AT_ONCE).await;
        let failed = summary(&ended);
        site.note(What::Set, start, failed.is_none());
        match failed {
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

/// What became of an item.
enum Ended {
    Stored,
    Failed {
        key: String,
        why: StoreError,
    },
    /// The store had already failed to answer for another one.
    NotTried,
}

fn one<'a>(site: &'a Site, write: ItemWrite, away: &'a Cell<bool>) -> BoxFuture<'a, Ended> {
    Box::pin(async move {
        if away.get() {
            return Ended::NotTried;
        }
        match site.store.set(write.set).await {
            Ok(()) => Ended::Stored,
            Err(why) => {
                away.set(away.get() || why.is_outage());
                Ended::Failed { key: write.key, why }
            }
        }
    })
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
fn summary(ended: &[Ended]) -> Option<(&StoreError, String)> {
    let failed = || {
        ended.iter().filter_map(|item| match item {
            Ended::Failed { key, why } => Some((key, why)),
            Ended::Stored | Ended::NotTried => None,
        })
    };
    let (_, first) = failed().next()?;
    if ended.len() == 1 {
        return Some((first, first.to_string()));
    }
    let is_unknown = |(_, why): &(_, &StoreError)| matches!(why, StoreError::OutcomeUnknown { .. });
    let is_etag =
        |(_, why): &(_, &StoreError)| matches!(why, StoreError::EtagMismatch { .. } | StoreError::EtagInvalid { .. });
    let kind = failed().find(is_unknown).or_else(|| failed().find(is_etag)).map_or(first, |(_, why)| why);
    let mut text = format!("{} of {} items failed", failed().count(), ended.len());
    let not_tried = ended.iter().filter(|item| matches!(item, Ended::NotTried)).count();
    // Writing to a string cannot fail.
    if not_tried > 0 {
        let _ = write!(text, ", {not_tried} more were not tried");
    }
    for (at, (key, why)) in failed().enumerate() {
        if text.len() > MAX_MESSAGE {
            break;
        }
        let _ = write!(text, "{} {key}: {why}", if at == 0 { ':' } else { ';' });
    }
    Some((kind, text))
}
