//! From what a person gave to a proxy, its module and the programs beside it.

use super::args::ProxyOptions;
use crate::launch::Program;
use crate::launch::ports::{self, Ports};
use std::collections::BTreeMap;
use weft::assemble::{Backends, Places, assemble, judge};
use weft::bootstrap::{Admin, App, Guard, Outside, Protocol, Proxy};
use weft::modules::{Module, Variant};
use weft::problem::{Place, Problem, Problems};
use weft::redis::authorities;
use weft::resources::{Configuration, Resources};
use weft::runfile::{Given, Spec, check_unique};
use weft_core::config::{Component, EnvironmentSource, Invoke};

/// Everything that a run needs but Envoy.
pub struct Prepared {
    /// The proxy.
    pub proxy: Proxy,
    /// The module that serves it.
    pub module: Module,
    /// The applications' programs, in the order of the proxy's applications.
    pub programs: Vec<Program>,
    /// What has no effect, to be said.
    pub remarks: Vec<Problem>,
}

/// How ports that were not given are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Any that are free now; those that were given have to be free too.
    Free,
    /// Dapr's own numbers and those after them: the proxy runs later, or elsewhere.
    Usual,
}

/// Prepares a run.
///
/// # Errors
/// Everything that is wrong with what was given, or a module that is not there.
pub fn prepare(
    specs: &[Spec],
    options: &ProxyOptions,
    choice: Choice,
    problems: &Problems,
) -> Result<Prepared, String> {
    let admin = options.admin_port.map(|port| Given::by_flag(port, "--admin-port"));
    check_unique(specs, admin.as_ref(), problems);
    let mut chooser = Chooser::new(specs, admin.as_ref(), choice);
    if let Some(admin) = &admin {
        chooser.given(admin, problems);
    }
    let mut backends = Backends::new(authorities());
    let mut apps = Vec::new();
    let mut places = Vec::new();
    for spec in specs {
        let mut app = App::new(&spec.id.value, 0, 0, spec.port.as_ref().map(|port| port.value));
        app.protocol = spec.protocol;
        check_guard(spec, options.workers, problems);
        app.guard = Guard { token: app_token(spec, |name| std::env::var(name).ok()), ..spec.guard.clone() };
        app.http = chooser.port(spec.http.as_ref(), HTTP, problems)?;
        app.grpc = chooser.port(spec.grpc.as_ref(), GRPC, problems)?;
        app.api_token = api_token(|name| std::env::var(name).ok());
        app.log_level = spec.log_level.unwrap_or(options.log_level.into());
        if let Some(size) = spec.max_body {
            app.limits.max_body_bytes = size;
        }
        places.push(give_resources(&mut app, spec, &mut backends, problems));
        apps.push(app);
    }
    let module = Variant::serving(&apps).find(options.wasm.as_deref());
    let proxy = Proxy {
        module: module.as_ref().map(|module| module.name().into()).unwrap_or_default(),
        apps,
        elsewhere: Invoke::default(),
        outside: Outside {
            hosts: options.external_host.clone(),
            addresses: options.external_address.clone(),
            authorities: authorities(),
        },
        backends: backends.into_inner(),
        workers: options.workers,
        admin: options.admin_port.map_or(Admin::Off, Admin::Port),
    };
    for ((app, places), spec) in proxy.apps.iter().zip(&places).zip(specs) {
        judge(&proxy.plugin(app), places, &spec.id.place, problems);
    }
    problems.check(()).map_err(|found| refusal(&found))?;
    let programs = specs.iter().map(program).collect();
    Ok(Prepared { proxy, module: module?, programs, remarks: problems.remarks() })
}

/// What Envoy could not keep.
fn check_guard(spec: &Spec, workers: u32, problems: &Problems) {
    let id = &spec.id;
    if let Some(limit) = spec.guard.max_concurrency.filter(|limit| *limit < workers) {
        let what = format!(
            "the application {:?} may have {limit} requests at a time, and each of {workers} workers may always have one: \
             use {limit} --workers at most",
            id.value
        );
        problems.add(&id.place, what);
    }
    if spec.guard.health.is_some() && matches!(spec.protocol, Protocol::Grpc | Protocol::Grpcs) {
        let what = "is asked for its health by HTTP in this release, which one that speaks gRPC does not answer";
        problems.add(&id.place, format!("the application {:?} {what}: switch the health check off", id.value));
    }
}

/// As daprd: a variable that is set and not empty, for the application alone or for all.
fn app_token(spec: &Spec, environment: impl Fn(&str) -> Option<String>) -> Option<String> {
    const TOKEN: &str = "APP_API_TOKEN";
    spec.environment.get(TOKEN).cloned().or_else(|| environment(TOKEN)).filter(|token| !token.is_empty())
}

