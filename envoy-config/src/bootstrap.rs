//! Envoy's bootstrap: any number of applications in one proxy, each with its Dapr ports and its own filters.
//!
//! Names of clusters and listeners are made here and nowhere else; the plugin configuration is written with them.

mod again;
mod clusters;
mod endpoint;
mod filters;
mod guard;
mod listeners;
mod names;
mod nodes;
mod outside;
mod protocol;
mod spans;
mod stats;

pub use again::{Again, CallRules};
pub use endpoint::{Authorities, Endpoint, EndpointTls};
pub use guard::{AppHealth, Guard};
pub use outside::{Outside, Range};
pub use protocol::Protocol;
pub use spans::Collector;
pub use stats::LABELS;
pub use weft_core::config::Transport;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use weft_core::by_name::ByName;
use weft_core::config::{
    AccessControl, ApiLists, AppChannel, Callers, Component, EnvironmentSource, Identity, Invoke, Limits, LinkConfig,
    LogLevel, PluginConfig, Secret, Subscription, Target, TestSwitches, Tracing, VERSION,
};

const INTERNAL: &str = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener";

/// One Envoy process and all it serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// File of the filter's module, as Envoy is to open it.
    pub module: PathBuf,
    /// The applications; they call each other by name.
    pub apps: Vec<App>,
    /// Where applications are that other proxies serve.
    pub elsewhere: Invoke,
    /// Hosts outside of the mesh that they may call.
    pub outside: Outside,
    /// Servers that components keep their data in.
    pub backends: Vec<Backend>,
    /// How many threads serve requests. The bootstrap only spaces health checks by it; Envoy takes the number itself
    /// from `--concurrency`.
    pub workers: u32,
    /// Where Envoy's own interface listens.
    pub admin: Admin,
}

/// Where Envoy's admin interface listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// Nowhere.
    Off,
    /// On this port of 127.0.0.1; 0 for any free one.
    Port(u16),
}

/// One application.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Its Dapr app id.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Dapr's HTTP port on 127.0.0.1.
    pub http: u16,
    /// Dapr's gRPC port on 127.0.0.1.
    pub grpc: u16,
    /// The port on 127.0.0.1 where the application itself listens. Without one it can call, not be called.
    pub port: Option<u16>,
    /// What it speaks at that port.
    pub protocol: Protocol,
    /// Its components.
    pub components: Vec<Component>,
    /// Its declarative subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// What guards its port.
    pub guard: Guard,
    /// Who may call it.
    pub access_control: Option<AccessControl>,
    /// The variable of Envoy's environment that holds the token which requests to the API have to bring.
    pub api_token: Option<EnvironmentSource>,
    /// Which of Dapr's APIs are offered.
    pub api: ApiLists,
    /// How its callers are told apart. Absent: all that call it are in this proxy.
    pub callers: Option<Callers>,
    /// Servers outside of the mesh that it calls by name.
    pub endpoints: Vec<Endpoint>,
    /// How it calls others.
    pub rules: CallRules,
    /// Its traces.
    pub tracing: Tracing,
    /// What takes its spans; absent for none.
    pub collector: Option<Collector>,
    /// The least severe line that its filters log.
    pub log_level: LogLevel,
    /// Bounds on its requests.
    pub limits: Limits,
    /// Switches for tests of fault handling.
    pub test: Option<TestSwitches>,
}

impl App {
    /// An application with nothing but its ports.
    #[must_use]
    pub fn new(id: &str, http: u16, grpc: u16, port: Option<u16>) -> Self {
        Self {
            id: id.to_owned(),
            namespace: "default".to_owned(),
            http,
            grpc,
            port,
            protocol: Protocol::default(),
            components: Vec::new(),
            subscriptions: Vec::new(),
            guard: Guard::default(),
            endpoints: Vec::new(),
            rules: CallRules::default(),
            access_control: None,
            api_token: None,
            api: ApiLists::default(),
            callers: None,
            tracing: Tracing::default(),
            collector: None,
            log_level: LogLevel::default(),
            limits: Limits::default(),
            test: None,
        }
    }

    /// Whether events are read for it all the time, also while nobody calls.
    fn has_pump(&self) -> bool {
        self.port.is_some() && self.components.iter().any(|it| it.kind.starts_with("pubsub."))
    }
}

/// A server that a component keeps its data in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Name of its Envoy cluster; the same as [`Component::cluster`].
    pub cluster: String,
    /// Where it is.
    pub servers: Servers,
    /// Whether it is spoken to by calls of HTTP/2, such as gRPC's; else by bytes.
    pub http2: bool,
    /// How the connection is secured; absent for not at all.
    pub tls: Option<Tls>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
}

/// Where a [`Backend`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// At these places, each by host, a name or an address, and TCP port. All have the same data.
    At(Vec<(String, u16)>),
    /// Wherever the filter says for each connection: they are found while it runs.
    AsAsked,
}

