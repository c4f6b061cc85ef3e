//! The courier: hears of orders and brings them. Its subscription is a resource, `subscription.yaml`.

use crate::dapr::Dapr;
use crate::journal::{Journal, timed};
use crate::server::{Answer, Request, not_found, serve};
use serde_json::json;
use std::sync::Arc;
use tiny_http::Method;

struct Courier {
    dapr: Dapr,
    journal: Arc<Journal>,
}

/// Runs it.
///
/// # Errors
/// It was not started by `weft run`.
pub fn run() -> Result<(), String> {
    let journal = Arc::new(Journal::default());
    let courier = Courier { dapr: Dapr::from_environment()?, journal: Arc::clone(&journal) };
    serve(journal, move |request| courier.answer(request))
}

impl Courier {
    fn answer(&self, request: &Request) -> Answer {
        match (&request.method, request.path.as_str()) {
            (Method::Post, "/events/order") => self.order(request),
            _ => not_found(),
        }
    }

    /// An event. What is not taken with SUCCESS comes again.
    fn order(&self, request: &Request) -> Answer {
        let event = &request.body;
        let id = event["data"]["id"].as_str().unwrap_or_default();
        self.journal.add(json!({"did": "received", "event": event, "order": id, "trace": request.trace()}));
        println!("heard of {id} by the event {}", event["id"].as_str().unwrap_or_default());
        let (told, millis) =
            timed(|| self.dapr.invoke("shop", &format!("/orders/{id}/shipped"), &json!({}), request.trace()));
        match told {
            Ok(answer) if answer.status == 200 => {
                self.journal.add(json!({"did": "invoked", "app": "shop", "order": id, "millis": millis}));
                (200, json!({"status": "SUCCESS"}))
            }
            // An order that the shop does not know any more will not be known later either.
            Ok(answer) if answer.status == 404 => (200, json!({"status": "DROP"})),
            _ => (200, json!({"status": "RETRY"})),
        }
    }
}