/// As daprd: a variable that is set and not empty demands a token of every request.
fn api_token(environment: impl Fn(&str) -> Option<String>) -> Option<EnvironmentSource> {
    const TOKEN: &str = "DAPR_API_TOKEN";
    let is_set = environment(TOKEN).is_some_and(|token| !token.is_empty());
    is_set.then(|| EnvironmentSource { env: TOKEN.to_owned() })
}

fn refusal(found: &[Problem]) -> String {
    let lines: Vec<String> = found.iter().map(|problem| format!("\n  {problem}")).collect();
    let count = if found.len() == 1 { "a problem".to_owned() } else { format!("{} problems", found.len()) };
    format!("nothing was done, because of {count}:{}", lines.concat())
}

fn program(spec: &Spec) -> Program {
    Program {
        id: spec.id.value.clone(),
        command: spec.command.clone(),
        folder: spec.folder.clone(),
        environment: spec.environment.clone(),
        log: spec.app_log,
        filter_log: spec.filter_log,
    }
}

fn give_resources(app: &mut App, spec: &Spec, backends: &mut Backends, problems: &Problems) -> Places {
    let resources = Resources::read(&spec.resources, problems);
    let configuration = configuration(spec, &resources, problems);
    let places = assemble(app, &resources, configuration.as_ref(), backends, problems);
    if spec.resources.is_empty() {
        app.components = defaults();
    }
    places
}

/// What is there if no resources are given, as after `dapr init`: only that nothing outlives the proxy.
fn defaults() -> Vec<Component> {
    [("statestore", "state.in-memory"), ("pubsub", "pubsub.in-memory")].map(in_memory).into()
}

fn in_memory((name, kind): (&str, &str)) -> Component {
    let (name, kind, version) = (name.to_owned(), kind.to_owned(), "v1".to_owned());
    Component { name, kind, version, cluster: None, metadata: BTreeMap::new() }
}

/// The one that was named, else the one among the resources.
fn configuration(spec: &Spec, resources: &Resources, problems: &Problems) -> Option<Configuration> {
    let Some(file) = &spec.configuration else {
        return only(&resources.configurations, problems);
    };
    let named = Resources::read(std::slice::from_ref(file), problems);
    let place = Place { file: file.as_path().into(), line: 0 };
    if !named.components.is_empty() || !named.subscriptions.is_empty() {
        problems.add(&place, "holds other resources than a Configuration; give them by --resources-path");
    }
    if named.configurations.is_empty() {
        problems.add_if_none(&place, "holds no Configuration");
    }
    only(&named.configurations, problems)
}

fn only(configurations: &[Configuration], problems: &Problems) -> Option<Configuration> {
    if let [first, second, ..] = configurations {
        let why = format!("is one too many: there is one at {} already", first.place);
        problems.add(&second.place, format!("Configuration {:?} {why}", second.name));
    }
    configurations.first().cloned()
}

/// Dapr's own port for HTTP.
pub const HTTP: u16 = 3500;
/// Dapr's own port for gRPC.
pub const GRPC: u16 = 50_001;

/// Chooses ports.
struct Chooser {
    choice: Choice,
    free: Ports,
    taken: Vec<u16>,
}

impl Chooser {
    fn new(specs: &[Spec], admin: Option<&Given<u16>>, choice: Choice) -> Self {
        let ports = specs.iter().flat_map(|spec| [&spec.port, &spec.http, &spec.grpc]).flatten();
        let taken: Vec<u16> = ports.chain(admin).map(|port| port.value).collect();
        Self { choice, free: Ports::new(taken.clone()), taken }
    }

    fn port(&mut self, given: Option<&Given<u16>>, usual: u16, problems: &Problems) -> Result<u16, String> {
        match (given, self.choice) {
            (Some(given), _) => Ok(self.given(given, problems)),
            (None, Choice::Free) => self.free.free(),
            (None, Choice::Usual) => {
                let port = (usual..).find(|port| !self.taken.contains(port)).unwrap_or(usual);
                self.taken.push(port);
                Ok(port)
            }
        }
    }

    /// A port that was given; one that the proxy cannot have now is told.
    fn given(&self, given: &Given<u16>, problems: &Problems) -> u16 {
        if self.choice == Choice::Free && !ports::is_free(given.value) {
            let what = format!("the port {} of 127.0.0.1 is taken by another program", given.value);
            problems.add(&given.place, what);
        }
        given.value
    }
}
