//! Applications that meet in one Envoy, with their backends.

mod callee;
mod resources;
mod update;

use crate::app::TestApp;
use crate::client::Call;
use crate::envoy::EnvoyProcess;
use crate::etcd::Etcd;
use crate::postgres::{PASSWORD, Postgres, USER};
use crate::raw::Raw;
use crate::redis::{Redis, TlsPort};
use crate::{env, ports, wait};
use hyper::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use weft::bootstrap::{
    Admin, App, Authorities, Backend, Collector, Guard, Outside, Protocol, Proxy, Servers, Tls, backend_cluster,
};
use weft_core::config::{Invoke, Limits, LogLevel, PluginConfig, TestSwitches, Tracing};

/// Body limit of the applications' filters, unless a test sets another.
pub const MAX_BODY: u32 = 4 * 1024 * 1024;

/// What a mesh will be made of.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    workers: u32,
    apps: Vec<AppSpec>,
    components: Vec<Value>,
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    etcd: Option<Etcd>,
    /// Clusters of other backends than the one Redis, and where they lead.
    others: Vec<(String, Servers)>,
    module: PathBuf,
    max_body: u32,
    listeners_in_file: bool,
    trap: bool,
    sampling: Option<String>,
    collector: Option<Collector>,
    log_level: LogLevel,
    drain_seconds: u32,
    elsewhere: Value,
    outside: Outside,
    /// Members of every plugin configuration that say who may use the API.
    gate: Value,
    edits: Vec<Edit>,
}

/// A change to the bootstrap.
struct Edit(Box<dyn Fn(&mut Value)>);

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edit")
    }
}

#[derive(Debug)]
struct AppSpec {
    id: String,
    subscriptions: Value,
    programmatic: Value,
    listens: bool,
    protocol: Protocol,
    guard: Guard,
    /// Dapr's resources for it.
    resources: String,
    /// More members of its plugin configuration.
    plugin: Value,
}

impl Builder {
    /// How many threads serve requests; 1 unless set.
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Adds an application with a [`TestApp`].
    pub fn app(mut self, id: &str) -> Self {
        let (id, protocol, none) = (id.to_owned(), Protocol::default(), json!([]));
        let (subscriptions, programmatic, plugin) = (none.clone(), none, json!({}));
        let (guard, resources) = (Guard::default(), String::new());
        self.apps.push(AppSpec { id, subscriptions, programmatic, listens: true, protocol, guard, resources, plugin });
        self
    }

    /// Adds an application whose server does not run.
    pub fn dead_app(mut self, id: &str) -> Self {
        self = self.app(id);
        self.last().listens = false;
        self
    }

