//! Values that components take from secret stores and from the environment.
//!
//! The stores are components themselves: `secretstores.local.env` and `secretstores.local.file`. They serve the other
//! components here, while these are read; the secrets API is not part of this release.

mod local_file;

use super::component::{Component, Item, Source};
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
pub(super) fn resolve(components: &mut Vec<Component>, environment: Environment<'_>, problems: &Problems) {
    let is_store = |component: &Component| component.kind.value.starts_with("secretstores.");
    for component in components.iter_mut() {
        for item in &mut component.metadata {
            resolve_environment(item, environment, problems);
        }
    }
    let (declared, mut others): (Vec<_>, Vec<_>) = std::mem::take(components).into_iter().partition(is_store);
    let mut stores = BTreeMap::new();
    for component in &declared {
        if let Some(store) = open(component, problems) {
            stores.insert(component.name.as_str(), store);
        }
    }
    let mut used = BTreeSet::new();
    for component in &mut others {
        let store = component.secret_store.clone();
        for item in &mut component.metadata {
            resolve_secret(item, store.as_ref(), &stores, environment, problems);
        }
        used.extend(store.map(|store| store.value));
    }
    for component in declared.iter().filter(|store| !used.contains(&store.name)) {
        let why = "serves no component; the secrets API is not supported by this release";
        problems.add(&component.place, format!("{}: {why}", component.subject()));
    }
    *components = others;
}

fn resolve_environment(item: &mut Item, environment: Environment<'_>, problems: &Problems) {
    let Source::Environment(variable) = &item.value else { return };
    let value = environment(variable);
    if value.is_none() {
        problems.add(&item.place, format!("metadata {}: there is no environment variable {variable}", item.name));
    }
    item.value = Source::Plain(value.unwrap_or_default());
}

fn resolve_secret(
    item: &mut Item,
    store: Option<&Text>,
    stores: &BTreeMap<&str, Store>,
    environment: Environment<'_>,
    problems: &Problems,
) {
    let Source::Secret { name, key } = &item.value else { return };
    let found = match store {
        None => Err("auth.secretStore has to name the secret store".to_owned()),
        Some(store) => match stores.get(store.value.as_str()) {
            Some(Store::Environment { prefix }) => of_environment(prefix, name, key, environment),
            Some(Store::File(file)) => file.value(name, key),
            None => Err(format!(
                "auth.secretStore {:?} is no {ENVIRONMENT} and no {FILE} among the components",
                store.value
            )),
        },
    };
    if let Err(why) = &found {
        problems.add(&item.place, format!("metadata {}: {why}", item.name));
    }
    item.value = Source::Plain(found.unwrap_or_default());
}

fn of_environment(prefix: &str, name: &str, key: &str, environment: Environment<'_>) -> Result<String, String> {
    if name != key {
        return Err(format!("a secret of {ENVIRONMENT} has one key, {name:?}, not {key:?}"));
    }
    let variable = format!("{prefix}{name}");
    environment(&variable).ok_or_else(|| format!("there is no environment variable {variable}"))
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
