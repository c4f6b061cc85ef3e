//! Values that components and endpoints take from secret stores and from the environment.
//!
//! The stores are components themselves: `secretstores.local.env` and `secretstores.local.file`. They serve the other
//! resources here, while these are read; the secrets API is not part of this release.

mod local_file;

use super::Resources;
use super::component::Component;
use super::http_endpoint::HttpEndpoint;
use super::item::{Item, Source};
use crate::problem::Problems;
use crate::yaml::Text;
use local_file::LocalFile;
use std::collections::{BTreeMap, BTreeSet};

const ENVIRONMENT: &str = "secretstores.local.env";
const FILE: &str = "secretstores.local.file";

/// Reads an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

enum Store {
    Environment { prefix: String },
    File(LocalFile),
}

/// Puts values in place of references, and takes the secret stores away.
pub(super) fn resolve(resources: &mut Resources, environment: Environment<'_>, problems: &Problems) {
    let Resources { components, endpoints, .. } = resources;
    let is_store = |component: &Component| component.kind.value.starts_with("secretstores.");
    let (mut declared, mut others): (Vec<_>, Vec<_>) = std::mem::take(components).into_iter().partition(is_store);
    let mut resolver = Resolver { stores: BTreeMap::new(), environment, problems };
    for component in &mut declared {
        resolver.component(component);
    }
    for component in &declared {
        resolver.stores.extend(open(component, problems).map(|store| (component.name.clone(), store)));
    }
    let mut used = BTreeSet::new();
    for component in &mut others {
        resolver.component(component);
        used.extend(component.secret_store.as_ref().map(|store| store.value.clone()));
    }
    for endpoint in endpoints {
        resolver.endpoint(endpoint);
        used.extend(endpoint.secret_store.as_ref().map(|store| store.value.clone()));
    }
    for component in declared.iter().filter(|store| !used.contains(&store.name)) {
        let why = "serves no other resource; the secrets API is not supported by this release";
        problems.add(&component.place, format!("{}: {why}", component.subject()));
    }
    *components = others;
}

/// Knows where values are.
struct Resolver<'a> {
    stores: BTreeMap<String, Store>,
    environment: Environment<'a>,
    problems: &'a Problems,
}

impl Resolver<'_> {
    fn component(&self, component: &mut Component) {
        let (subject, store) = (component.subject(), component.secret_store.clone());
        for item in &mut component.metadata {
            self.fill(item, store.as_ref(), &subject, "metadata ");
        }
    }

    fn endpoint(&self, endpoint: &mut HttpEndpoint) {
        let (subject, store) = (endpoint.subject(), endpoint.secret_store.clone());
        for (what, item) in endpoint.values() {
            self.fill(item, store.as_ref(), &subject, what);
        }
    }

    /// Puts the value in place of a reference. `what`: what stands before the item's name in problems.
    fn fill(&self, item: &mut Item, store: Option<&Text>, subject: &str, what: &str) {
        let value = self.value(&item.value, store).unwrap_or_else(|why| {
            self.problems.add(&item.place, format!("{subject}: {what}{}: {why}", item.name));
            String::new()
        });
        item.value = Source::Plain(value);
    }

    /// The value itself. `store`: the secret store that the resource names.
    fn value(&self, source: &Source, store: Option<&Text>) -> Result<String, String> {
        match source {
            Source::Plain(value) => Ok(value.clone()),
            Source::Environment(variable) => of_variable(variable, self.environment),
            Source::Secret { name, key } => {
                let store = store.ok_or("auth.secretStore has to name the secret store")?;
                match self.stores.get(&store.value) {
                    Some(Store::Environment { prefix }) => of_environment(prefix, name, key, self.environment),
                    Some(Store::File(file)) => file.value(name, key),
                    None => Err(format!(
                        "auth.secretStore {:?} is no {ENVIRONMENT} and no {FILE} among the components",
                        store.value
                    )),
                }
            }
        }
    }
}

fn of_variable(variable: &str, environment: Environment<'_>) -> Result<String, String> {
    environment(variable).ok_or_else(|| format!("there is no environment variable {variable}"))
}

fn of_environment(prefix: &str, name: &str, key: &str, environment: Environment<'_>) -> Result<String, String> {
    if name != key {
        return Err(format!("a secret of {ENVIRONMENT} has one key, {name:?}, not {key:?}"));
    }
    of_variable(&format!("{prefix}{name}"), environment)
}

fn open(component: &Component, problems: &Problems) -> Option<Store> {
    let refuse = |why: String| problems.add(&component.kind.place, format!("{}: {why}", component.subject()));
    match component.kind.value.as_str() {
        ENVIRONMENT => {
            let prefix = setting(component, "prefix").unwrap_or_default();
            unknown(component, &["prefix"], problems);
            Some(Store::Environment { prefix })
        }
        FILE => {
            unknown(component, &["secretsFile", "nestedSeparator", "multiValued"], problems);
            match LocalFile::open(component) {
                Ok(file) => Some(Store::File(file)),
                Err(why) => {
                    refuse(why);
                    None
                }
            }
        }
        other => {
            refuse(format!("type {other:?} is not supported; {ENVIRONMENT} and {FILE} are"));
            None
        }
    }
}

fn unknown(component: &Component, known: &[&str], problems: &Problems) {
    for item in &component.metadata {
        if !known.iter().any(|known| known.eq_ignore_ascii_case(&item.name)) {
            let what = format!(
                "{}: metadata {} is not known; there may be {}",
                component.subject(),
                item.name,
                known.join(", ")
            );
            problems.add(&item.place, what);
        }
    }
}

/// A setting of a store that is not empty.
fn setting(component: &Component, name: &str) -> Option<String> {
    let item = component.metadata.iter().find(|item| item.name.eq_ignore_ascii_case(name))?;
    match &item.value {
        Source::Plain(value) if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