    /// Lets the last application be called by another protocol than HTTP/1.1.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.last().protocol = protocol;
        self
    }

    /// Gives the last application resources of Dapr, as people write them: YAML.
    pub fn resources(mut self, yaml: &str) -> Self {
        self.last().resources = yaml.to_owned();
        self
    }

    /// Gives the last application declarative subscriptions.
    pub fn subscriptions(mut self, list: Value) -> Self {
        self.last().subscriptions = list;
        self
    }

    /// Lets the last application name subscriptions at `/dapr/subscribe`.
    pub fn subscribes(mut self, list: Value) -> Self {
        self.last().programmatic = list;
        self
    }

    /// Adds a component that needs no backend, for every application.
    pub fn component(mut self, name: &str, kind: &str, metadata: Value) -> Self {
        self.components.push(json!({"name": name, "type": kind, "version": "v1", "metadata": metadata}));
        self
    }

    /// Adds the stores and brokers in memory: `memory` and `membus`.
    pub fn in_memory(self) -> Self {
        self.component("memory", "state.in-memory", json!({})).component("membus", "pubsub.in-memory", json!({}))
    }

    /// Adds the store `statestore` and the broker `pubsub` on this server.
    pub fn redis(mut self, redis: Redis) -> Self {
        self.redis = Some(redis);
        self.redis_component("statestore", "state.redis", json!({})).redis_component(
            "pubsub",
            "pubsub.redis",
            json!({}),
        )
    }

    /// Adds another component on the server given to [`Builder::redis`].
    pub fn redis_component(mut self, name: &str, kind: &str, metadata: Value) -> Self {
        let mut component = json!({"name": name, "type": kind, "version": "v1", "metadata": metadata});
        component["cluster"] = json!(backend_cluster(name));
        if let (Some(password), None) =
            (self.redis.as_ref().and_then(Redis::password), component["metadata"].get("redisPassword"))
        {
            component["metadata"]["redisPassword"] = json!(password);
        }
        self.components.push(component);
        self
    }

    /// Adds the store `postgres` on this server, and takes the module that has it.
    pub fn postgres(mut self, postgres: Postgres) -> Self {
        self.postgres = Some(postgres);
        self.module(env::full_module()).postgres_component("postgres", json!({}))
    }

    /// Adds another store on the server given to [`Builder::postgres`].
    ///
    /// # Panics
    /// If there is no such server.
    pub fn postgres_component(self, name: &str, metadata: Value) -> Self {
        let port = self.postgres.as_ref().expect("a PostgreSQL for the component").port();
        self.postgres_component_at(name, metadata, port)
    }

    /// Adds a store whose PostgreSQL is reached at `port` of 127.0.0.1.
    ///
    /// # Panics
    /// If the metadata are no object.
    pub fn postgres_component_at(mut self, name: &str, mut metadata: Value, port: u16) -> Self {
        let cluster = backend_cluster(name);
        for (name, value) in [("user", USER), ("password", PASSWORD), ("database", "postgres")] {
            metadata.as_object_mut().expect("an object").entry(name).or_insert_with(|| json!(value));
        }
        let (kind, version) = ("state.postgresql", "v2");
        let component =
            json!({"name": name, "type": kind, "version": version, "cluster": cluster, "metadata": metadata});
        self.components.push(component);
        self.others.push((cluster, here(port)));
        self
    }

    /// Adds the store `etcd`, of version 2, on this server, and takes the module that has it.
    pub fn etcd(mut self, etcd: Etcd, metadata: Value) -> Self {
        let port = etcd.port();
        self.etcd = Some(etcd);
        self.module(env::full_module()).etcd_component("etcd", "v2", metadata, port)
    }

    /// Adds a store whose etcd is reached at `port` of 127.0.0.1.
    pub fn etcd_component(mut self, name: &str, version: &str, metadata: Value, port: u16) -> Self {
        let cluster = backend_cluster(name);
        let component =
            json!({"name": name, "type": "state.etcd", "version": version, "cluster": cluster, "metadata": metadata});
        self.components.push(component);
        self.others.push((cluster, here(port)));
        self
    }

    /// Adds a component whose backend listens at `port` of 127.0.0.1.
    pub fn component_at(mut self, name: &str, kind: &str, port: u16) -> Self {
        let cluster = backend_cluster(name);
        self.components.push(json!({"name": name, "type": kind, "version": "v1", "cluster": cluster}));
        self.others.push((cluster, here(port)));
        self
    }

    /// Adds a component on Redis whose servers are found while it runs, and takes the module that can do that.
    pub fn redis_nodes(mut self, name: &str, kind: &str, metadata: Value) -> Self {
        let cluster = backend_cluster(name);
        let component = json!({"name": name, "type": kind, "version": "v1", "cluster": cluster, "metadata": metadata});
        self.components.push(component);
        self.others.push((cluster, Servers::AsAsked));
        self.module(env::full_module())
    }

    /// Another module than the whole one.
    pub fn module(mut self, file: PathBuf) -> Self {
        self.module = file;
        self
    }

    /// Another body limit than [`MAX_BODY`].
    pub fn max_body(mut self, bytes: u32) -> Self {
        self.max_body = bytes;
        self
    }

    /// Lets `GET /weft-test/trap` kill the module's instance.
    pub fn with_trap(mut self) -> Self {
        self.trap = true;
        self
    }

    /// Reads the listeners from a file, so that [`Mesh::update_listeners`] can change them.
    pub fn listeners_in_file(mut self) -> Self {
        self.listeners_in_file = true;
        self
    }

    /// Sets the share of new traces that is sampled, as `samplingRate` writes it.
    pub fn sampling(mut self, rate: &str) -> Self {
        self.sampling = Some(rate.to_owned());
        self
    }

    /// Sends spans there.
    pub fn spans(mut self, collector: Collector) -> Self {
        self.collector = Some(collector);
        self.edit(crate::collector::send_at_once)
    }

    /// Sets the least severe line that the filters log; `info` unless set.
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// How long listeners that were replaced serve what they have; one second unless set.
    pub fn drain_seconds(mut self, seconds: u32) -> Self {
        self.drain_seconds = seconds;
        self
    }

    /// Changes the bootstrap before Envoy gets it.
    pub fn edit(mut self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.edits.push(Edit(Box::new(edit)));
        self
    }

    /// Says where applications are that this proxy does not serve, as `invoke` of the plugin configuration does.
    pub fn elsewhere(mut self, invoke: Value) -> Self {
        self.elsewhere = invoke;
        self
    }

    /// Lets the applications call hosts outside of the mesh.
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// Says who may use the API: `api` and `apiToken` of the plugin configuration.
    pub fn gate(mut self, members: Value) -> Self {
        self.gate = members;
        self
    }

    /// Adds a cluster to the bootstrap.
    pub fn cluster(self, cluster: Value) -> Self {
        self.edit(move |bootstrap| {
            let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
            clusters.expect("a bootstrap has clusters").push(cluster.clone());
        })
    }

    fn last(&mut self) -> &mut AppSpec {
        self.apps.last_mut().expect("an application comes first")
    }

    /// Starts everything, and waits until every application's proxy says that it can be used.
    #[must_use]
    pub fn start(self) -> Mesh {
        let apps: Vec<MeshApp> = self.apps.iter().map(MeshApp::new).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let proxy = self.proxy(&apps);
        let mut config = proxy.bootstrap();
        callee::open(&mut config, &proxy, &apps);
        self.edits.iter().for_each(|Edit(edit)| edit(&mut config));
        if self.listeners_in_file {
            update::listeners_to_file(&mut config, &folder);
        }
        let envoy = EnvoyProcess::start_draining(folder, config, self.workers, self.drain_seconds);
        let (redis, postgres) = (self.redis.map(Mutex::new), self.postgres.map(Mutex::new));
        let mesh = Mesh { apps, envoy, redis, postgres, etcd: self.etcd.map(Mutex::new) };
        mesh.wait_until_usable();
        mesh
    }

    fn proxy(&self, apps: &[MeshApp]) -> Proxy {
        let clusters = self.components.iter().filter_map(|it| it["cluster"].as_str());
        Proxy {
            module: self.module.clone(),
            apps: self.apps.iter().zip(apps).map(|(spec, app)| self.served(spec, app)).collect(),
            elsewhere: self.invoke(),
            outside: self.outside.clone(),
            backends: clusters.map(|cluster| self.backend(cluster)).collect(),
            workers: self.workers,
            admin: Admin::Off,
        }
    }

    fn invoke(&self) -> Invoke {
        read_plugin(&json!({"version": 1, "appId": "any", "invoke": self.elsewhere})).invoke
    }

    fn backend(&self, cluster: &str) -> Backend {
        match self.others.iter().find(|(known, _)| known == cluster) {
            Some((_, servers)) => {
                Backend { servers: servers.clone(), http2: self.is_etcd(cluster), ..backend(cluster, 0) }
            }
            None => redis_backend(cluster, self.redis.as_ref().expect("a Redis for the component")),
        }
    }

    fn is_etcd(&self, cluster: &str) -> bool {
        self.components.iter().any(|it| it["cluster"] == cluster && it["type"] == "state.etcd")
    }

    fn served(&self, spec: &AppSpec, app: &MeshApp) -> App {
        let mut plugin = json!({
            "version": 1,
            "appId": spec.id,
            "app": {"cluster": "app", "authority": "app"},
            "link": {"cluster": "link"},
            "components": self.components,
            "subscriptions": spec.subscriptions,
        });
        plugin.as_object_mut().expect("an object").extend(spec.plugin.as_object().cloned().unwrap_or_default());
        let own = read_plugin(&plugin);
        let mut gate = json!({"version": 1, "appId": spec.id});
        gate.as_object_mut().expect("an object").extend(self.gate.as_object().expect("an object").clone());
        let gate = read_plugin(&gate);
        let mut app = App {
            api: gate.api,
            api_token: gate.api_token,
            components: own.components,
            subscriptions: own.subscriptions,
            access_control: own.access_control,
            callers: own.callers,
            tracing: self
                .sampling
                .clone()
                .map(|sampling_rate| Tracing { sampling_rate, ..Tracing::default() })
                .unwrap_or_default(),
            limits: Limits { max_body_bytes: self.max_body },
            collector: self.collector.clone(),
            log_level: self.log_level,
            protocol: spec.protocol,
            guard: spec.guard.clone(),
            test: self.trap.then_some(TestSwitches { trap: true }),
            ..App::new(&spec.id, app.http, app.grpc, Some(app.server.port()))
        };
        resources::add(&mut app, &spec.resources);
        app
    }
}

