//! Dapr's resources: components, subscriptions, configurations, HTTP endpoints and resiliency, as people write them in
//! YAML.
//!
//! Every kind keeps the lines it was read from, so that what turns out to be wrong later can be told with its place.

mod access_control;
mod api_lists;
mod component;
mod configuration;
mod http_endpoint;
mod item;
mod otel;
mod resiliency;
mod secrets;
mod subscription;

pub use component::Component;
pub use configuration::Configuration;
pub use http_endpoint::{BaseUrl, ClientTls, HttpEndpoint, Scheme};
pub use item::{Item, Source, is_one_of};
pub use otel::Otel;
pub(crate) use resiliency::millis;
pub use resiliency::{Codes, Pause, Resiliency, Retry, Target};
pub use subscription::Subscription;

use crate::problem::{Place, Problems};
use crate::yaml::{self, Document, Fields};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All resources that were read.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Components, without the secret stores that only gave values to others.
    pub components: Vec<Component>,
    /// Declarative subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Configurations.
    pub configurations: Vec<Configuration>,
    /// Servers outside of Dapr.
    pub endpoints: Vec<HttpEndpoint>,
    /// How applications are called.
    pub resiliencies: Vec<Resiliency>,
}

impl Resources {
    /// Reads files, and the files `*.yaml` and `*.yml` that lie in folders. References to secrets and to environment
    /// variables are resolved.
    #[must_use]
    pub fn read(paths: &[PathBuf], problems: &Problems) -> Self {
        let files: Vec<PathBuf> = paths.iter().flat_map(|path| files(path, problems)).collect();
        let mut resources = Self::default();
        for document in files.iter().flat_map(|file| yaml::read_file(file, problems)) {
            resources.add(&document, problems);
        }
        resources.complete(&|name| std::env::var(name).ok(), problems);
        resources
    }

    /// Puts values in place of references, and looks at what can only be judged with them.
    fn complete(&mut self, environment: secrets::Environment<'_>, problems: &Problems) {
        secrets::resolve(self, environment, problems);
        self.endpoints.iter().for_each(|endpoint| http_endpoint::check(endpoint, problems));
    }

    fn add(&mut self, document: &Document, problems: &Problems) {
        let Some(mut fields) = Fields::of_document(document, "the document", problems) else { return };
        let (version, kind) = (fields.required("apiVersion"), fields.required("kind"));
        let (Some(version), Some(kind)) = (version, kind) else { return };
        match (kind.value.as_str(), version.value.as_str()) {
            ("Component", "dapr.io/v1alpha1") => self.components.extend(component::read(fields)),
            ("Subscription", "dapr.io/v1alpha1") => {
                self.subscriptions.extend(subscription::read(fields, subscription::Version::V1));
            }
            ("Subscription", "dapr.io/v2alpha1") => {
                self.subscriptions.extend(subscription::read(fields, subscription::Version::V2));
            }
            ("Configuration", "dapr.io/v1alpha1") => self.configurations.extend(configuration::read(fields)),
            ("HTTPEndpoint", "dapr.io/v1alpha1") => self.endpoints.extend(http_endpoint::read(fields)),
            ("Resiliency", "dapr.io/v1alpha1") => self.resiliencies.extend(resiliency::read(fields)),
            ("Component" | "Subscription" | "Configuration" | "HTTPEndpoint" | "Resiliency", other) => {
                problems.add(&version.place, format!("apiVersion {other:?} of {} is not supported", kind.value));
            }
            (other, _) => {
                let known = "Component, Subscription, Configuration, HTTPEndpoint and Resiliency";
                problems.add(&kind.place, format!("kind {other:?} is not supported; {known} are"));
            }
        }
    }
}

fn files(path: &Path, problems: &Problems) -> Vec<PathBuf> {
    if !path.is_dir() {
        // A file, or nothing: then reading it says so.
        return vec![path.to_path_buf()];
    }
    let listed = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    match listed {
        Ok(entries) => {
            let is_yaml =
                |path: &PathBuf| [OsStr::new("yaml"), OsStr::new("yml")].map(Some).contains(&path.extension());
            let found = entries.into_iter().map(|entry| entry.path()).filter(|path| is_yaml(path) && path.is_file());
            let mut found: Vec<PathBuf> = found.collect();
            found.sort();
            found
        }
        Err(error) => {
            problems.add(&Place { file: Arc::from(path), line: 0 }, format!("cannot be read: {error}"));
            Vec::new()
        }
    }
}

/// What every kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    name: String,
    namespace: Option<String>,
    place: Place,
}

/// Reads `metadata` and names the resource in later problems.
fn head(fields: &mut Fields<'_>, kind: &str) -> Head {
    fields.set_subject(kind.to_owned());
    let place = fields.place();
    let Some(mut metadata) = fields.required_fields("metadata") else {
        return Head { name: String::new(), namespace: None, place };
    };
    let name = metadata.required("name");
    let namespace = metadata.text("namespace").map(|text| text.value);
    for ignored in ["labels", "annotations", "creationTimestamp", "uid", "resourceVersion", "generation"] {
        // Kubernetes' own; they mean nothing to Dapr either.
        metadata.node(ignored);
    }
    metadata.finish();
    match name {
        Some(name) => {
            fields.set_subject(format!("{kind} {:?}", name.value));
            Head { name: name.value, namespace, place: name.place }
        }
        None => Head { name: String::new(), namespace, place },
    }
}

/// Whether a resource is for an application: by its namespace and by its scopes.
fn is_for(namespace: Option<&str>, scopes: &[String], app: &str, apps_namespace: &str) -> bool {
    namespace.is_none_or(|namespace| namespace == apps_namespace)
        && (scopes.is_empty() || scopes.iter().any(|scope| scope == app))
}

#[cfg(test)]
mod tests;

/// Reads resources from a text that is called `r.yaml`.
#[cfg(test)]
pub(crate) fn read_text(text: &str, problems: &Problems) -> Resources {
    let mut resources = Resources::default();
    for document in yaml::read(&Arc::from(Path::new("r.yaml")), text, problems) {
        resources.add(&document, problems);
    }
    resources
}
