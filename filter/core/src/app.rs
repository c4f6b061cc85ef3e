//! One application's side of the filter: its configuration, its blocks, its flows.

mod check;
mod metadata;

pub use check::check;

use crate::api::{self, Route};
use crate::blocks::Blocks;
use crate::config::{LogLevel, PluginConfig, Problem};
use crate::gate::Gate;
use crate::host::Host;
use crate::http::{Headers, Reply};
use crate::log_line::Line;
use crate::runtime::{Runtime, StreamId};
use crate::telemetry::{Sampling, Trace};
use crate::worker::{Vm, WorkerMark, is_worker};
use std::cell::Cell;
use std::rc::Rc;

/// A request that a block answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// All header fields.
    pub headers: Headers,
    /// The raw query without `?`.
    pub query: String,
    /// The body, complete.
    pub body: Vec<u8>,
}

/// One root context's application.
pub struct App {
    config: PluginConfig,
    runtime: Runtime,
    sampling: Sampling,
    gate: Gate,
    mark: WorkerMark,
    begun: Cell<bool>,
    blocks: Rc<Blocks>,
}

impl App {
    /// For the role `weft.api`, from the JSON text of its configuration.
    ///
    /// # Errors
    /// Everything that is wrong with the text or cannot be used.
    #[inline(never)]
    pub fn read(text: &[u8], host: Rc<dyn Host>, vm: Vm) -> Result<Rc<Self>, Vec<Problem>> {
        let (config, problems) = PluginConfig::draft(text);
        Self::judged(config, problems, host, vm)
    }

    /// For the role `weft.api`.
    ///
    /// # Errors
    /// Every thing in the configuration that cannot be used.
    pub fn new(config: PluginConfig, host: Rc<dyn Host>, vm: Vm) -> Result<Rc<Self>, Vec<Problem>> {
        Self::judged(config, Vec::new(), host, vm)
    }

