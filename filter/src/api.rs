//! The role `weft.api`: an application's own calls.

use crate::host;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use std::rc::Rc;
use weft_core::app::App;
use weft_core::exchange::{Exchange, ResponseStep, Step};
use weft_core::runtime::{Scope, StreamId};

/// One request.
pub struct Api {
    app: Rc<App>,
    id: u32,
    exchange: Exchange,
}

impl Api {
    /// For the request of that number.
    pub fn new(app: Rc<App>, id: u32) -> Self {
        let exchange = Exchange::new(Rc::clone(&app), StreamId(id));
        Self { app, id, exchange }
    }

    /// Does what was decided, once.
    fn apply(&self, step: Step) -> Action {
        match step {
            Step::Continue => Action::Continue,
            Step::Forward(edits) => {
                host::edit(MapType::HttpRequestHeaders, &edits);
                Action::Continue
            }
            Step::Pause => {
                self.run();
                Action::Pause
            }
            Step::Reply(reply) => {
                host::reply(StreamId(self.id), &reply);
                Action::Pause
            }
            Step::Refuse(refusal) => {
                host::refuse(&refusal);
                Action::Pause
            }
            Step::Trap => host::trap(),
        }
    }

    /// Polls this request's flow, and answers if it has ended.
    fn run(&self) {
        let Some(flows) = self.app.flows() else { return };
        for (stream, reply) in flows.run(Scope::Stream(StreamId(self.id))) {
            host::reply(stream, &reply);
        }
    }
}

impl Context for Api {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, trailers: usize) {
        host::enter(self.id);
        if let Some(flows) = self.app.flows() {
            host::hand_over(flows, token, headers, body_size, trailers);
        }
        self.run();
    }
}

impl HttpContext for Api {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        host::enter(self.id);
        self.app.saw_request();
        let headers = host::read_headers(MapType::HttpRequestHeaders);
        let step = self.exchange.request_head(headers, end_of_stream);
        self.apply(step)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        host::enter(self.id);
        let read = || host::read_body(BufferType::HttpRequestBody, size);
        let step = self.exchange.request_body(size, end_of_stream, read);
        self.apply(step)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        host::enter(self.id);
        let step = self.exchange.request_trailers(|| host::read_body(BufferType::HttpRequestBody, usize::MAX));
        self.apply(step)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        host::enter(self.id);
        if !self.exchange.wants_response() {
            return Action::Continue;
        }
        apply_response(self.id, self.exchange.response_head(&host::Answer))
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        host::enter(self.id);
        self.exchange.response_trailers(host::trailer);
        Action::Continue
    }

    fn on_log(&mut self) {
        host::enter(self.id);
        self.exchange.gone();
    }
}

/// Does what was decided about an answer's headers.
pub fn apply_response(id: u32, step: ResponseStep) -> Action {
    match step {
        ResponseStep::Continue => Action::Continue,
        ResponseStep::Edit(edits) => {
            host::edit(MapType::HttpResponseHeaders, &edits);
            Action::Continue
        }
        ResponseStep::Replace(reply) => {
            host::reply(StreamId(id), &reply);
            Action::Pause
        }
    }
}
