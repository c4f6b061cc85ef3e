//! The start of a run.

use super::{End, Plan, Program, Session};
use crate::launch::console::Stream;
use crate::launch::envoy::Levels;
use crate::launch::member::{self, Event, Sink, Who};
use crate::launch::output::{EnvoyOutput, Output};
use crate::launch::{envoy, health};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use weft::bootstrap::App;

/// How long the proxy may take until it can be used.
const START: Duration = Duration::from_secs(60);
/// Between two questions whether it can.
const ASK: Duration = Duration::from_millis(25);

impl Session {
    /// Starts the proxy, waits until every application's ports can be used, and starts the applications.
    pub(super) fn start(&mut self, plan: &mut Plan, folder: &Path) -> Result<(), End> {
        self.start_envoy(plan, folder).map_err(End::Failed)?;
        self.wait_until_usable(&plan.proxy.apps)?;
        self.announce(plan);
        for (place, (program, app)) in plan.programs.iter().zip(&plan.proxy.apps).enumerate() {
            if !program.command.is_empty() {
                self.start_app(place, program, app)?;
            }
        }
        Ok(())
    }

    fn start_envoy(&mut self, plan: &mut Plan, folder: &Path) -> Result<(), String> {
        plan.proxy.module = plan.module.file(folder)?;
        let file = folder.join("envoy.json");
        let text = plan.proxy.bootstrap().to_string();
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        let output = EnvoyOutput::open(&self.console, &plan.programs)?;
        let sink: Sink = Arc::new(move |_, line| output.line(line));
        let levels = Levels::of(plan.log_level, &plan.proxy.apps);
        let command = envoy::command(&plan.envoy, &file, plan.proxy.workers, levels);
        let started = member::start(command, Who::Envoy, &sink, self.sender.clone(), &self.guard);
        self.envoy = Some(started.map_err(|error| format!("{} cannot be started: {error}", plan.envoy.display()))?);
        Ok(())
    }

    fn wait_until_usable(&mut self, apps: &[App]) -> Result<(), End> {
        let deadline = Instant::now() + START;
        for app in apps {
            while !health::is_usable(app.http) {
                match self.events.recv_timeout(ASK) {
                    Ok(Event::Signal(number)) => return Err(End::Interrupted(number)),
                    Ok(Event::Ended(_, status)) => return Err(End::EnvoyEnded(status)),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                if Instant::now() >= deadline {
                    let why = format!("Envoy does not answer at 127.0.0.1:{} after {START:?}", app.http);
                    return Err(End::Failed(why));
                }
            }
        }
        Ok(())
    }

    fn announce(&self, plan: &Plan) {
        self.console.say(&format!("{} with {} is ready", plan.envoy.display(), plan.module.name()));
        for app in &plan.proxy.apps {
            let port = app.port.map_or_else(|| "not called".to_owned(), |port| format!("called at 127.0.0.1:{port}"));
            let (id, http, grpc) = (&app.id, app.http, app.grpc);
            self.console.say(&format!("{id}: Dapr HTTP http://127.0.0.1:{http}, gRPC 127.0.0.1:{grpc}, {port}"));
        }
    }

    fn start_app(&mut self, place: usize, program: &Program, app: &App) -> Result<(), End> {
        let Some((name, arguments)) = program.command.split_first() else { return Ok(()) };
        let mut command = Command::new(name);
        command.args(arguments).current_dir(&program.folder).envs(environment(app)).envs(&program.environment);
        let output = Output::of_app(&self.console, program).map_err(End::Failed)?;
        let sink: Sink = Arc::new(move |stream: Stream, line: &[u8]| output.line(stream, line));
        match member::start(command, Who::App(place), &sink, self.sender.clone(), &self.guard) {
            Ok(group) => {
                self.apps.insert(place, group);
                Ok(())
            }
            Err(error) => Err(End::Failed(format!("{}: {name:?} cannot be started: {error}", program.id))),
        }
    }
}

/// What Dapr's SDKs and the application look for.
fn environment(app: &App) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("APP_ID", app.id.clone()),
        ("DAPR_HTTP_PORT", app.http.to_string()),
        ("DAPR_GRPC_PORT", app.grpc.to_string()),
        ("APP_PROTOCOL", "http".to_owned()),
    ];
    if let Some(port) = app.port {
        variables.push(("APP_PORT", port.to_string()));
    }
    variables
}
