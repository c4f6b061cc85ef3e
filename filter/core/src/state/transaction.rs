//! Several writes that happen together or not at all.

use super::block::{Flow, Site};
use super::item::Item;
use super::options::Metadata;
use super::{Operation, error};
use crate::api::query;
use crate::app::Request;
use crate::error::DaprError;
use crate::http::Reply;
use crate::json::{self, JsonError, RawObject, RawValue};
use crate::telemetry::meters::What;
use std::borrow::Cow;
use std::rc::Rc;

/// What a store says that can do it.
const TRANSACTIONAL: &str = "TRANSACTIONAL";

/// `POST /v1.0/state/{store}/transaction`: 204 once all operations are done.
#[inline(never)]
pub(super) fn transact(site: &Rc<Site>, request: &Request) -> Flow {
    if !site.store.capabilities().contains(&TRANSACTIONAL) {
        return Err(error::no_transactions(&site.name));
    }
    let operations = read(site, request)?;
    if operations.is_empty() {
        return Ok(Box::pin(std::future::ready(Reply::no_content())));
    }
    if let Some(most) = site.store.max_operations().filter(|most| operations.len() > *most) {
        return Err(error::too_many_operations(&site.name, operations.len(), most));
    }
    let (start, site, done) = (site.now(), Rc::clone(site), site.store.transact(operations));
    Ok(Box::pin(async move {
        let done = done.await;
        site.note(What::Transaction, start, done.is_ok());
        match done {
            Ok(()) => Reply::no_content(),
            Err(why) => error::transaction_failed(&why).reply(),
        }
    }))
}

#[inline(never)]
fn read(site: &Site, request: &Request) -> Result<Vec<Operation>, DaprError> {
    let text = json::text(&request.body);
    let of_request = query::metadata(&request.query);
    let steps = steps(&text).map_err(|why| error::unreadable(&why.to_string()))?;
    steps.into_iter().enumerate().map(|(at, step)| operation(site, at + 1, step, &of_request)).collect()
}

/// An operation whose request was not read yet.
struct Step<'a> {
    operation: Cow<'a, str>,
    request: Option<RawValue<'a>>,
}

fn steps(text: &str) -> Result<Vec<Step<'_>>, JsonError> {
    let fields = RawObject::parse(text)?;
    // The stores that are served here take none; its form is judged as daprd does.
    fields.string_map("metadata")?;
    let mut steps = Vec::new();
    for step in fields.array("operations")? {
        let fields = RawObject::of(step, "every operation")?;
        let operation = fields.string("operation")?.unwrap_or_default();
        steps.push(Step { operation, request: fields.given("request") });
    }
    Ok(steps)
}

#[inline(never)]
fn operation(site: &Site, number: usize, step: Step<'_>, of_request: &Metadata) -> Result<Operation, DaprError> {
    let upsert = match &*step.operation {
        "upsert" => true,
        "delete" => false,
        other => return Err(error::unknown_operation(other)),
    };
    let item = match step.request {
        Some(request) => Item::read(request, "request", of_request),
        None => Item::of(&RawObject::default(), of_request),
    };
    let item = item.map_err(|why| error::unreadable(&format!("operation {number}: {why}")))?;
    let full_key = site.full_key(&item.key)?;
    let operation = if upsert {
        item.into_set(full_key).map(Operation::Upsert)
    } else {
        item.into_delete(full_key).map(Operation::Delete)
    };
    operation.map_err(|why| error::transaction_failed(&why))
}
