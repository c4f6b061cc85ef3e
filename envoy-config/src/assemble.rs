//! From resources to what an application's part of the proxy is made of.

mod judge;
mod resiliency;

pub use judge::{Places, judge};

use crate::bootstrap::{App, Authorities, Backend, Collector, Endpoint, EndpointTls, Tls, backend_cluster};
use crate::problem::Problems;
use crate::resources::{Component, Configuration, HttpEndpoint, Item, Otel, Resources, Scheme};
use crate::{etcd, postgres, redis};
use std::collections::BTreeMap;
use std::path::PathBuf;
use weft_core::components::SUPPORTED;
use weft_core::config;

/// Servers of all applications, each with an Envoy cluster of its own name.
#[derive(Debug, Clone, Default)]
pub struct Backends {
    list: Vec<Backend>,
    authorities: Option<PathBuf>,
}

impl Backends {
    /// None yet. `authorities`: the file of those that may sign the certificates of servers.
    #[must_use]
    pub fn new(authorities: Option<PathBuf>) -> Self {
        Self { list: Vec::new(), authorities }
    }

    /// All of them.
    #[must_use]
    pub fn into_inner(self) -> Vec<Backend> {
        self.list
    }

    /// Adds the server of a component; gives the name of its cluster. Applications may have different components of
    /// one name.
    fn add(&mut self, component: &str, backend: Backend) -> String {
        let wanted = backend_cluster(component);
        let names = std::iter::once(wanted.clone()).chain((2..).map(|number| format!("{wanted}_{number}")));
        for cluster in names {
            let known = self.list.iter().find(|known| known.cluster == cluster);
            match known {
                Some(known) if *known == (Backend { cluster: cluster.clone(), ..backend.clone() }) => return cluster,
                Some(_) => {}
                None => {
                    self.list.push(Backend { cluster: cluster.clone(), ..backend });
                    return cluster;
                }
            }
        }
        // The names do not end.
        wanted
    }
}

/// Gives an application the components, subscriptions, traces and access control that the resources have for it. What is wrong with
/// them is told; [`judge()`] tells the rest.
pub fn assemble(
    app: &mut App,
    resources: &Resources,
    configuration: Option<&Configuration>,
    backends: &mut Backends,
    problems: &Problems,
) -> Places {
    let mut places = Places::default();
    let mut refused = Vec::new();
    for component in resources.components.iter().filter(|it| it.is_for(&app.id, &app.namespace)) {
        match convert(component, &app.id, backends, problems) {
            Some(converted) => {
                places.add_component(app.components.len(), component);
                app.components.push(converted);
            }
            None => refused.push(component.name.as_str()),
        }
    }
    let subscriptions = resources.subscriptions.iter().filter(|it| it.is_for(&app.id, &app.namespace));
    // Without an address there is nothing to deliver to; only one that is named for this application means it.
    let subscriptions = subscriptions.filter(|it| app.port.is_some() || it.is_scoped());
    for subscription in subscriptions.filter(|it| !refused.contains(&it.spec.pubsubname.as_str())) {
        places.add_subscription(app.subscriptions.len(), subscription);
        app.subscriptions.push(subscription.spec.clone());
    }
    for endpoint in resources.endpoints.iter().filter(|it| it.is_for(&app.id, &app.namespace)) {
        app.endpoints.extend(convert_endpoint(endpoint, backends, problems));
    }
    let resiliencies = resources.resiliencies.iter().filter(|it| it.is_for(&app.id, &app.namespace));
    app.rules = resiliency::compile(resiliencies, &app.components, problems);
    if let Some(configuration) = configuration {
        places.set_configuration(configuration);
        app.tracing = configuration.tracing.clone();
        app.collector = configuration.otel.as_ref().and_then(|otel| convert_collector(otel, backends, problems));
        app.access_control = configuration.access_control.clone();
        app.api = configuration.api.clone();
    }
    places
}

