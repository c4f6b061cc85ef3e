//! The role `weft.inbound`: what stands before an application.

use crate::api::apply_response;
use crate::host;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, GrpcStatusCode, MapType};
use std::rc::Rc;
use weft_core::inbound::{Callee, RequestStep};
use weft_core::runtime::StreamId;

/// One request to the application.
pub struct Inbound {
    callee: Rc<Callee>,
    id: u32,
    answered: bool,
}

impl Inbound {
    /// For the request of that number.
    pub fn new(callee: Rc<Callee>, id: u32) -> Self {
        Self { callee, id, answered: false }
    }
}

impl Context for Inbound {}

impl HttpContext for Inbound {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        let headers = host::read_headers(MapType::HttpRequestHeaders);
        let step = self.callee.request(&headers, host::peer_uri);
        // Our own answer comes through the response callback.
        self.answered = !matches!(step, RequestStep::Forward(_));
        match step {
            RequestStep::Forward(edits) => {
                host::edit(MapType::HttpRequestHeaders, &edits);
                return Action::Continue;
            }
            RequestStep::Refuse(reply) => host::reply(StreamId(self.id), &reply),
            RequestStep::Deny(message) => host::reply_grpc(GrpcStatusCode::PermissionDenied, &message),
        }
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        // The answer that replaces another comes through here again.
        if std::mem::replace(&mut self.answered, true) {
            return Action::Continue;
        }
        apply_response(self.id, self.callee.response(&host::Answer))
    }
}
