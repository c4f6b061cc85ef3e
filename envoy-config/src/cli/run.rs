//! `weft run`.

use super::Outcome;
use super::args::{ProxyOptions, RunOptions};
use crate::launch::ports::{self, Ports};
use crate::launch::{self, Console, Plan, Program};
use std::collections::BTreeMap;
use std::sync::Arc;
use weft::bootstrap::{Admin, App, Proxy};
use weft::modules::Variant;
use weft_core::config::{Component, Invoke};

/// Runs an application.
///
/// # Errors
/// What cannot be run, and why.
pub fn run(options: &RunOptions) -> Outcome {
    let app = app(options)?;
    let program = Program {
        id: app.id.clone(),
        command: options.command.clone(),
        folder: std::env::current_dir().map_err(|error| format!("the current folder: {error}"))?,
        environment: BTreeMap::new(),
    };
    let plan = plan(vec![app], vec![program], &options.proxy)?;
    let console = Arc::new(Console::new(plan.programs.iter().map(|program| program.id.as_str())));
    launch::run(plan, console)
}

fn app(options: &RunOptions) -> Result<App, String> {
    let given = [options.app_port, options.dapr_http_port, options.dapr_grpc_port];
    let mut ports = Ports::new(given.into_iter().flatten().collect());
    let http = dapr_port("--dapr-http-port", options.dapr_http_port, &mut ports)?;
    let grpc = dapr_port("--dapr-grpc-port", options.dapr_grpc_port, &mut ports)?;
    let mut app = App::new(&options.app_id, http, grpc, options.app_port);
    app.log_level = options.proxy.log_level.into();
    app.components = defaults();
    Ok(app)
}

fn dapr_port(flag: &str, given: Option<u16>, ports: &mut Ports) -> Result<u16, String> {
    match given {
        None => ports.free(),
        Some(port) if ports::is_free(port) => Ok(port),
        Some(port) => Err(format!("{flag}: port {port} of 127.0.0.1 is taken by another program")),
    }
}

/// What is there if no resources are given, as after `dapr init`: only that nothing outlives the proxy.
fn defaults() -> Vec<Component> {
    [("statestore", "state.in-memory"), ("pubsub", "pubsub.in-memory")].map(in_memory).into()
}

fn in_memory((name, kind): (&str, &str)) -> Component {
    let (name, kind, version) = (name.to_owned(), kind.to_owned(), "v1".to_owned());
    Component { name, kind, version, cluster: None, metadata: BTreeMap::new() }
}

fn plan(apps: Vec<App>, programs: Vec<Program>, options: &ProxyOptions) -> Result<Plan, String> {
    let module = Variant::serving(&apps).find(options.wasm.as_deref())?;
    let envoy = launch::find_envoy(std::env::var_os("ENVOY_BIN"), std::env::var_os("PATH"))?;
    let proxy = Proxy {
        module: module.name().into(),
        apps,
        elsewhere: Invoke::default(),
        backends: Vec::new(),
        workers: options.workers,
        admin: options.admin_port.map_or(Admin::Off, Admin::Port),
    };
    Ok(Plan { proxy, module, envoy, log_level: options.log_level.into(), programs })
}
