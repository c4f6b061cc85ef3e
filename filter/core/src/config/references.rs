//! What members say of each other: names that must name something, and things that must be there together.

use super::check::{index, is_label, step};
use super::{Component, DEFAULT_NAMESPACE, PluginConfig, Policy, Problem, Subscription};
use crate::blocks::Blocks;

/// Checks a draft; what is empty or absent in it and has to be there was reported already.
#[inline(never)]
pub(super) fn check(config: &PluginConfig, problems: &mut Vec<Problem>) {
    let mut found = Vec::new();
    look(config, &mut found);
    for problem in found {
        if problems.iter().all(|known| known.path != problem.path) {
            problems.push(problem);
        }
    }
}

fn look(config: &PluginConfig, problems: &mut Vec<Problem>) {
    for (id, _) in config.invoke.apps.iter() {
        let (app, namespace) = id.split_once('.').unwrap_or((id, DEFAULT_NAMESPACE));
        if !is_label(app) || !is_label(namespace) {
            let path = ["$.invoke.apps", &step(id)].concat();
            problems.push(Problem::new(&path, "is no app id", "write <id> or <id>.<namespace>"));
        }
    }
    if Blocks::HAVE_FLOWS {
        look_at_blocks(config, problems);
    }
    if let Some(access) = &config.access_control {
        check_policies(&access.policies, problems);
    }
}

fn look_at_blocks(config: &PluginConfig, problems: &mut Vec<Problem>) {
    for (at, component) in config.components.iter().enumerate() {
        check_component(config, at, component, problems);
    }
    for (at, subscription) in config.subscriptions.iter().enumerate() {
        check_subscription(config, at, subscription, problems);
    }
    if !config.subscriptions.is_empty() && config.app.is_none() {
        problems.push(Problem::new("$.app", "is missing", "add it: subscriptions need the application's address"));
    }
}

/// Of two policies for one caller only one could hold.
#[inline(never)]
fn check_policies(policies: &[Policy], problems: &mut Vec<Problem>) {
    for (at, policy) in policies.iter().enumerate() {
        let is_same = |other: &Policy| other.app_id == policy.app_id && other.namespace == policy.namespace;
        if !policy.app_id.is_empty() && policies.iter().take(at).any(is_same) {
            let path = ["$.accessControl.policies", &index(at)].concat();
            problems.push(Problem::new(&path, "is for the same caller as another one", "put them into one"));
        }
    }
}

fn check_component(config: &PluginConfig, at: usize, component: &Component, problems: &mut Vec<Problem>) {
    let path = ["$.components", &index(at)].concat();
    let mut before = config.components.iter().take(at);
    if !component.name.is_empty() && before.any(|other| other.name == component.name) {
        let what = format!("is {:?}, as another component's name is", component.name);
        problems.push(Problem::new(&[&path, ".name"].concat(), what, "give each component a name of its own"));
    }
    if component.cluster.is_some() && config.link.is_none() {
        problems.push(Problem::no_link());
    }
}

fn check_subscription(config: &PluginConfig, at: usize, it: &Subscription, problems: &mut Vec<Problem>) {
    let path = ["$.subscriptions", &index(at)].concat();
    let broker = config.components.iter().find(|component| component.name == it.pubsubname);
    let what = match broker {
        _ if it.pubsubname.is_empty() => None,
        None => Some("names no component"),
        Some(component) if !component.kind.is_empty() && !component.kind.starts_with("pubsub.") => {
            Some("names a component that is no broker")
        }
        Some(_) => None,
    };
    if let Some(what) = what {
        let remedy = "add a component of that name whose type begins with pubsub., or remove the subscription";
        problems.push(Problem::new(&[&path, ".pubsubname"].concat(), what, remedy));
    }
    if it.dead_letter_topic.as_deref().is_some_and(|dead| !dead.is_empty() && dead == it.topic) {
        let path = [&path, ".deadLetterTopic"].concat();
        problems.push(Problem::new(&path, "is the subscription's own topic", "name another one or remove it"));
    }
    if it.routes.rules.is_empty() && it.routes.default.is_none() {
        let remedy = "give it a `default` path or a rule";
        problems.push(Problem::new(&[&path, ".routes"].concat(), "leads nowhere", remedy));
    }
}
