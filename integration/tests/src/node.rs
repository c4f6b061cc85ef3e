//! Applications that have a proxy each, with mutual TLS between the proxies, as in a mesh.

use crate::app::TestApp;
use crate::certificates::Authority;
use crate::client::Call;
use crate::envoy::EnvoyProcess;
use crate::raw::Raw;
use crate::{env, ports, tls, wait};
use hyper::Method;
use serde_json::{Value, json};
use weft::bootstrap::{Admin, App, Collector, Protocol, Proxy};
use weft_core::config::{AccessControl, Callers, Invoke, Target, Tracing};

const TCP_PROXY: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const OPTIONS_NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A change to a bootstrap.
type Edit = Box<dyn Fn(&mut Value)>;

/// An application and its proxy, that are to be started.
#[must_use]
pub struct Spec {
    id: String,
    identity: Option<String>,
    plugin: Value,
    spans: Option<(Collector, String)>,
    edits: Vec<Edit>,
    protocol: Protocol,
}

impl Spec {
    /// An application whose proxy has a certificate with this URI in it, or with none.
    pub fn new(id: &str, identity: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            identity: identity.map(str::to_owned),
            plugin: json!({}),
            spans: None,
            edits: Vec::new(),
            protocol: Protocol::default(),
        }
    }

    /// Lets only those call it whom this `accessControl` allows it.
    pub fn access(mut self, control: Value) -> Self {
        self.plugin["accessControl"] = control;
        self
    }

    /// How it tells its callers apart.
    pub fn callers(mut self, callers: Value) -> Self {
        self.plugin["callers"] = callers;
        self
    }

    /// Sends its spans there, of this share of new traces.
    pub fn spans(mut self, collector: Collector, sampling_rate: &str) -> Self {
        self.spans = Some((collector, sampling_rate.to_owned()));
        self
    }

    /// Lets it, and its proxy, be reached by HTTP/2.
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::H2c;
        self
    }

    /// Changes the bootstrap before Envoy gets it. The cluster of another application is called `mesh_<id>`.
    pub fn edit(mut self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    fn rules(&self) -> (Option<AccessControl>, Callers) {
        let mut plugin = json!({"version": 1, "appId": self.id});
        plugin.as_object_mut().expect("an object").extend(self.plugin.as_object().cloned().unwrap_or_default());
        let config = crate::mesh::read_plugin(&plugin);
        (config.access_control, config.callers.unwrap_or_default())
    }
}

/// An application with its proxy.
pub struct Node {
    id: String,
    http: u16,
    grpc: u16,
    inbound: u16,
    protocol: Protocol,
    /// Ports that lead to another application's proxy, byte for byte, with this one's certificate.
    tunnels: Vec<(String, u16)>,
    /// The application itself.
    pub server: TestApp,
    envoy: Option<EnvoyProcess>,
}

impl Node {
    fn new(spec: &Spec, all: &[Spec]) -> Self {
        let others = all.iter().filter(|other| other.id != spec.id);
        Self {
            id: spec.id.clone(),
            http: ports::free(),
            grpc: ports::free(),
            inbound: ports::free(),
            protocol: spec.protocol,
            tunnels: others.map(|other| (other.id.clone(), ports::free())).collect(),
            server: TestApp::start(),
            envoy: None,
        }
    }

    /// Its proxy.
    ///
    /// # Panics
    /// Never: it runs.
    #[must_use]
    pub fn envoy(&self) -> &EnvoyProcess {
        self.envoy.as_ref().expect("the proxy runs")
    }

    /// A request to Dapr's HTTP API.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(method, &self.http(), path)
    }

    /// The address of Dapr's HTTP API.
    #[must_use]
    pub fn http(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// The address of Dapr's gRPC API.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("127.0.0.1:{}", self.grpc)
    }

    /// `GET` from Dapr's HTTP API.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// A connection to another application's proxy, with this one's certificate and with nothing of Weft on this side.
    ///
    /// # Panics
    /// If there is no such application.
    #[must_use]
    pub fn tunnel(&self, to: &str) -> Raw {
        let (_, port) = self.tunnels.iter().find(|(id, _)| id == to).expect("an application of that id");
        Raw::connect(&format!("127.0.0.1:{port}"))
    }

    /// The port on which other proxies reach it.
    #[must_use]
    pub fn inbound(&self) -> u16 {
        self.inbound
    }

    /// A connection to its proxy's port, without TLS.
    #[must_use]
    pub fn plain(&self) -> Raw {
        Raw::connect(&format!("127.0.0.1:{}", self.inbound))
    }
}

