//! The role `weft.inbound`: what stands before an application.

use crate::api::apply_response;
use crate::host;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};
use std::rc::Rc;
use weft_core::app::App;
use weft_core::inbound;

/// One request to the application.
pub struct Inbound {
    app: Rc<App>,
    id: u32,
    answered: bool,
}

impl Inbound {
    /// For the request of that number.
    pub fn new(app: Rc<App>, id: u32) -> Self {
        Self { app, id, answered: false }
    }
}

impl Context for Inbound {}

impl HttpContext for Inbound {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        let headers = host::read_headers(MapType::HttpRequestHeaders);
        let edits = inbound::request_edits(self.app.config(), &headers, &self.app.trace(&headers));
        host::edit(MapType::HttpRequestHeaders, &edits);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        // The answer that replaces another comes through here again.
        if std::mem::replace(&mut self.answered, true) {
            return Action::Continue;
        }
        apply_response(self.id, inbound::response_step(self.app.config(), &host::Answer))
    }
}
