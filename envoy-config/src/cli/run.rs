//! `weft run`.

use super::Outcome;
use super::args::{AppOptions, RunOptions};
use super::prepare::{Choice, prepare};
use crate::launch::{self, Console, Plan};
use std::collections::BTreeMap;
use std::sync::Arc;
use weft::problem::Problems;
use weft::runfile::{self, Destination, Given, Spec};

/// Runs an application, or those of a run file.
///
/// # Errors
/// What cannot be run, and why.
pub fn run(options: &RunOptions) -> Outcome {
    let problems = Problems::default();
    let specs = specs(&options.apps, options.command.clone(), &problems)?;
    let prepared = prepare(&specs, &options.proxy, Choice::Free, &problems)?;
    let envoy = launch::find_envoy(std::env::var_os("ENVOY_BIN"), std::env::var_os("PATH"))?;
    let console = Arc::new(Console::new(prepared.programs.iter().map(|program| program.id.as_str())));
    prepared.remarks.iter().for_each(|remark| console.say(&remark.to_string()));
    let (proxy, module, programs) = (prepared.proxy, prepared.module, prepared.programs);
    launch::run(Plan { proxy, module, envoy, log_level: options.proxy.log_level.into(), programs }, console)
}

/// The applications that flags or a run file describe.
///
/// # Errors
/// There is no current folder, or a command beside a run file.
pub fn specs(options: &AppOptions, command: Vec<String>, problems: &Problems) -> Result<Vec<Spec>, String> {
    if let Some(file) = &options.run_file {
        if !command.is_empty() {
            return Err("--run-file: the commands stand in the file; remove the one behind it".to_owned());
        }
        return Ok(runfile::read(file, problems));
    }
    let folder = std::env::current_dir().map_err(|error| format!("the current folder: {error}"))?;
    let port = |flag: &str, port: Option<u16>| port.map(|port| Given::by_flag(port, flag));
    Ok(vec![Spec {
        id: Given::by_flag(options.app_id.clone().unwrap_or_default(), "--app-id"),
        folder,
        command,
        environment: BTreeMap::new(),
        port: port("--app-port", options.app_port),
        protocol: options.app_protocol,
        guard: options.guard.guard(),
        http: port("--dapr-http-port", options.dapr_http_port),
        grpc: port("--dapr-grpc-port", options.dapr_grpc_port),
        resources: options.resources_path.clone(),
        configuration: options.config.clone(),
        log_level: None,
        max_body: options.max_body_size,
        app_log: Destination::Console,
        filter_log: Destination::Console,
    }])
}
