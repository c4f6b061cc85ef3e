//! The warehouse: knows how much of everything there is.

use crate::dapr::Dapr;
use crate::journal::{Journal, timed};
use crate::server::{Answer, Request, not_found, serve};
use serde_json::json;
use std::sync::Arc;
use tiny_http::Method;

/// How many of each item there were in the beginning.
pub const FULL: u64 = 100;

struct Warehouse {
    dapr: Dapr,
    journal: Arc<Journal>,
}

/// Runs it.
///
/// # Errors
/// It was not started by `weft run`.
pub fn run() -> Result<(), String> {
    let journal = Arc::new(Journal::default());
    let warehouse = Warehouse { dapr: Dapr::from_environment()?, journal: Arc::clone(&journal) };
    serve(journal, move |request| warehouse.answer(request))
}

impl Warehouse {
    fn answer(&self, request: &Request) -> Answer {
        let outcome = match (&request.method, request.path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice())
        {
            (Method::Post, ["reserve"]) => self.reserve(request),
            (Method::Get, ["stock", item]) => self.stock(item),
            _ => Ok(not_found()),
        };
        outcome.unwrap_or_else(|why| (502, json!({"error": why})))
    }

    fn stock(&self, item: &str) -> Result<Answer, String> {
        let left = self.dapr.read(&format!("stock-{item}"))?.value.as_u64().unwrap_or(FULL);
        Ok((200, json!({"item": item, "left": left})))
    }

    /// Takes goods out of the stock. The etag lets only one of two reservations at a time through; the other reads again.
    fn reserve(&self, request: &Request) -> Result<Answer, String> {
        let caller = request.header("dapr-caller-app-id");
        let (Some(item), Some(count)) = (request.body["item"].as_str(), request.body["count"].as_u64()) else {
            return Ok((400, json!({"error": "an order has an item and a count"})));
        };
        let key = format!("stock-{item}");
        loop {
            let stored = self.dapr.read(&key)?;
            let before = stored.value.as_u64().unwrap_or(FULL);
            let Some(left) = before.checked_sub(count) else {
                return Ok((409, json!({"error": format!("there are only {before} of {item}")})));
            };
            let (written, millis) = timed(|| self.dapr.write(&key, &json!(left), stored.etag.as_deref()));
            if written? {
                let entry = json!({"did": "reserved", "item": item, "before": before, "left": left, "caller": caller,
                    "etag": stored.etag, "millis": millis, "trace": request.trace()});
                self.journal.add(entry);
                println!("reserved {count} x {item} for {caller}, {left} left");
                return Ok((200, json!({"item": item, "left": left})));
            }
        }
    }
}
