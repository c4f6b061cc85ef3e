//! A sidecar as Istio would configure it: what istiod generates by itself, with the patches of EnvoyFilters applied,
//! in a real Envoy. Files stand in for istiod, and a module on disk for the one that pilot-agent fetches.

mod base;
mod merge;

use crate::envoy::EnvoyProcess;
use crate::{env, ports, tls};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A service that a sidecar knows.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its host name and, in the namespace `default`, the shorter forms of it.
    pub(crate) names: Vec<String>,
    /// Its service port.
    pub port: u16,
    /// Where it is here, on 127.0.0.1.
    pub real: u16,
    /// How the sidecar secures its connections to it, if it does.
    pub(crate) transport: Option<Value>,
}

impl Service {
    /// A Kubernetes service with one endpoint, which has no sidecar.
    #[must_use]
    pub fn new(name: &str, port: u16, real: u16) -> Self {
        let names = vec![format!("{name}.default.svc.cluster.local"), name.to_owned(), format!("{name}.default")];
        Self { names, port, real, transport: None }
    }

    /// The same with a sidecar, to which this certificate is shown.
    #[must_use]
    pub fn meshed(mut self, certificate: &Value) -> Self {
        self.transport = Some(tls::connects(certificate, None));
        self
    }

    /// What a `ServiceEntry` with one host and one port, and the `DestinationRule` for that port, make of a host outside
    /// of the mesh. `trusted` is the file of the authorities that this machine would trust.
    ///
    /// # Panics
    /// If they say anything else.
    #[must_use]
    pub fn outside(entry: &Value, rule: &Value, real: u16, trusted: &Path) -> Self {
        let [host, port] = [&entry["spec"]["hosts"], &entry["spec"]["ports"]].map(|list| match list.as_array() {
            Some(list) if list.len() == 1 => list[0].clone(),
            _ => panic!("one host and one port: {entry}"),
        });
        assert_eq!(
            (&entry["kind"], &rule["kind"], &rule["spec"]["host"]),
            (&json!("ServiceEntry"), &json!("DestinationRule"), &host)
        );
        assert_eq!(
            (&port["protocol"], &entry["spec"]["resolution"]),
            (&json!("HTTP"), &json!("DNS")),
            "a host by its name"
        );
        let policy = &rule["spec"]["trafficPolicy"]["portLevelSettings"][0];
        assert_eq!((&policy["port"]["number"], &policy["tls"]["mode"]), (&port["number"], &json!("SIMPLE")));
        let names = policy["tls"]["subjectAltNames"].as_array().expect("names that the certificate may have");
        let matchers: Vec<_> =
            names.iter().map(|name| json!({"san_type": "DNS", "matcher": {"exact": name}})).collect();
        let mut validation = tls::trusted(trusted);
        validation["match_typed_subject_alt_names"] = json!(matchers);
        let transport = tls::connects(&json!({"validation_context": validation}), policy["tls"]["sni"].as_str());
        let number = port["number"].as_u64().and_then(|it| u16::try_from(it).ok()).expect("a port");
        let host = host.as_str().expect("a host's name").to_owned();
        Self { names: vec![host], port: number, real, transport: Some(transport) }
    }

    /// Its full name.
    fn host(&self) -> &str {
        &self.names[0]
    }

    /// Istio's name of the cluster.
    fn cluster(&self) -> String {
        format!("outbound|{}||{}", self.port, self.host())
    }
}

/// A sidecar that is being put together.
#[derive(Debug)]
pub struct Sidecar {
    parts: Parts,
    ports: BTreeMap<u16, u16>,
}

/// What istiod generates, piece by piece.
#[derive(Debug, Default)]
struct Parts {
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    /// Route tables by name.
    routes: BTreeMap<String, Value>,
    /// Extension configurations by name.
    extensions: BTreeMap<String, Value>,
    /// `extraStatTags`.
    stat_tags: Vec<String>,
}

impl Sidecar {
    /// The sidecar of an application that listens on `app`, in a mesh with these services.
    #[must_use]
    pub fn new(app: u16, services: &[Service]) -> Self {
        let ports = BTreeMap::from([
            (base::API, ports::free()),
            (base::GRPC, ports::free()),
            (base::INBOUND, ports::free()),
            (base::CONTAINER, app),
        ]);
        Self { parts: base::parts(services), ports }
    }