fn convert(
    component: &Component,
    app: &str,
    backends: &mut Backends,
    problems: &Problems,
) -> Option<config::Component> {
    let kind = &component.kind;
    if !SUPPORTED.contains(&kind.value.as_str()) {
        let known = SUPPORTED.join(", ");
        let what = format!("{}: type {:?} is not supported; there are {known}", component.subject(), kind.value);
        problems.add(&kind.place, what);
        return None;
    }
    let authorities = backends.authorities.as_deref();
    let split = match kind.value.as_str() {
        kind if redis::is_redis(kind) => Some(redis::split(component, authorities, problems)),
        kind if postgres::is_postgres(kind) => Some(postgres::split(component, authorities, problems)),
        etcd::KIND => Some(etcd::split(component, authorities, problems)),
        _ => None,
    };
    let (cluster, metadata) = match split {
        Some(split) => (Some(backends.add(&component.name, split.backend?)), split.rest),
        None => (None, plain(component)),
    };
    let metadata = metadata.into_iter().map(|(name, value)| {
        let value = expand(component, &name, &value, app, problems);
        // daprd's prefixes are in lower case. The module knows that of ASCII only: the table of all letters is 16 KiB.
        let value = if name.eq_ignore_ascii_case("keyPrefix") { value.to_lowercase() } else { value };
        (name, value)
    });
    Some(config::Component {
        name: component.name.clone(),
        kind: kind.value.clone(),
        version: component.version.value.clone(),
        cluster,
        metadata: metadata.collect(),
    })
}

fn convert_collector(otel: &Otel, backends: &Backends, problems: &Problems) -> Option<Collector> {
    let tls = match (otel.is_secure, backends.authorities.clone()) {
        (false, _) => None,
        (true, Some(file)) => Some(Tls { authorities: Some(Authorities::File(file)), ..Tls::default() }),
        (true, None) => {
            let why = "needs certificate authorities; set SSL_CERT_FILE, or isSecure to false";
            problems.add(&otel.place, format!("spec.tracing.otel.endpointAddress {why}"));
            return None;
        }
    };
    let (host, port, transport) = (otel.host.clone(), otel.port, otel.transport);
    Some(Collector { host, port, transport, tls, headers: otel.headers.clone(), timeout: otel.timeout })
}

fn convert_endpoint(endpoint: &HttpEndpoint, backends: &Backends, problems: &Problems) -> Option<Endpoint> {
    let (url, tls) = (&endpoint.base_url, &endpoint.client_tls);
    let text = |item: &Option<Item>| item.as_ref().map(|item| item.value.resolved().to_owned());
    let own = text(&tls.root_ca).map(Authorities::Text);
    let authorities = own.or_else(|| backends.authorities.clone().map(Authorities::File));
    let tls = match (url.scheme, authorities) {
        (Scheme::Http, _) => None,
        (Scheme::Https, Some(authorities)) => {
            let identity = text(&tls.certificate).zip(text(&tls.private_key));
            Some(EndpointTls { authorities, identity, renegotiates: tls.renegotiates })
        }
        (Scheme::Https, None) => {
            let why = "needs certificate authorities; set SSL_CERT_FILE or give spec.clientTLS.rootCA";
            problems.add(&endpoint.place, format!("{}: {why}", endpoint.subject()));
            return None;
        }
    };
    let headers = endpoint.headers.iter().map(|item| (item.name.clone(), item.value.resolved().to_owned())).collect();
    let (name, host, path) = (endpoint.name.clone(), url.host.clone(), url.path.clone());
    Some(Endpoint { name, host, port: url.port, path, headers, tls })
}

fn plain(component: &Component) -> BTreeMap<String, String> {
    component.metadata.iter().map(|item| (item.name.clone(), item.value.resolved().to_owned())).collect()
}

/// Puts the app id where `{appID}` stands. Dapr's other placeholders mean something in Kubernetes only, or new
/// consumers at every start; the filter itself knows and judges those of a consumer group.
fn expand(component: &Component, name: &str, value: &str, app: &str, problems: &Problems) -> String {
    let is_group = name.eq_ignore_ascii_case("consumerID");
    for placeholder in ["{uuid}", "{podName}", "{namespace}"] {
        if !is_group
            && value.contains(placeholder)
            && let Some(item) = component.metadata.iter().find(|item| item.name == name)
        {
            let what = format!("{}: metadata {name} holds {placeholder}, which is not supported", component.subject());
            problems.add(&item.place, what);
        }
    }
    value.replace("{appID}", app)
}

#[cfg(test)]
mod tests;
