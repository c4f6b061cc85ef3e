//! One request on its way through the filter: what each callback leads to, decided once.

mod respond;

pub use respond::{AnswerHead, ResponseStep};
pub(crate) use respond::{made_up, named_by_connection};

use crate::api::{Route, path, route};
use crate::app::{App, Request};
use crate::blocks::Blocks;
use crate::config::ApiProtocol;
use crate::gate::BadToken;
use crate::grpc::{self, GrpcStatus, Refusal, is_grpc};
use crate::http::{Headers, Reply};
use crate::invoke::{self, Edits, Forward};
use crate::resiliency::{self, Call, Target, Watch};
use crate::runtime::StreamId;
use crate::telemetry::{Told, Trace, baggage};
use std::rc::Rc;

/// What the shell does after a request callback.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Let the request go on as it is.
    Continue,
    /// Change the headers, then let the request go on.
    Forward(Edits),
    /// Hold the request; an answer or more of the body will come.
    Pause,
    /// Answer it.
    Reply(Reply),
    /// Answer a gRPC request with this status.
    Refuse(Refusal),
    /// Stop the VM: the configuration's test switch was asked for.
    Trap,
}

enum Stage {
    /// No callback yet.
    Fresh,
    /// The answer needs the whole body.
    NeedsBody { request: Box<Request>, route: Route },
    /// A flow is at work; the runtime hands its answer to the shell.
    Running,
    /// An invocation is under way.
    Forwarded { app: String, authority: String, is_direct: bool, told: Told, watched: Option<Box<Watched>> },
    /// A gRPC call's answer is on its way, and a circuit breaker waits for its end.
    Trailing(Box<Watched>),
    /// Answered or let go; every later callback is inert.
    Settled,
}

/// What a circuit breaker has to hear of a call.
pub(super) struct Watched {
    watch: Watch,
    is_grpc: bool,
    tries: u32,
}

/// One request of the role `weft.api`.
pub struct Exchange {
    app: Rc<App>,
    id: StreamId,
    stage: Stage,
}

impl Exchange {
    /// For the request of that number.
    pub fn new(app: Rc<App>, id: StreamId) -> Self {
        Self { app, id, stage: Stage::Fresh }
    }

    /// The request's headers are here. `ended`: there is no body.
    pub fn request_head(&mut self, headers: Headers, ended: bool) -> Step {
        if !matches!(self.stage, Stage::Fresh) {
            return Step::Continue;
        }
        self.stage = Stage::Settled;
        if is_grpc(&headers) {
            return self.forward_grpc(&headers);
        }
        let Some(raw_path) = headers.text(":path") else {
            return Step::Reply(bad_path());
        };
        if self.app.traps_at(raw_path) {
            return Step::Trap;
        }
        let (path_part, query) = path::split_query(raw_path);
        let method = headers.get(":method").unwrap_or_default();
        match self.admitted(method, &path::clean(path_part), &headers) {
            Err(reply) => Step::Reply(reply),
            Ok(Route::Invoke) => self.forward(&headers, ended),
            Ok(route) => {
                let query = query.unwrap_or("").to_owned();
                self.serve(route, Request { headers, query, body: Vec::new() }, ended)
            }
        }
    }

    /// The route of a request that may use it. One that is not offered is no route, so its path is an application's.
    #[inline(never)]
    fn admitted(&self, method: &[u8], clean_path: &str, headers: &Headers) -> Result<Route, Reply> {
        let (gate, route) = (self.app.gate(), route(method, clean_path));
        if matches!(route, Route::Healthz | Route::HealthzOutbound) {
            return Ok(route);
        }
        gate.check(headers).map_err(BadToken::reply)?;
        match route {
            Route::Invoke => {}
            route if gate.offers_path(clean_path) => return Ok(route),
            _ => {}
        }
        if gate.offers(ApiProtocol::Http, "invoke", "v1.0") { Ok(Route::Invoke) } else { Err(invoke::no_app_id()) }
    }

    #[inline(never)]
    fn forward(&mut self, headers: &Headers, ended: bool) -> Step {
        let raw_path = headers.text(":path").unwrap_or("/");
        let trace = self.app.trace(headers);
        match invoke::plan(self.app.config(), headers, raw_path, &trace) {
            _ if trace.is_on() && !baggage::is_sound(headers) => Step::Reply(malformed_baggage(&trace, headers)),
            Ok(forward) => {
                let call = if ended || headers.get("content-length").is_some() { Call::Whole } else { Call::Streamed };
                self.forwarded(forward, trace.told(headers), headers, call)
            }
            Err(reply) => Step::Reply(reply.with_all(trace.told(headers))),
        }
    }

    #[inline(never)]
    fn forward_grpc(&mut self, headers: &Headers) -> Step {
        if let Err(refusal) = self.app.gate().check_call(headers) {
            return Step::Refuse(refusal);
        }
        let trace = self.app.trace(headers);
        match invoke::plan_grpc(self.app.config(), headers, &trace) {
            _ if trace.is_on() && !baggage::is_sound(headers) => Step::Refuse(grpc::malformed_baggage()),
            Ok(forward) => self.forwarded(forward, trace.told(headers), headers, Call::Grpc),
            Err(refusal) => Step::Refuse(refusal),
        }
    }