    /// Lets only those reach the application from outside who show a certificate, as with `PeerAuthentication` in mode
    /// STRICT. This is its own.
    #[must_use]
    pub fn strict(mut self, certificate: &Value) -> Self {
        let inbound =
            self.parts.listeners.iter_mut().find(|it| it["name"] == base::INBOUND_LISTENER).expect("there is one");
        inbound["filter_chains"][0]["transport_socket"] = tls::accepts(certificate);
        self
    }

    /// Applies the patches of an EnvoyFilter.
    ///
    /// # Panics
    /// If a patch is of a kind that this stand-in for istiod does not know, or has nothing to be applied to.
    #[must_use]
    pub fn with(mut self, envoy_filter: &Value) -> Self {
        let patches = envoy_filter["spec"]["configPatches"].as_array().expect("an EnvoyFilter has patches");
        patches.iter().for_each(|patch| merge::apply(&mut self.parts, patch));
        self
    }

    /// Makes labels of these parts of statistics' names, as `extraStatTags` of the proxy's configuration do.
    #[must_use]
    pub fn extra_stat_tags(mut self, tags: &[&str]) -> Self {
        self.parts.stat_tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self
    }

    /// Dapr's HTTP API, `host:port`.
    #[must_use]
    pub fn http(&self) -> String {
        self.address(base::API)
    }

    /// Dapr's gRPC API, `host:port`.
    #[must_use]
    pub fn grpc(&self) -> String {
        self.address(base::GRPC)
    }

    /// The port by which other sidecars reach the application.
    #[must_use]
    pub fn inbound(&self) -> u16 {
        self.ports[&base::INBOUND]
    }

    fn address(&self, written: u16) -> String {
        format!("127.0.0.1:{}", self.ports[&written])
    }

    /// Starts Envoy.
    #[must_use]
    pub fn start(&self, workers: u32) -> EnvoyProcess {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, table) in &self.parts.routes {
            write(folder.path(), name, "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", table.clone());
        }
        for (name, config) in &self.parts.extensions {
            write(folder.path(), name, "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", {
                let mut config = config.clone();
                module_on_disk(&mut config);
                config
            });
        }
        let mut bootstrap = base::bootstrap(&self.parts);
        files_for_istiod(&mut bootstrap, folder.path());
        renumber(&mut bootstrap, &self.ports);
        EnvoyProcess::start_in(folder, bootstrap, workers)
    }
}

fn file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(format!("{name}.json"))
}

fn write(folder: &Path, name: &str, kind: &str, mut resource: Value) {
    resource["@type"] = json!(kind);
    let response = json!({"version_info": "1", "resources": [resource]});
    std::fs::write(file(folder, name), response.to_string()).expect("the resource can be written");
}

/// Lets every part that asks istiod for more read a file instead.
fn files_for_istiod(value: &mut Value, folder: &Path) {
    let named = value["rds"]["route_config_name"].as_str().map(str::to_owned);
    if let Some(name) = named {
        value["rds"]["config_source"] = source(folder, &name);
    }
    if value["config_discovery"].is_object() {
        let name = value["name"].as_str().expect("a filter has a name").to_owned();
        value["config_discovery"]["config_source"] = source(folder, &name);
    }
    each(value, &mut |inner| files_for_istiod(inner, folder));
}

fn source(folder: &Path, name: &str) -> Value {
    json!({"resource_api_version": "V3", "path_config_source": {"path": file(folder, name)}})
}

/// What pilot-agent makes of a remote module.
fn module_on_disk(value: &mut Value) {
    if value["code"]["remote"].is_object() {
        value["code"] = json!({"local": {"filename": env::module()}});
    }
    each(value, &mut module_on_disk);
}

fn renumber(value: &mut Value, ports: &BTreeMap<u16, u16>) {
    let written = value["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
    if let Some(real) = written.and_then(|port| ports.get(&port)) {
        value["port_value"] = json!(real);
    }
    each(value, &mut |inner| renumber(inner, ports));
}

fn each(value: &mut Value, act: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(members) => members.values_mut().filter(|it| it.is_object() || it.is_array()).for_each(act),
        Value::Array(items) => items.iter_mut().for_each(|item| {
            if item.is_object() || item.is_array() {
                act(item);
            }
        }),
        _ => {}
    }
}
