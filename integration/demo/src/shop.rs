//! The shop: takes orders.

use crate::dapr::Dapr;
use crate::journal::{Journal, timed};
use crate::server::{Answer, Request, not_found, serve};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tiny_http::Method;

struct Shop {
    dapr: Dapr,
    journal: Arc<Journal>,
    orders: AtomicU32,
}

/// Runs it.
///
/// # Errors
/// It was not started by `weft run`.
pub fn run() -> Result<(), String> {
    let journal = Arc::new(Journal::default());
    let shop = Shop { dapr: Dapr::from_environment()?, journal: Arc::clone(&journal), orders: AtomicU32::new(0) };
    serve(journal, move |request| shop.answer(request))
}

impl Shop {
    fn answer(&self, request: &Request) -> Answer {
        let outcome = match (&request.method, request.path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice())
        {
            (Method::Post, ["orders"]) => self.order(request),
            (Method::Get, ["orders", id]) => self.dapr.read(id).map(|order| (200, order.value)),
            (Method::Post, ["orders", id, "shipped"]) => self.shipped(id, request),
            _ => Ok(not_found()),
        };
        outcome.unwrap_or_else(|why| (502, json!({"error": why})))
    }

    /// Reserves the goods, keeps the order, tells the world.
    fn order(&self, request: &Request) -> Result<Answer, String> {
        let (item, count, trace) = (&request.body["item"], &request.body["count"], request.trace());
        let (reserved, millis) =
            timed(|| self.dapr.invoke("warehouse", "/reserve", &json!({"item": item, "count": count}), trace));
        let reserved = reserved?;
        self.journal.add(json!({"did": "invoked", "app": "warehouse", "millis": millis, "trace": trace}));
        if reserved.status != 200 {
            return Ok((reserved.status, reserved.body));
        }
        let id = format!("order-{}", self.orders.fetch_add(1, Ordering::Relaxed) + 1);
        let order = json!({"id": id, "item": item, "count": count, "status": "placed"});
        let (saved, millis) = timed(|| self.dapr.write(&id, &order, None));
        saved?;
        self.journal.add(json!({"did": "saved", "key": id, "millis": millis}));
        let (published, millis) = timed(|| self.dapr.publish("orders", &order, trace));
        published?;
        self.journal.add(json!({"did": "published", "order": id, "millis": millis, "trace": trace}));
        println!("took {id}: {count} x {}", item.as_str().unwrap_or_default());
        Ok((201, order))
    }

    /// Notes that an order is on its way. The etag keeps two writers from losing each other's change.
    fn shipped(&self, id: &str, request: &Request) -> Result<Answer, String> {
        let caller = request.header("dapr-caller-app-id");
        loop {
            let stored = self.dapr.read(id)?;
            if stored.value == Value::Null {
                return Ok(not_found());
            }
            let order = &stored.value;
            let order = json!({"id": id, "item": order["item"], "count": order["count"], "status": "shipped"});
            let (written, millis) = timed(|| self.dapr.write(id, &order, stored.etag.as_deref()));
            if written? {
                let trace = request.trace();
                self.journal
                    .add(json!({"did": "shipped", "order": id, "caller": caller, "millis": millis, "trace": trace}));
                println!("{id} is on its way, says {caller}");
                return Ok((200, order));
            }
        }
    }
}