    /// For the role `weft.inbound`, which needs no blocks, from the JSON text of its configuration.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    #[inline(never)]
    pub fn callee(text: &[u8], host: Rc<dyn Host>, vm: Vm) -> Result<Rc<Self>, Vec<Problem>> {
        let (mut config, mut problems) = PluginConfig::draft(text);
        let gate = Gate::new(&mut config, &*host, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let runtime = Runtime::beside(vm.channels.clone(), host, config.app_id.clone(), config.log_level);
        Self::with_blocks(config, gate, runtime, Blocks::none(), vm.mark)
    }

    /// Adds what the blocks find to what is known to be wrong.
    fn judged(
        mut config: PluginConfig,
        mut problems: Vec<Problem>,
        host: Rc<dyn Host>,
        vm: Vm,
    ) -> Result<Rc<Self>, Vec<Problem>> {
        let gate = Gate::new(&mut config, &*host, &mut problems);
        let runtime = Runtime::beside(vm.channels.clone(), host, config.app_id.clone(), config.log_level);
        match Blocks::new(&config, &runtime) {
            Ok(blocks) if problems.is_empty() => Self::with_blocks(config, gate, runtime, blocks, vm.mark),
            Ok(_) => Err(problems),
            Err(more) => {
                for problem in more {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
                Err(problems)
            }
        }
    }

    fn with_blocks(
        config: PluginConfig,
        gate: Gate,
        runtime: Runtime,
        blocks: Blocks,
        mark: WorkerMark,
    ) -> Result<Rc<Self>, Vec<Problem>> {
        let sampling = Sampling::parse(&config.tracing.sampling_rate).map_err(|problem| vec![problem])?;
        let begun = Cell::new(false);
        Ok(Rc::new(Self { config, runtime, sampling, gate, mark, begun, blocks: Rc::new(blocks) }))
    }

    /// Looks whether this is a worker's VM and then opens links and starts pumps.
    pub fn start(self: &Rc<Self>) {
        let app = Rc::clone(self);
        self.say(LogLevel::Info, "configured");
        let Some(runtime) = self.flows() else { return };
        runtime.spawn(Box::pin(async move {
            let question = is_worker(app.runtime.clone(), app.mark.clone(), app.config.link.clone());
            if Box::pin(question).await {
                app.begin();
            } else {
                app.say(LogLevel::Debug, "no worker, stays quiet");
            }
        }));
    }

    fn say(&self, level: LogLevel, what: &str) {
        self.runtime.log(level, &Line { component: "filter", what, ..Line::default() });
    }

    /// A request has reached this VM, so it is a worker's. Called from a callback of that request, in which no link may
    /// be opened: the next tick begins, which nothing else may have asked for.
    pub fn saw_request(&self) {
        if let (Some(flows), false) = (self.flows(), self.begun.replace(true)) {
            let (blocks, runtime) = (Rc::clone(&self.blocks), flows.clone());
            flows.spawn(Box::pin(async move { blocks.start(&runtime) }));
            flows.run_soon();
        }
    }

    fn begin(&self) {
        if !self.begun.replace(true) {
            self.blocks.start(&self.runtime);
        }
    }

    /// The flows. A module for routing only has none, and carries no code for them.
    #[inline(always)]
    pub fn flows(&self) -> Option<&Runtime> {
        Blocks::HAVE_FLOWS.then_some(&self.runtime)
    }

    /// The proxy.
    pub fn host(&self) -> &dyn Host {
        self.runtime.host()
    }

    /// The plugin configuration.
    pub fn config(&self) -> &PluginConfig {
        &self.config
    }

    /// What is demanded of requests to the API.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Largest body, in bytes, of a request that the filter answers.
    pub fn max_body(&self) -> usize {
        usize::try_from(self.config.limits.max_body_bytes).unwrap_or(usize::MAX)
    }

    /// The trace that a request belongs to.
    pub fn trace(&self, headers: &Headers) -> Trace {
        Trace::continue_or_start(headers, &self.sampling, self.runtime.host())
    }

    /// The trace of a request that goes to the application.
    pub fn kept_trace(&self, headers: &Headers) -> Trace {
        Trace::keep_or_start(headers, &self.sampling, self.runtime.host())
    }

    /// Whether the configuration's test switch makes this path stop the VM.
    pub fn traps_at(&self, path: &str) -> bool {
        path == "/weft-test/trap" && self.config.test.as_ref().is_some_and(|test| test.trap)
    }

    /// The answer to a request that needs neither body nor backend.
    pub fn at_once(&self, route: &Route, request: &Request) -> Option<Reply> {
        match route {
            Route::Unserved(api, name) => Some(api::unserved(*api, name)),
            Route::HealthzOutbound => Some(Reply::no_content()),
            Route::Healthz => Some(self.healthz(request)),
            Route::Metadata => Some(metadata::reply(&self.config, &self.blocks)),
            other => self.blocks.at_once(other),
        }
    }

    #[inline(never)]
    fn healthz(&self, request: &Request) -> Reply {
        let asked = request.query.split('&').find_map(|pair| pair.strip_prefix("appid="));
        if asked.is_some_and(|id| id != self.config.app_id) {
            return metadata::wrong_app_id();
        }
        let mut waits_for = Vec::new();
        if self.config.app.is_some() && !self.blocks.app_seen(&self.runtime) {
            waits_for.push("app".to_owned());
        }
        for it in &self.config.components {
            waits_for.extend(self.blocks.trouble(&it.name, &it.kind).map(|why| [&it.name, ": ", &why].concat()));
        }
        if waits_for.is_empty() { Reply::no_content() } else { metadata::not_ready(&waits_for) }
    }

    /// Dapr's error for a body above the limit.
    pub fn body_too_large(&self, route: &Route) -> Reply {
        api::body_too_large(route, self.max_body())
    }

    /// Lets a block answer a request.
    pub fn start_flow(&self, stream: StreamId, route: Route, request: Request) {
        let Some(flows) = self.flows() else { return };
        let trace = matches!(route, Route::Publish { .. } | Route::PublishBulk { .. })
            .then(|| self.trace(&request.headers))
            .unwrap_or_else(Trace::off);
        let flow = self.blocks.serve(route, request, trace);
        flows.spawn_request(stream, flow);
    }

    /// A newer configuration has taken over: read no more events, finish what is with the application.
    pub fn drain(&self) {
        self.blocks.drain();
    }

    /// Whether no event is with the application.
    pub fn is_idle(&self) -> bool {
        self.blocks.in_flight() == 0
    }
}

/// The lines of the log for a configuration that is refused: one for each thing that is wrong with it.
#[inline(never)]
pub fn refusals(text: &[u8], problems: &[Problem]) -> Vec<String> {
    let (config, _) = PluginConfig::draft(text);
    let line = |problem: &Problem| {
        let why = [&problem.what, "; ", &problem.remedy].concat();
        let about = [("path", problem.path.as_str())];
        Line { component: "config", about: &about, what: "configuration refused", why: &why }.text(&config.app_id)
    };
    problems.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;
    use std::time::Duration;

    #[test]
    #[cfg(feature = "memory")]
    fn a_request_that_comes_late_starts_the_pumps_whatever_it_is() {
        let host = FakeHost::new();
        let text = br#"{"version":1,"appId":"a","app":{"cluster":"app","authority":"h"},
            "components":[{"name":"p","type":"pubsub.in-memory"}]}"#;
        let app = App::read(text, host.clone(), Vm::default()).unwrap();
        app.start();
        // Long enough to be taken for the main thread's VM.
        host.pass(&app.runtime, Duration::from_secs(60));
        assert_eq!(host.tick.get(), None);
        app.saw_request();
        let tick = host.tick.get().expect("a tick, since an invocation or a health check runs no flow");
        assert!(tick <= app.runtime.now() + Duration::from_millis(1));
        host.pass(&app.runtime, Duration::from_millis(1));
        assert_eq!(host.answer(&app.runtime, 404, b"").headers.text(":path"), Some("/dapr/subscribe"));
    }
}
