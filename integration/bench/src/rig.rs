//! What is measured: a chain of Envoys in front of the application, and the request that is sent through it.

use serde_json::{Value, json};
use std::path::PathBuf;
use weft_tests::bootstrap::{self, AppPorts, Backend, Plan};
use weft_tests::envoy::EnvoyProcess;
use weft_tests::{env, ports};

/// Body of publish and save requests: about 200 bytes, as an order would have.
const ORDER: &str = r#"{"id":"a4c1d3a2-7f1e-4a57-9d51-0d3f2b7c9e10","customer":"Ada Lovelace","items":[{"sku":"tea-42","count":3,"price":12.5},{"sku":"cup-7","count":1,"price":8.25}],"note":"leave it at the door"}"#;

/// The filter that stands in each Envoy of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// None: plain Envoy.
    None,
    /// One that does nothing.
    Noop,
    /// Weft.
    Weft,
}

/// One chain, running.
pub struct Rig {
    /// Its name in the table.
    pub name: &'static str,
    /// Its Envoys, the caller's first.
    pub envoys: Vec<EnvoyProcess>,
    /// Where requests go in.
    pub port: u16,
    /// One request.
    pub request: Vec<u8>,
    /// The status of a good answer.
    pub wanted: u16,
}

impl Rig {
    /// Processes whose CPU time counts.
    pub fn pids(&self) -> Vec<u32> {
        self.envoys.iter().map(EnvoyProcess::pid).collect()
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ");
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A chain of one or two proxies that pass everything on.
pub fn proxies(name: &'static str, filter: Filter, hops: usize, app: u16) -> Rig {
    let mut envoys = Vec::new();
    let mut next = app;
    for _ in 0..hops {
        let port = ports::free();
        envoys.insert(0, plain_with(filter, port, next, 1));
        next = port;
    }
    Rig { name, envoys, port: next, request: get("/page"), wanted: 200 }
}

/// One proxy at `port` that passes everything on to `next`.
pub fn plain_with(filter: Filter, port: u16, next: u16, workers: u32) -> EnvoyProcess {
    EnvoyProcess::start(pass_on(filter, port, next), workers)
}

/// A bootstrap with one listener that sends everything to `next`.
fn pass_on(filter: Filter, port: u16, next: u16) -> Value {
    let app = AppPorts {
        id: "callee".into(),
        http: port,
        grpc: ports::free(),
        app: next,
        plugin: plugin("callee", next, &[]),
    };
    let mut all = bootstrap::bootstrap(&plan(vec![app], Vec::new(), 1));
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
pub fn invoke(app: u16) -> Rig {
    let callee = proxies("", Filter::Weft, 1, app);
    let caller_port = ports::free();
    let mut config = plugin("caller", app, &[]);
    config["invoke"] = json!({"apps": {"callee": {"cluster": "callee", "authority": "callee"}}});
    let ports = AppPorts { id: "caller".into(), http: caller_port, grpc: ports::free(), app, plugin: config };
    let backend = Backend { cluster: "callee".into(), port: callee.port };
    let caller = EnvoyProcess::start(bootstrap::bootstrap(&plan(vec![ports], vec![backend], 1)), 1);
    let mut envoys = vec![caller];
    envoys.extend(callee.envoys);
    Rig { name: "invoke", envoys, port: caller_port, request: get("/v1.0/invoke/callee/method/page"), wanted: 200 }
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

/// One Envoy with Weft, state and publish/subscribe on the Redis at that port.
pub fn on_redis(name: &'static str, work: Work, app: u16, redis: u16) -> Rig {
    let (envoy, port) = redis_envoy(app, redis, 1);
    let request = match work {
        Work::Get => get("/v1.0/state/statestore/bench"),
        Work::Save => post("/v1.0/state/statestore", &format!(r#"[{{"key":"bench","value":{ORDER}}}]"#)),
        Work::Publish => post("/v1.0/publish/pubsub/unread", ORDER),
    };
    let wanted = if matches!(work, Work::Get) { 200 } else { 204 };
    Rig { name, envoys: vec![envoy], port, request, wanted }
}

/// An Envoy with Weft, state and publish/subscribe on the Redis at that port; gives the Dapr HTTP port too.
pub fn redis_envoy(app: u16, redis: u16, workers: u32) -> (EnvoyProcess, u16) {
    let port = ports::free();
    let components = ["state.redis", "pubsub.redis"];
    let ports = AppPorts {
        id: "bench".into(),
        http: port,
        grpc: ports::free(),
        app,
        plugin: plugin("bench", app, &components),
    };
    let backend = |name: &str| Backend { cluster: format!("weft_tcp_{name}"), port: redis };
    let backends = vec![backend("statestore"), backend("pubsub")];
    (EnvoyProcess::start(bootstrap::bootstrap(&plan(vec![ports], backends, workers)), workers), port)
}

fn plan(apps: Vec<AppPorts>, backends: Vec<Backend>, workers: u32) -> Plan {
    let module = env::module().display().to_string();
    Plan { module, apps, backends, max_body: 4 * 1024 * 1024, workers }
}

fn plugin(id: &str, app: u16, components: &[&str]) -> Value {
    let mut config = json!({
        "version": 1, "appId": id, "link": {"cluster": "weft_link"},
        "app": {"cluster": format!("weft_app_{id}"), "authority": format!("127.0.0.1:{app}")},
        "logLevel": "warn",
    });
    let components = components.iter().map(|kind| {
        let name = if kind.starts_with("state") { "statestore" } else { "pubsub" };
        json!({"name": name, "type": kind, "cluster": format!("weft_tcp_{name}")})
    });
    config["components"] = components.collect();
    config
}

fn noop_module() -> PathBuf {
    std::env::var_os("WEFT_NOOP_WASM").map_or_else(|| PathBuf::from("target/weft/noop.wasm"), PathBuf::from)
}
