//! A root context: one role with one plugin configuration.

use crate::api::Api;
use crate::host::{self, Proxy};
use crate::inbound::Inbound;
use crate::tcp::Tcp;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use weft_core::app::{App, refusals};
use weft_core::blocks::Blocks;
use weft_core::config::{LogLevel, Problem};
use weft_core::host::TcpId;
use weft_core::inbound::Callee;
use weft_core::runtime::{Runtime, Scope};
use weft_core::worker::Vm;

thread_local! {
    /// What the roots of this VM share.
    static THIS: Vm = Vm::default();
}

/// How long a replaced root may go on finishing its deliveries.
const DRAIN_LIMIT: Duration = Duration::from_secs(65);

enum Role {
    /// Not configured yet.
    None,
    Api {
        app: Rc<App>,
        proxy: Rc<Proxy>,
    },
    Inbound(Rc<Callee>),
    Tcp,
}

/// A root context.
pub struct Root {
    id: u32,
    role: Role,
    /// Whether the end was put off once.
    draining: Cell<bool>,
}

impl Root {
    /// A root without a role; `on_configure` gives it one.
    pub fn new(id: u32) -> Self {
        Self { id, role: Role::None, draining: Cell::new(false) }
    }

    fn flows(&self) -> Option<&Runtime> {
        match &self.role {
            Role::Api { app, .. } => app.flows(),
            Role::Inbound(_) | Role::Tcp | Role::None => None,
        }
    }

    /// Lets the flows run that something has woken, and answers the requests that are ready.
    fn run(&self) {
        if let Some(flows) = self.flows() {
            for (stream, reply) in flows.run(Scope::Root) {
                host::reply(stream, &reply);
            }
        }
    }

    fn configure(&mut self) -> Result<(), Vec<Problem>> {
        let role = host::root_id();
        // A module for routing only has no components, so nothing that it could link.
        if Blocks::HAVE_FLOWS && role == "weft.tcp" {
            self.role = Role::Tcp;
            return Ok(());
        }
        let text = host::plugin_configuration();
        let proxy = Rc::new(Proxy::new(self.id));
        let vm = THIS.with(Vm::clone);
        match role.as_str() {
            "weft.api" => {
                let app = App::read(&text, proxy.clone(), vm)?;
                app.start();
                self.role = Role::Api { app, proxy };
            }
            "weft.inbound" => {
                self.role = Role::Inbound(Callee::read(&text, proxy, vm)?);
            }
            other => {
                let what = ["names no role of this module: ", other].concat();
                let roles =
                    if Blocks::HAVE_FLOWS { "weft.api, weft.inbound or weft.tcp" } else { "weft.api or weft.inbound" };
                return Err(vec![Problem::new("root_id", what, ["use ", roles].concat())]);
            }
        }
        Ok(())
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, trailers: usize) {
        host::enter(self.id);
        if let Some(flows) = self.flows() {
            host::hand_over(flows, token, headers, body_size, trailers);
        }
        self.run();
    }

    fn on_grpc_stream_initial_metadata(&mut self, token: u32, count: u32) {
        host::enter(self.id);
        // A backend that cannot be reached gives an answer of trailers only, which Envoy shows as no headers at all.
        if count == 0 {
            return;
        }
        if let Some(flows) = self.flows() {
            flows.on_tcp_open(TcpId(token));
        }
        self.run();
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        host::enter(self.id);
        if let Some(flows) = self.flows() {
            let bytes = host::read_body(BufferType::GrpcReceiveBuffer, size);
            flows.on_tcp_data(TcpId(token), &bytes);
        }
        self.run();
    }

    fn on_grpc_stream_close(&mut self, token: u32, status: u32) {
        host::enter(self.id);
        if let Some(flows) = self.flows() {
            flows.on_tcp_close(TcpId(token), status);
        }
        self.run();
    }

    fn on_done(&mut self) -> bool {
        host::enter(self.id);
        let Role::Api { app, proxy } = &self.role else {
            return true;
        };
        if !Blocks::HAVE_FLOWS {
            return true;
        }
        app.drain();
        if app.is_idle() || self.draining.replace(true) {
            return true;
        }
        let Some(runtime) = app.flows().cloned() else { return true };
        let (app, proxy) = (Rc::clone(app), Rc::clone(proxy));
        runtime.clone().spawn(Box::pin(async move {
            let end = runtime.now() + DRAIN_LIMIT;
            while !app.is_idle() && runtime.now() < end {
                runtime.sleep(Duration::from_millis(50)).await;
            }
            proxy.done();
        }));
        self.run();
        false
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        host::enter(self.id);
        match self.configure() {
            Ok(()) => {
                // Not now: a worker that starts has no internal listeners yet, and a call to one crashes Envoy 1.40.
                if let Some(flows) = self.flows() {
                    flows.run_soon();
                }
                true
            }
            Err(problems) => {
                let text = host::plugin_configuration();
                refusals(&text, &problems).iter().for_each(|line| host::log(LogLevel::Error, line));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        host::enter(self.id);
        if let Some(flows) = self.flows() {
            flows.on_tick();
        }
        self.run();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        THIS.with(|vm| vm.mark.set());
        match &self.role {
            Role::Api { app, .. } => Some(Box::new(Api::new(Rc::clone(app), id))),
            Role::Inbound(callee) => Some(Box::new(Inbound::new(Rc::clone(callee), id))),
            Role::Tcp if Blocks::HAVE_FLOWS => Some(Box::new(Tcp::new(id))),
            Role::Tcp | Role::None => None,
        }
    }
}
