//! What the router itself has to know of calls that are tried again; the rest it learns from the filter's headers.

use serde_json::{Value, json};
use std::time::Duration;
use weft_core::by_name::ByName;
use weft_core::config::{PluginConfig, Resiliency};

/// How an application calls others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallRules {
    /// What the filter does.
    pub plugin: Resiliency,
    /// What the router does, by the same names; `None` for one whose calls are made once.
    pub apps: ByName<Option<Again>>,
    /// What it does with calls of all others.
    pub others: Option<Again>,
}

/// How calls are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The first pause, on average.
    pub first: Duration,
    /// The longest pause, on average.
    pub longest: Duration,
    /// gRPC statuses that are tried again.
    pub grpc: Vec<u32>,
}

impl CallRules {
    /// Whether any call is tried again.
    pub(super) fn tries_again(&self) -> bool {
        self.others.is_some() || self.apps.values().any(Option::is_some)
    }

    /// Routes of calls that go by a cluster in a header: one for each target that has its own way of trying again,
    /// known by its authority, and one for all others. `plugin` is what the filter knows of targets.
    pub(super) fn routes(&self, plugin: &PluginConfig) -> Vec<Value> {
        let own = self.apps.iter().filter_map(|(name, again)| Some((authority(name, plugin)?, again)));
        let own = own.map(|(authority, again)| route(Some(authority), again.as_ref()));
        own.chain([route(None, self.others.as_ref())]).collect()
    }
}

/// The authority of a target's requests; `None` where it is not known before.
fn authority<'a>(name: &'a str, plugin: &'a PluginConfig) -> Option<&'a str> {
    let invoke = &plugin.invoke;
    if let Some(endpoint) = invoke.endpoints.get(name) {
        return Some(&endpoint.authority);
    }
    if let Some((_, rest)) = name.split_once("://") {
        return rest.split('/').next();
    }
    let in_own_namespace = name.split_once('.').filter(|(_, namespace)| *namespace == plugin.namespace);
    let id = in_own_namespace.map_or(name, |(id, _)| id);
    let itself = plugin.app.as_ref().filter(|_| id == plugin.app_id).map(|app| app.authority.as_str());
    itself.or_else(|| invoke.apps.get(id).map(|it| it.authority.as_str()))
}

fn route(authority: Option<&str>, again: Option<&Again>) -> Value {
    let mut headers = vec![json!({"name": "x-weft-cluster", "present_match": true})];
    headers.extend(authority.map(|it| json!({"name": ":authority", "string_match": {"exact": it}})));
    let mut action = json!({"cluster_header": "x-weft-cluster", "timeout": "0s", "idle_timeout": "0s"});
    if let (Some(again), Some(members)) = (again, action.as_object_mut()) {
        members.insert("retry_policy".to_owned(), again.policy());
    }
    json!({
        "match": {"prefix": "/", "headers": headers},
        "route": action,
        "request_headers_to_remove": ["x-weft-cluster"],
    })
}

impl Again {
    /// Envoy waits between nothing and the whole of a pause, so one of twice the length takes Dapr's time on average.
    fn policy(&self) -> Value {
        let seconds = |time: Duration| format!("{}s", (time * 2).max(Duration::from_millis(1)).as_secs_f64());
        let status = |code: &u32| json!({"name": "grpc-status", "string_match": {"exact": code.to_string()}});
        json!({
            "retry_back_off": {"base_interval": seconds(self.first), "max_interval": seconds(self.longest)},
            "retriable_headers": self.grpc.iter().map(status).collect::<Vec<_>>(),
        })
    }
}

/// Envoy's own bound, three at a time, would end the tries of a busy application.
pub(super) fn without_bound(cluster: &mut Value) {
    if let Some(members) = cluster.as_object_mut() {
        let breakers = members.entry("circuit_breakers").or_insert_with(|| json!({"thresholds": [{}]}));
        if let Some(bounds) = breakers.pointer_mut("/thresholds/0").and_then(Value::as_object_mut) {
            bounds.insert("max_retries".to_owned(), json!(u32::MAX));
        }
    }
}