/// Plugin configuration that a test writes as JSON.
///
/// # Panics
/// If it is not valid.
#[must_use]
pub fn read_plugin(json: &Value) -> PluginConfig {
    PluginConfig::read(json.to_string().as_bytes()).expect("a valid plugin configuration")
}

/// A server on this machine as a backend of the proxy.
#[must_use]
pub fn backend(cluster: &str, port: u16) -> Backend {
    let connect_timeout = Duration::from_secs(2);
    Backend { cluster: cluster.to_owned(), servers: here(port), http2: false, tls: None, connect_timeout }
}

fn here(port: u16) -> Servers {
    Servers::at("127.0.0.1", port)
}

fn redis_backend(cluster: &str, redis: &Redis) -> Backend {
    let Some(TlsPort { port, certificates }) = redis.tls() else { return backend(cluster, redis.port()) };
    let authorities = Some(Authorities::File(certificates.authority.clone()));
    let identity = Some(certificates.client.clone());
    let tls = Some(Tls { authorities, identity, ..Tls::default() });
    Backend { tls, ..backend(cluster, *port) }
}

/// Running applications with their proxy and backends.
pub struct Mesh {
    apps: Vec<MeshApp>,
    /// The proxy.
    pub envoy: EnvoyProcess,
    redis: Option<Mutex<Redis>>,
    postgres: Option<Mutex<Postgres>>,
    etcd: Option<Mutex<Etcd>>,
}