    fn forwarded(&mut self, forward: Forward, told: Told, headers: &Headers, call: Call) -> Step {
        let Forward { app, authority, is_direct, mut edits } = forward;
        let watched = match self.guarded(&app, &authority, call, headers, &mut edits) {
            Ok(watch) => watch.map(|watch| Box::new(Watched { watch, is_grpc: call == Call::Grpc, tries: 0 })),
            Err(why) if call == Call::Grpc => {
                let message = ["failed to invoke, id: ", &app, ", err: ", why].concat();
                return Step::Refuse(Refusal { status: GrpcStatus::Unavailable, message });
            }
            Err(why) => return Step::Reply(invoke::direct_invoke(500, &app, why).with_all(told)),
        };
        self.stage = Stage::Forwarded { app, authority, is_direct, told, watched };
        Step::Forward(edits)
    }

    /// What the policy of a call's target makes of it.
    fn guarded(
        &self,
        app: &str,
        authority: &str,
        call: Call,
        headers: &Headers,
        edits: &mut Edits,
    ) -> Result<Option<Watch>, &'static str> {
        let config = self.app.config();
        let is_app = config.invoke.endpoints.get(app).is_none();
        let Some((name, policy)) = config.resiliency.of(app, is_app) else { return Ok(None) };
        let target = Target { caller: &config.app_id, name, authority };
        resiliency::begin(policy, target, call, self.app.host(), headers, edits)
    }

    #[inline(never)]
    fn serve(&mut self, route: Route, request: Request, ended: bool) -> Step {
        if let Some(reply) = self.app.at_once(&route, &request) {
            return Step::Reply(reply);
        }
        // Without flows every answer is there at once.
        if !Blocks::HAVE_FLOWS {
            return Step::Continue;
        }
        if !route.needs_body() || ended {
            return self.start(route, request);
        }
        let announced = request.headers.text("content-length").and_then(|text| text.parse::<usize>().ok());
        if announced.is_some_and(|size| size > self.app.max_body()) {
            return Step::Reply(self.app.body_too_large(&route));
        }
        self.stage = Stage::NeedsBody { request: Box::new(request), route };
        Step::Pause
    }

    fn start(&mut self, route: Route, request: Request) -> Step {
        self.stage = Stage::Running;
        self.app.start_flow(self.id, route, request);
        Step::Pause
    }

    /// More of the body is here: `size` bytes in all since the headers. `read` gives them.
    pub fn request_body(&mut self, size: usize, ended: bool, read: impl FnOnce() -> Vec<u8>) -> Step {
        match &self.stage {
            Stage::NeedsBody { route, .. } if size > self.app.max_body() => {
                let reply = self.app.body_too_large(route);
                self.stage = Stage::Settled;
                Step::Reply(reply)
            }
            Stage::NeedsBody { .. } if ended => self.body_complete(read()),
            Stage::NeedsBody { .. } | Stage::Running => Step::Pause,
            Stage::Fresh | Stage::Forwarded { .. } | Stage::Trailing(_) | Stage::Settled => Step::Continue,
        }
    }

    /// Trailers end a body too; the body callback then never says so.
    pub fn request_trailers(&mut self, read: impl FnOnce() -> Vec<u8>) -> Step {
        match &self.stage {
            Stage::NeedsBody { .. } => self.body_complete(read()),
            Stage::Running => Step::Pause,
            Stage::Fresh | Stage::Forwarded { .. } | Stage::Trailing(_) | Stage::Settled => Step::Continue,
        }
    }

    fn body_complete(&mut self, body: Vec<u8>) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Settled) {
            Stage::NeedsBody { mut request, route } => {
                request.body = body;
                self.start(route, *request)
            }
            other => {
                self.stage = other;
                Step::Continue
            }
        }
    }

    /// Whether [`Exchange::response_head`] would do anything.
    pub fn wants_response(&self) -> bool {
        matches!(self.stage, Stage::Forwarded { .. })
    }

    /// The stream has ended, answered or not. Its flow is dropped, so nothing is ever said to it again.
    pub fn gone(&mut self) {
        if let (Stage::Running, Some(flows)) = (&self.stage, self.app.flows()) {
            flows.cancel(self.id);
        }
        self.unheard();
        self.stage = Stage::Settled;
    }

    /// A call that ends without its end, because its caller gave up or its stream was reset, has failed.
    #[inline(never)]
    fn unheard(&mut self) {
        let watched = match &self.stage {
            Stage::Forwarded { watched: Some(watched), .. } | Stage::Trailing(watched) => watched,
            _ => return,
        };
        watched.watch.ended(self.app.host(), watched.tries, false);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.unheard();
    }
}

/// As daprd: no JSON, and no `baggage` in the answer.
#[inline(never)]
fn malformed_baggage(trace: &Trace, headers: &Headers) -> Reply {
    let mut told = trace.told(headers);
    told.retain(|(name, _)| *name != "baggage");
    Reply { status: 400, headers: Headers::new(), body: b"invalid baggage header".to_vec() }
        .with("content-type", "text/plain; charset=utf-8")
        .with_all(told)
}

#[inline(never)]
fn bad_path() -> Reply {
    invoke::direct_invoke(
        500,
        "",
        "the request has no path that is UTF-8; send one, other bytes as %XX, and not CONNECT",
    )
}

#[cfg(test)]
mod tests;
