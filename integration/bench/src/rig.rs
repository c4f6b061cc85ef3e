//! What is measured: a chain of Envoys in front of the application, and the request that is sent through it.

use crate::daprd::Daprd;
use crate::measure::{CONNECTIONS, Job};
use serde_json::{Value, json};
use std::path::PathBuf;
use weft::bootstrap::{Admin, App, Backend, Proxy, backend_cluster};
use weft_core::config::{Component, Invoke, LogLevel, Target};
use weft_tests::envoy::EnvoyProcess;
use weft_tests::mesh::backend;
use weft_tests::{env, ports};

/// Body of publish and save requests: about 200 bytes, as an order would have.
pub const ORDER: &str = r#"{"id":"a4c1d3a2-7f1e-4a57-9d51-0d3f2b7c9e10","customer":"Ada Lovelace","items":[{"sku":"tea-42","count":3,"price":12.5},{"sku":"cup-7","count":1,"price":8.25}],"note":"leave it at the door"}"#;

/// The filter that stands in each Envoy of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// None: plain Envoy.
    None,
    /// One that does nothing.
    Noop,
    /// Weft, the whole module.
    Weft,
    /// Weft, the module that only routes.
    Route,
}

/// A proxy of a chain.
pub enum Running {
    /// An Envoy.
    Envoy(EnvoyProcess),
    /// A daprd.
    Daprd(Daprd),
}

impl Running {
    fn pid(&self) -> u32 {
        match self {
            Self::Envoy(envoy) => envoy.pid(),
            Self::Daprd(daprd) => daprd.pid(),
        }
    }
}

/// One chain, running.
pub struct Rig {
    /// Its name in the table.
    pub name: &'static str,
    /// Its proxies, the caller's first.
    pub proxies: Vec<Running>,
    /// Where requests go in.
    pub port: u16,
    /// One request.
    pub request: Vec<u8>,
    /// The status of a good answer.
    pub wanted: u16,
}

impl Rig {
    /// What is sent to it.
    pub fn job(&self) -> Job<'_> {
        let Self { name, port, request, wanted, .. } = self;
        let pids = self.proxies.iter().map(Running::pid).collect();
        Job { name, pids, port: *port, request, wanted: *wanted, connections: CONNECTIONS }
    }
}

/// A `GET`.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A `POST` of JSON.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ");
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a chain is measured with.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Threads that serve requests, of each proxy.
    pub workers: u32,
    /// Applications that the caller's configuration names.
    pub apps: usize,
    /// Bytes of a request's body; 0 for a `GET`.
    pub body: usize,
}

impl Shape {
    fn request(self, path: &str) -> Vec<u8> {
        if self.body == 0 { get(path) } else { post(path, &"x".repeat(self.body)) }
    }
}

/// A chain of one or two proxies that pass everything on.
pub fn proxies(name: &'static str, filter: Filter, hops: usize, shape: Shape, app: u16) -> Rig {
    let mut proxies = Vec::new();
    let mut next = app;
    for _ in 0..hops {
        let port = ports::free();
        proxies.insert(0, Running::Envoy(plain_with(filter, port, next, shape.workers)));
        next = port;
    }
    Rig { name, proxies, port: next, request: shape.request("/page"), wanted: 200 }
}

/// One proxy at `port` that passes everything on to `next`.
pub fn plain_with(filter: Filter, port: u16, next: u16, workers: u32) -> EnvoyProcess {
    EnvoyProcess::start(pass_on(filter, port, next), workers)
}

