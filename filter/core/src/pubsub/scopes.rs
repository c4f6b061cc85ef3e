//! Which topics an application may use at a broker (`dapr-api` 2.12).

use crate::components;
use crate::config::Component;

/// Publishing to a topic or subscribing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Publish,
    Subscribe,
}

/// A broker component's rules, reduced to those of one application.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes {
    /// Empty: every topic.
    allowed: Vec<String>,
    protected: Vec<String>,
    /// `None`: the application has no entry. `Some`: it may use these.
    publishing: Option<Vec<String>>,
    subscribing: Option<Vec<String>>,
}

impl Scopes {
    /// Reads `allowedTopics`, `protectedTopics`, `publishingScopes` and `subscriptionScopes`.
    #[inline(never)]
    pub(crate) fn read(component: &Component, app_id: &str) -> Self {
        let value = |name| without_blanks(components::metadata(component, name).unwrap_or_default());
        Self {
            allowed: topics(&value("allowedTopics")),
            protected: topics(&value("protectedTopics")),
            publishing: scope(&value("publishingScopes"), app_id),
            subscribing: scope(&value("subscriptionScopes"), app_id),
        }
    }

    /// Every topic that a rule of this application names.
    pub(crate) fn each_topic(&self, tell: &dyn Fn(&str)) {
        let none = Vec::new();
        let scope = |scope| Option::as_ref(scope).unwrap_or(&none);
        for list in [&self.allowed, &self.protected, scope(&self.publishing), scope(&self.subscribing)] {
            list.iter().for_each(|topic| tell(topic));
        }
    }

    /// Whether the application may use the topic. A protected topic needs an entry that lists it.
    pub(crate) fn allow(&self, topic: &str, direction: Direction) -> bool {
        let listed = |list: &[String]| list.iter().any(|entry| entry == topic);
        if !self.allowed.is_empty() && !listed(&self.allowed) {
            return false;
        }
        let scope = match direction {
            Direction::Publish => &self.publishing,
            Direction::Subscribe => &self.subscribing,
        };
        match scope {
            Some(scope) => listed(scope),
            None => !listed(&self.protected),
        }
    }
}

fn without_blanks(value: &str) -> String {
    value.chars().filter(|c| *c != ' ').collect()
}

#[inline(never)]
fn topics(value: &str) -> Vec<String> {
    value.split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect()
}

/// The topics of all entries `app=t1,t2` of one application; `None` if it has no entry.
#[inline(never)]
fn scope(value: &str, app_id: &str) -> Option<Vec<String>> {
    let mut found = None;
    for entry in value.split(';') {
        if let Some((app, list)) = entry.split_once('=')
            && app == app_id
        {
            found.get_or_insert_with(Vec::new).extend(topics(list));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Publish, Subscribe};

    fn scopes(metadata: &[(&str, &str)]) -> Scopes {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let kind = "pubsub.redis".to_owned();
        let component = Component { name: "p".to_owned(), kind, version: "v1".to_owned(), cluster: None, metadata };
        Scopes::read(&component, "app1")
    }

    #[test]
    fn without_rules_everything_is_allowed() {
        for rules in [scopes(&[]), scopes(&[("publishingScopes", ""), ("allowedTopics", " ")])] {
            assert!(rules.allow("t", Publish));
            assert!(rules.allow("t", Subscribe));
        }
    }

    #[test]
    fn allowed_topics_bound_both_directions() {
        let rules = scopes(&[("AllowedTopics", "a, b"), ("publishingScopes", "app1=c")]);
        assert!(rules.allow("a", Subscribe));
        assert!(!rules.allow("c", Subscribe));
        assert!(!rules.allow("c", Publish), "a scope does not go beyond the allowed topics");
    }

    #[test]
    fn an_application_with_an_entry_may_use_its_topics_only() {
        let rules = scopes(&[("publishingScopes", "app2=x; app1 = a,b;app1=c"), ("subscriptionScopes", "app2=x")]);
        assert!(rules.allow("a", Publish) && rules.allow("c", Publish));
        assert!(!rules.allow("x", Publish));
        assert!(rules.allow("anything", Subscribe), "no entry of its own in this direction");
    }

    #[test]
    fn an_empty_entry_allows_no_topic() {
        let rules = scopes(&[("subscriptionScopes", "app1=;app2=a")]);
        assert!(!rules.allow("a", Subscribe));
        assert!(rules.allow("a", Publish));
    }

    #[test]
    fn a_protected_topic_needs_an_entry() {
        let rules = scopes(&[("protectedTopics", "secret"), ("publishingScopes", "app1=secret")]);
        assert!(rules.allow("secret", Publish));
        assert!(!rules.allow("secret", Subscribe));
        assert!(rules.allow("open", Subscribe));
    }
}