/// Several of them.
pub struct Nodes(Vec<Node>);

impl Nodes {
    /// Starts them, each proxy with so many workers, and waits until each can be used.
    #[must_use]
    pub fn start(workers: u32, specs: &[Spec]) -> Self {
        let mut nodes: Vec<Node> = specs.iter().map(|spec| Node::new(spec, specs)).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new(folder.path());
        let bootstraps: Vec<Value> =
            specs.iter().zip(&nodes).map(|(spec, node)| bootstrap(spec, node, &nodes, &authority, workers)).collect();
        for (node, bootstrap) in nodes.iter_mut().zip(bootstraps) {
            node.envoy = Some(EnvoyProcess::start(bootstrap, workers));
        }
        for node in &nodes {
            wait::until_true(&format!("the proxy of {} is usable", node.id), || {
                node.get("/v1.0/healthz/outbound").try_send().is_ok_and(|answer| answer.status == 204)
            });
        }
        Self(nodes)
    }

    /// One by its id.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn get(&self, id: &str) -> &Node {
        self.0.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    /// Fails if the log of a proxy holds a failure that was not announced.
    pub fn check_logs(&self) {
        self.0.iter().for_each(|node| node.envoy().check_log());
    }
}

fn cluster_name(id: &str) -> String {
    format!("mesh_{id}")
}

fn bootstrap(spec: &Spec, node: &Node, nodes: &[Node], authority: &Authority, workers: u32) -> Value {
    let others = || nodes.iter().filter(|other| other.id != spec.id);
    let (access_control, callers) = spec.rules();
    let target = |other: &Node| {
        (other.id.clone(), Target { cluster: Some(cluster_name(&other.id)), authority: other.id.clone() })
    };
    let app = App {
        access_control,
        callers: Some(callers),
        collector: spec.spans.as_ref().map(|(collector, _)| collector.clone()),
        tracing: spec
            .spans
            .as_ref()
            .map_or_else(Tracing::default, |(_, rate)| Tracing { sampling_rate: rate.clone(), ..Tracing::default() }),
        protocol: spec.protocol,
        ..App::new(&spec.id, node.http, node.grpc, Some(node.server.port()))
    };
    let proxy = Proxy {
        module: env::route_module(),
        apps: vec![app],
        elsewhere: Invoke {
            apps: others().map(target).collect(),
            template: None,
            endpoints: Default::default(),
            external: None,
        },
        outside: weft::bootstrap::Outside::default(),
        backends: Vec::new(),
        workers,
        admin: Admin::Off,
    };
    let mut bootstrap = proxy.bootstrap();
    let common = tls::common(&authority.workload(spec.identity.as_deref()), &authority.certificate);
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().expect("listeners");
    secure(listeners, spec, node, &common);
    listeners.extend(node.tunnels.iter().map(|(to, port)| tunnel(to, *port)));
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().expect("clusters");
    clusters.extend(others().map(|other| cluster(other, &common)));
    if spec.spans.is_some() {
        crate::collector::send_at_once(&mut bootstrap);
    }
    spec.edits.iter().for_each(|edit| edit(&mut bootstrap));
    bootstrap
}

/// Lets what stands before the application listen on a port that demands certificates.
fn secure(listeners: &mut [Value], spec: &Spec, node: &Node, common: &Value) {
    let name = format!("weft_inbound_{}", spec.id);
    let listener = listeners.iter_mut().find(|it| it["name"] == name.as_str()).expect("a listener for the application");
    listener.as_object_mut().expect("an object").remove("internal_listener");
    listener["address"] = address(node.inbound);
    listener["filter_chains"][0]["transport_socket"] = tls::accepts(common);
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A cluster of another application's proxy.
fn cluster(other: &Node, common: &Value) -> Value {
    let name = cluster_name(&other.id);
    let version = match other.protocol {
        Protocol::H2c => json!({"http2_protocol_options": {}}),
        _ => json!({"http_protocol_options": {"enable_trailers": true}}),
    };
    let options = json!({"@type": OPTIONS, "explicit_http_config": version});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {OPTIONS_NAME: options},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(other.inbound)}}]}],
        },
        "transport_socket": tls::connects(common, None),
    })
}

fn tunnel(to: &str, port: u16) -> Value {
    let config = json!({"@type": TCP_PROXY, "stat_prefix": "tunnel", "cluster": cluster_name(to)});
    let filter = json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": config});
    json!({"name": format!("tunnel_{to}"), "address": address(port), "filter_chains": [{"filters": [filter]}]})
}