impl Servers {
    /// One server.
    #[must_use]
    pub fn at(host: &str, port: u16) -> Self {
        Self::At(vec![(host.to_owned(), port)])
    }
}

/// TLS to a [`Backend`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authorities one of which has to have signed the server's certificate; without them, any certificate will do.
    pub authorities: Option<Authorities>,
    /// Our own certificate and its key, both PEM.
    pub identity: Option<(String, String)>,
    /// Whether the server's certificate may name another host, as long as an authority has signed it.
    pub any_name: bool,
    /// The application's protocol, for servers that want it named in the handshake.
    pub alpn: Option<&'static str>,
}

// Not derived: the key must never reach a log.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

impl Proxy {
    /// The plugin configuration of one of [`Proxy::apps`].
    #[must_use]
    pub fn plugin(&self, app: &App) -> PluginConfig {
        PluginConfig {
            version: VERSION,
            app_id: app.id.clone(),
            namespace: app.namespace.clone(),
            app: app.port.map(|port| AppChannel {
                cluster: names::app(&app.id),
                authority: authority(port),
                // The cluster adds it.
                api_token: None,
                token: Secret::default(),
            }),
            invoke: Invoke {
                apps: self.targets(),
                template: self.elsewhere.template.clone(),
                endpoints: app.endpoints.iter().map(|it| (it.name.clone(), it.target(&app.id))).collect(),
                external: self.outside.external(),
            },
            link: self.has_link().then(|| LinkConfig { cluster: names::LINK.to_owned() }),
            resiliency: app.rules.plugin.clone(),
            components: app.components.clone(),
            subscriptions: app.subscriptions.clone(),
            api_token: app.api_token.clone(),
            api: app.api.clone(),
            access_control: app.access_control.clone(),
            callers: app.callers.clone().or_else(|| app.access_control.is_some().then(same_proxy)),
            tracing: tracing(app),
            log_level: app.log_level,
            limits: app.limits.clone(),
            test: app.test.clone(),
        }
    }

    fn targets(&self) -> ByName<Target> {
        let target = |app: &App| Target { cluster: Some(names::invoke(&app.id)), authority: app.id.clone() };
        let here = self.apps.iter().filter(|app| app.port.is_some()).map(|app| (app.id.clone(), target(app)));
        self.elsewhere.apps.clone().into_iter().chain(here).collect()
    }

    /// Components need the link: to reach their servers, and to tell a worker's instance from the main thread's.
    fn has_link(&self) -> bool {
        self.apps.iter().any(|app| !app.components.is_empty())
    }

    /// The bootstrap, as JSON that `envoy --config-path` reads. It holds the components' secrets.
    #[must_use]
    pub fn bootstrap(&self) -> Value {
        let mut listeners = Vec::new();
        let mut clusters = Vec::new();
        if self.has_link() {
            listeners.push(listeners::link(self));
            clusters.push(clusters::internal(names::LINK, names::LINK));
        }
        for app in &self.apps {
            listeners.extend(listeners::of_app(self, app));
            clusters.extend(clusters::of_app(self, app));
        }
        clusters.extend(self.backends.iter().map(clusters::backend));
        listeners.extend(self.outside.listeners());
        clusters.extend(self.outside.clusters());
        if self.apps.iter().any(|app| app.rules.tries_again()) {
            clusters.iter_mut().for_each(again::without_bound);
        }
        let mut bootstrap = json!({
            "static_resources": {"listeners": listeners, "clusters": clusters},
            "bootstrap_extensions": [{"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": INTERNAL}}],
            // Compiling the module takes megabytes for a moment; Envoy's allocator gives them back only if told to.
            "memory_allocator_manager": {"bytes_to_release": "4194304", "memory_release_interval": "1s"},
        });
        if let Some(members) = bootstrap.as_object_mut() {
            members.extend(self.admin.json().map(|admin| ("admin".to_owned(), admin)));
            // Only components are counted by the filter itself.
            members.extend(self.has_link().then(|| ("stats_config".to_owned(), stats::config())));
        }
        bootstrap
    }
}

impl Admin {
    fn json(&self) -> Option<Value> {
        match self {
            Self::Off => None,
            Self::Port(port) => Some(json!({"address": clusters::loopback(*port)})),
        }
    }
}

/// The usual name of the Envoy cluster of a component's server.
#[must_use]
pub fn backend_cluster(component: &str) -> String {
    names::backend(component)
}

/// All callers of this bootstrap are in it, and its applications are reached by internal listeners.
fn same_proxy() -> Callers {
    Callers { identity: Identity::SameProxy, service_accounts: ByName::default() }
}

/// Only where there are components are there events to make spans of.
fn tracing(app: &App) -> Tracing {
    let collector = app.collector.as_ref().filter(|_| !app.components.is_empty());
    let otlp = collector.map(|collector| collector.target(&app.id));
    Tracing { otlp: otlp.or_else(|| app.tracing.otlp.clone()), ..app.tracing.clone() }
}

fn authority(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[cfg(test)]
mod tests;
