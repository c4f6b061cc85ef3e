//! What the filter itself will say about a plugin configuration, told before there is a proxy, with the lines of the
//! files that it was made from.

use crate::problem::{Place, Problem, Problems};
use crate::resources::{Component, Configuration, Subscription};
use weft_core::app::check;
use weft_core::config::{self, PluginConfig};

/// Where the parts of a plugin configuration were written.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<Origin>);

#[derive(Debug, Clone)]
struct Origin {
    /// JSON path in the plugin configuration.
    path: String,
    /// How much of the path stands for the subject.
    root: usize,
    place: Place,
    subject: String,
}

impl Places {
    /// Members are named below `root`, which is the subject.
    fn add(&mut self, root: &str, member: &str, place: &Place, subject: &str) {
        let (path, root) = (format!("{root}{member}"), root.len());
        self.0.push(Origin { path, root, place: place.clone(), subject: subject.to_owned() });
    }

    /// Where the component of that index is.
    pub(super) fn add_component(&mut self, index: usize, component: &Component) {
        let path = format!("$.components[{index}]");
        let subject = component.subject();
        self.add(&path, ".type", &component.kind.place, &subject);
        self.add(&path, ".version", &component.version.place, &subject);
        for item in &component.metadata {
            self.add(&path, &format!(".metadata.{}", item.name), &item.place, &subject);
        }
        self.add(&path, "", &component.place, &subject);
    }

    /// Where the subscription of that index is.
    pub(super) fn add_subscription(&mut self, index: usize, subscription: &Subscription) {
        let path = format!("$.subscriptions[{index}]");
        let subject = subscription.subject();
        self.add(&path, ".pubsubname", &subscription.broker, &subject);
        self.add(&path, "", &subscription.place, &subject);
    }

    /// Where the traces and who may call are.
    pub(super) fn set_configuration(&mut self, configuration: &Configuration) {
        let subject = format!("Configuration {:?}", configuration.name);
        self.add("$", ".tracing", &configuration.sampling, &subject);
        self.add("$", ".accessControl", &configuration.access, &subject);
    }

    /// The nearest thing to a path that has a place.
    fn find(&self, path: &str) -> Option<&Origin> {
        let is_under = |origin: &&Origin| {
            let (head, rest) = path.split_at_checked(origin.path.len()).unwrap_or(("", path));
            head.eq_ignore_ascii_case(&origin.path) && (rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0.iter().filter(is_under).max_by_key(|origin| origin.path.len())
    }

    fn problem(&self, found: &config::Problem, other: &Place) -> Problem {
        let text = format!("{}; {}", found.what, found.remedy);
        match self.find(&found.path) {
            Some(origin) => {
                let member = found.path.get(origin.root..).unwrap_or_default().trim_start_matches('.');
                let space = if member.is_empty() { "" } else { " " };
                Problem { place: origin.place.clone(), what: format!("{}: {member}{space}{text}", origin.subject) }
            }
            None => Problem { place: other.clone(), what: format!("{} {text}", found.path) },
        }
    }
}

/// Adds everything that the filter would refuse in a plugin configuration. What was made from no line of a file is
/// told as a problem of `other`.
pub fn judge(plugin: &PluginConfig, places: &Places, other: &Place, problems: &Problems) {
    // Cannot fail: every key of the configuration is text.
    let text = serde_json::to_vec(plugin).unwrap_or_default();
    for problem in check(&text).iter().map(|problem| places.problem(problem, other)) {
        problems.add(&problem.place, problem.what);
    }
}
