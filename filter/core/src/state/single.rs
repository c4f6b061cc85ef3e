//! Reading and removing one value.

use super::block::{Flow, Site};
use super::{DeleteRequest, Record, StoreError, error, options};
use crate::api::query;
use crate::app::Request;
use crate::http::Reply;
use crate::telemetry::meters::What;
use crate::timestamp::rfc3339;
use std::rc::Rc;

/// `GET /v1.0/state/{store}/{key}`: the bytes as they are stored, 204 for none.
#[inline(never)]
pub(super) fn get(site: Rc<Site>, key: String) -> Flow {
    let (start, read) = (site.now(), site.store.get(site.full_key(&key)?));
    Ok(Box::pin(async move {
        let read = read.await;
        site.note(What::Get, start, read.is_ok());
        match read {
            Ok(Some(record)) => found(record),
            Ok(None) => Reply::no_content(),
            Err(why) => error::get_failed(&site.name, &key, &why).reply(),
        }
    }))
}

#[inline(never)]
fn found(record: Record) -> Reply {
    let mut reply = Reply::json(200, record.data);
    // A version that another program wrote may be no header value; the value can still be read.
    if let Some(etag) = record.etag.filter(|etag| !etag.contains(|c: char| c.is_control())) {
        reply = reply.with("etag", etag);
    }
    if let Some(time) = record.expires.and_then(rfc3339) {
        reply = reply.with("metadata.ttlexpiretime", time);
    }
    reply
}

/// `DELETE /v1.0/state/{store}/{key}`: 204, also if there was nothing.
#[inline(never)]
pub(super) fn delete(site: Rc<Site>, key: String, request: &Request) -> Flow {
    let removal = removal(site.full_key(&key)?, request).map_err(|why| error::delete_failed(&key, &why))?;
    let (start, removed) = (site.now(), site.store.delete(removal));
    Ok(Box::pin(async move {
        let removed = removed.await;
        site.note(What::Delete, start, removed.is_ok());
        match removed {
            Ok(()) => Reply::no_content(),
            Err(why) => error::delete_failed(&key, &why).reply(),
        }
    }))
}

fn removal(full_key: String, request: &Request) -> Result<DeleteRequest, StoreError> {
    let option = |name: &str| query::parameter(&request.query, name).unwrap_or_default();
    Ok(DeleteRequest {
        key: full_key,
        etag: if_match(request),
        concurrency: options::concurrency(&option("concurrency"))?,
        consistency: options::consistency(&option("consistency"))?,
    })
}

/// The etag of a request. Several headers are taken as one, as some builds of Envoy hand them over, and so fit nothing.
fn if_match(request: &Request) -> Option<String> {
    let etags: Vec<_> = request.headers.all("if-match").collect();
    (!etags.is_empty()).then(|| String::from_utf8_lossy(&etags.join(&b',')).into_owned())
}