/// A bootstrap with one listener that sends everything to `next`.
fn pass_on(filter: Filter, port: u16, next: u16) -> Value {
    let app = quiet(App::new("callee", port, ports::free(), Some(next)));
    let mut all = proxy(app, Vec::new(), 1).bootstrap();
    let listeners = all["static_resources"]["listeners"].as_array().cloned().unwrap_or_default();
    let inbound = listeners.into_iter().find(|listener| listener["name"] == "weft_inbound_callee");
    let mut listener = inbound.unwrap_or_default();
    if let Some(fields) = listener.as_object_mut() {
        fields.remove("internal_listener");
        fields.insert("address".into(), json!({"socket_address": {"address": "127.0.0.1", "port_value": port}}));
    }
    let filters = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
    match filter {
        Filter::Weft => {}
        Filter::Route => {
            filters[0]["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = json!(env::route_module())
        }
        Filter::None => {
            filters.as_array_mut().map(|list| list.remove(0));
        }
        Filter::Noop => {
            let config = &mut filters[0]["typed_config"]["config"];
            config["vm_config"]["vm_id"] = json!("noop");
            config["vm_config"]["code"]["local"]["filename"] = json!(noop_module());
        }
    }
    all["static_resources"]["listeners"] = json!([listener]);
    let clusters = all["static_resources"]["clusters"].as_array().cloned().unwrap_or_default();
    let only_app = clusters.into_iter().filter(|cluster| cluster["name"] == "weft_app_callee").collect::<Vec<_>>();
    all["static_resources"]["clusters"] = json!(only_app);
    all
}

/// An invocation through a caller's and a callee's Envoy, each with Weft.
pub fn invoke(name: &'static str, shape: Shape, app: u16) -> Rig {
    let callee = proxies(name, Filter::Route, 1, shape, app);
    let caller_port = ports::free();
    let caller = quiet(App::new("caller", caller_port, ports::free(), Some(app)));
    // What `weft run` and `weft render` take for a configuration without components.
    let mut proxy =
        Proxy { module: env::route_module(), ..proxy(caller, vec![backend("callee", callee.port)], shape.workers) };
    for number in 0..shape.apps {
        let id = if number == 0 { "callee".to_owned() } else { format!("callee-{number}") };
        let target = Target { cluster: Some("callee".into()), authority: id.clone() };
        proxy.elsewhere.apps.insert(id, target);
    }
    let caller = EnvoyProcess::start(proxy.bootstrap(), shape.workers);
    let proxies = std::iter::once(Running::Envoy(caller)).chain(callee.proxies).collect();
    Rig { name, proxies, port: caller_port, request: shape.request(CALL), wanted: 200 }
}

/// Path of a call of the application `callee` by its name.
const CALL: &str = "/v1.0/invoke/callee/method/page";

/// Such a call.
pub fn invocation() -> Vec<u8> {
    get(CALL)
}

/// What an application with state and a broker on Redis is measured with.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// `GET` of one key.
    Get,
    /// `POST` of one value of 200 bytes.
    Save,
    /// Publish of one event of 200 bytes.
    Publish,
}

impl Work {
    /// One request.
    pub fn request(self) -> Vec<u8> {
        match self {
            Self::Get => get("/v1.0/state/statestore/bench"),
            Self::Save => save(),
            Self::Publish => post("/v1.0/publish/pubsub/unread", ORDER),
        }
    }

    /// The status of a good answer.
    pub fn wanted(self) -> u16 {
        if matches!(self, Self::Get) { 200 } else { 204 }
    }
}

/// One Envoy with Weft, state and publish/subscribe on the Redis at that port.
pub fn on_redis(name: &'static str, work: Work, app: u16, redis: u16) -> Rig {
    let (envoy, port) = redis_envoy(app, redis, 1);
    Rig { name, proxies: vec![Running::Envoy(envoy)], port, request: work.request(), wanted: work.wanted() }
}

/// A request that saves the value which gets read.
pub fn save() -> Vec<u8> {
    post("/v1.0/state/statestore", &format!(r#"[{{"key":"bench","value":{ORDER}}}]"#))
}

/// An Envoy with Weft, state and publish/subscribe on the Redis at that port; gives the Dapr HTTP port too.
pub fn redis_envoy(app: u16, redis: u16, workers: u32) -> (EnvoyProcess, u16) {
    let port = ports::free();
    let mut served = quiet(App::new("bench", port, ports::free(), Some(app)));
    served.components = vec![component("statestore", "state.redis"), component("pubsub", "pubsub.redis")];
    let backends = ["statestore", "pubsub"].map(|name| backend(&backend_cluster(name), redis));
    (EnvoyProcess::start(proxy(served, backends.into(), workers).bootstrap(), workers), port)
}

fn proxy(app: App, backends: Vec<Backend>, workers: u32) -> Proxy {
    Proxy {
        module: env::module(),
        apps: vec![app],
        elsewhere: Invoke::default(),
        outside: Default::default(),
        backends,
        workers,
        admin: Admin::Off,
    }
}

fn quiet(app: App) -> App {
    App { log_level: LogLevel::Warn, ..app }
}

fn component(name: &str, kind: &str) -> Component {
    Component {
        name: name.into(),
        kind: kind.into(),
        version: "v1".into(),
        cluster: Some(backend_cluster(name)),
        metadata: Default::default(),
    }
}

fn noop_module() -> PathBuf {
    std::env::var_os("WEFT_NOOP_WASM").map_or_else(|| PathBuf::from("target/weft/noop.wasm"), PathBuf::from)
}