impl Mesh {
    /// One worker, no applications, no components.
    pub fn builder() -> Builder {
        Builder {
            workers: 1,
            apps: Vec::new(),
            components: Vec::new(),
            redis: None,
            postgres: None,
            etcd: None,
            module: env::module(),
            max_body: MAX_BODY,
            listeners_in_file: false,
            trap: false,
            sampling: None,
            collector: None,
            others: Vec::new(),
            log_level: LogLevel::default(),
            drain_seconds: 1,
            elsewhere: json!({}),
            outside: Outside::default(),
            gate: json!({}),
            edits: Vec::new(),
        }
    }

    /// An application by its id.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn app(&self, id: &str) -> &MeshApp {
        self.apps.iter().find(|it| it.id == id).unwrap_or_else(|| panic!("the mesh has no application {id}"))
    }

    /// The Redis server.
    ///
    /// # Panics
    /// If the mesh has none.
    pub fn redis(&self) -> MutexGuard<'_, Redis> {
        self.redis.as_ref().expect("the mesh has a Redis").lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The PostgreSQL server.
    ///
    /// # Panics
    /// If the mesh has none.
    pub fn postgres(&self) -> MutexGuard<'_, Postgres> {
        self.postgres.as_ref().expect("the mesh has a PostgreSQL").lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The etcd server.
    ///
    /// # Panics
    /// If the mesh has none.
    pub fn etcd(&self) -> MutexGuard<'_, Etcd> {
        self.etcd.as_ref().expect("the mesh has an etcd").lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the proxies of all applications say that they can be used.
    pub fn wait_until_usable(&self) {
        for app in &self.apps {
            wait::until_true(&format!("the proxy of {} is usable", app.id), || {
                app.get("/v1.0/healthz/outbound").try_send().is_ok_and(|answer| answer.status == 204)
            });
        }
    }
    /// Waits until one worker says that it has made an application's subscriptions.
    pub fn wait_until_subscribed(&self, id: &str) {
        let app = self.app(id);
        wait::until_true(&format!("the subscriptions of {id} are made"), || {
            let metadata = app.get("/v1.0/metadata").send().json();
            metadata["subscriptions"].as_array().is_some_and(|list| !list.is_empty())
        });
    }
}

/// One application of a mesh.
pub struct MeshApp {
    id: String,
    http: u16,
    grpc: u16,
    inbound: u16,
    /// The application itself.
    pub server: TestApp,
}

impl MeshApp {
    fn new(spec: &AppSpec) -> Self {
        let server = TestApp::stopped();
        if spec.programmatic != json!([]) {
            server.subscribes(&spec.programmatic);
        }
        if spec.listens {
            server.resume();
        }
        Self { id: spec.id.clone(), http: ports::free(), grpc: ports::free(), inbound: ports::free(), server }
    }

    /// Dapr's HTTP API, `host:port`.
    #[must_use]
    pub fn http(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// Dapr's gRPC API, `host:port`.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("127.0.0.1:{}", self.grpc)
    }

    /// A connection to the HTTP API.
    #[must_use]
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.http())
    }

    /// A request of any verb to the HTTP API.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(method, &self.http(), path)
    }

    /// `GET` from the HTTP API.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST` to the HTTP API.
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// `PUT` to the HTTP API.
    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    /// `DELETE` at the HTTP API.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }
}
