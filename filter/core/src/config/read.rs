//! Building the typed configuration from a text that was held against the tables. What is at fault was reported there
//! and is taken as absent here.

use super::{
    AccessControl, Action, ApiLists, ApiProtocol, ApiRule, AppChannel, BulkSubscribe, CallPolicy, Callers,
    CircuitBreaker, Component, DEFAULT_BREAKER_CACHE, DEFAULT_BREAKER_TIMEOUT_MS, DEFAULT_COMPONENT_VERSION,
    DEFAULT_MAX_BODY, DEFAULT_NAMESPACE, DEFAULT_SAMPLING, Endpoint, EnvironmentSource, External, Identity, Invoke,
    Limits, LinkConfig, LogLevel, Operation, Otlp, PluginConfig, Policy, Resiliency, Retry, Routes, Rule, Secret,
    Subscription, Target, TestSwitches, Tracing, VERSION,
};
#[cfg(feature = "policies")]
use super::{ComponentPolicies, ComponentPolicy, ComponentRetry};
#[cfg(feature = "blocks")]
use super::{Transport, otlp::DEFAULT_TIMEOUT_MS};
use crate::access::pattern;
use crate::blocks::Blocks;
use crate::json::{self, RawObject, RawValue};
use std::collections::BTreeMap;

#[inline(never)]
pub(super) fn plugin_config(object: &RawObject<'_>) -> PluginConfig {
    PluginConfig {
        version: VERSION,
        app_id: text(object, "appId"),
        namespace: text_or(object, "namespace", DEFAULT_NAMESPACE),
        app: child(object, "app").map(|app| AppChannel {
            cluster: text(&app, "cluster"),
            authority: text(&app, "authority"),
            api_token: environment(&app),
            token: Secret::default(),
        }),
        invoke: child(object, "invoke").map(|it| invoke(&it)).unwrap_or_default(),
        resiliency: child(object, "resiliency").map(|it| resiliency(&it)).unwrap_or_default(),
        link: child(object, "link").map(|link| LinkConfig { cluster: text(&link, "cluster") }),
        components: list(object, "components", component),
        subscriptions: list(object, "subscriptions", subscription),
        api_token: environment(object),
        api: within(object, "api", |it| ApiLists {
            allowed: list(it, "allowed", api_rule),
            denied: list(it, "denied", api_rule),
        }),
        access_control: child(object, "accessControl").map(|it| access_control(&it)),
        callers: child(object, "callers").map(|it| callers(&it)),
        tracing: within(object, "tracing", |it| Tracing {
            sampling_rate: text_or(it, "samplingRate", DEFAULT_SAMPLING),
            otlp: otlp(it),
        }),
        log_level: level(&text(object, "logLevel")),
        limits: Limits { max_body_bytes: within(object, "limits", max_body) },
        test: child(object, "test")
            .map(|test| TestSwitches { trap: test.boolean("trap").ok().flatten().unwrap_or(false) }),
    }
}

#[inline(never)]
fn environment(object: &RawObject<'_>) -> Option<EnvironmentSource> {
    child(object, "apiToken").map(|it| EnvironmentSource { env: text(&it, "env") })
}

fn max_body(limits: &RawObject<'_>) -> u32 {
    number(limits, "maxBodyBytes").unwrap_or(DEFAULT_MAX_BODY)
}

fn level(text: &str) -> LogLevel {
    match text {
        "debug" => LogLevel::Debug,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => LogLevel::Info,
    }
}

#[inline(never)]
fn invoke(object: &RawObject<'_>) -> Invoke {
    let apps = child(object, "apps").unwrap_or_default();
    let one = |(name, value): (&str, _)| Some((name.to_owned(), target(&RawObject::of(value, "").ok()?)));
    Invoke {
        apps: apps.members().filter_map(one).collect(),
        template: child(object, "template").map(|it| target(&it)),
        endpoints: child(object, "endpoints").unwrap_or_default().members().filter_map(endpoint).collect(),
        external: child(object, "external").map(|it| External {
            hosts: words(&it, "hosts"),
            http_cluster: maybe(&it, "httpCluster"),
            https_cluster: maybe(&it, "httpsCluster"),
        }),
    }
}

#[inline(never)]
fn endpoint((name, value): (&str, RawValue<'_>)) -> Option<(String, Endpoint)> {
    let object = RawObject::of(value, "").ok()?;
    let Target { cluster, authority } = target(&object);
    Some((name.to_owned(), Endpoint { cluster, authority, path: maybe(&object, "path") }))
}

fn target(object: &RawObject<'_>) -> Target {
    Target { cluster: maybe(object, "cluster"), authority: text(object, "authority") }
}

#[inline(never)]
fn resiliency(object: &RawObject<'_>) -> Resiliency {
    let one = |(name, value): (&str, _)| Some((name.to_owned(), call_policy(&RawObject::of(value, "").ok()?)));
    Resiliency {
        apps: child(object, "apps").unwrap_or_default().members().filter_map(one).collect(),
        others: child(object, "others").map(|it| call_policy(&it)),
        #[cfg(feature = "policies")]
        components: child(object, "components").unwrap_or_default().members().filter_map(component_policies).collect(),
    }
}

#[cfg(feature = "policies")]
#[inline(never)]
fn component_policies((name, value): (&str, RawValue<'_>)) -> Option<(String, ComponentPolicies)> {
    let object = RawObject::of(value, "").ok()?;
    let policy = |name: &str| child(&object, name).map(|it| component_policy(&it));
    Some((name.to_owned(), ComponentPolicies { inbound: policy("inbound"), outbound: policy("outbound") }))
}

#[cfg(feature = "policies")]
#[inline(never)]
fn component_policy(object: &RawObject<'_>) -> ComponentPolicy {
    ComponentPolicy {
        timeout_ms: number(object, "timeoutMs"),
        retry: child(object, "retry").map(|it| ComponentRetry {
            max_retries: number(&it, "maxRetries"),
            pause_ms: number(&it, "pauseMs").unwrap_or_default(),
            max_pause_ms: number(&it, "maxPauseMs"),
        }),
        circuit_breaker: child(object, "circuitBreaker").map(|it| circuit_breaker(&it)),
    }
}

#[inline(never)]
fn call_policy(object: &RawObject<'_>) -> CallPolicy {
    CallPolicy {
        timeout_ms: number(object, "timeoutMs"),
        retry: child(object, "retry").map(|it| Retry {
            max_retries: number(&it, "maxRetries").unwrap_or_default(),
            on: text(&it, "on"),
            status_codes: maybe(&it, "statusCodes"),
            grpc_on: maybe(&it, "grpcOn"),
            grpc_statuses: maybe(&it, "grpcStatuses"),
        }),
        circuit_breaker: child(object, "circuitBreaker").map(|it| circuit_breaker(&it)),
    }
}

fn circuit_breaker(object: &RawObject<'_>) -> CircuitBreaker {
    CircuitBreaker {
        trip: text(object, "trip"),
        max_requests: number(object, "maxRequests").unwrap_or(1),
        interval_ms: number(object, "intervalMs").unwrap_or_default(),
        timeout_ms: number(object, "timeoutMs").unwrap_or(DEFAULT_BREAKER_TIMEOUT_MS),
        cache_size: number(object, "cacheSize").unwrap_or(DEFAULT_BREAKER_CACHE),
    }
}

#[inline(never)]
fn number(object: &RawObject<'_>, name: &str) -> Option<u32> {
    object.get(name).and_then(|value| value.get().parse().ok())
}

#[inline(never)]
fn api_rule(object: &RawObject<'_>) -> ApiRule {
    let protocol = if text(object, "protocol") == "grpc" { ApiProtocol::Grpc } else { ApiProtocol::Http };
    ApiRule { name: text(object, "name"), version: text(object, "version"), protocol }
}

/// Only a module with blocks has spans of its own; another one refuses the member.
#[cfg(feature = "blocks")]
#[inline(never)]
fn otlp(tracing: &RawObject<'_>) -> Option<Otlp> {
    child(tracing, "otlp").map(|it| Otlp {
        cluster: text(&it, "cluster"),
        authority: text(&it, "authority"),
        transport: if text(&it, "protocol") == "grpc" { Transport::Grpc } else { Transport::Http },
        timeout_ms: number(&it, "timeoutMs").unwrap_or(DEFAULT_TIMEOUT_MS),
    })
}

#[cfg(not(feature = "blocks"))]
fn otlp(_tracing: &RawObject<'_>) -> Option<Otlp> {
    None
}

#[inline(never)]
fn component(object: &RawObject<'_>) -> Component {
    let (name, kind) = (text(object, "name"), text(object, "type"));
    if !Blocks::HAVE_FLOWS {
        return Component { name, kind, version: String::new(), cluster: None, metadata: BTreeMap::new() };
    }
    Component {
        name,
        kind,
        version: text_or(object, "version", DEFAULT_COMPONENT_VERSION),
        cluster: maybe(object, "cluster"),
        metadata: texts(object, "metadata"),
    }
}

/// A module for routing only refuses components and subscriptions, so there it is enough to know of them.
#[inline(never)]
fn subscription(object: &RawObject<'_>) -> Subscription {
    if !Blocks::HAVE_FLOWS {
        return Subscription::default();
    }
    let rule = |rule: &RawObject<'_>| Rule { condition: text(rule, "match"), path: text(rule, "path") };
    let routes = child(object, "routes").unwrap_or_default();
    Subscription {
        pubsubname: text(object, "pubsubname"),
        topic: text(object, "topic"),
        routes: Routes { rules: list(&routes, "rules", rule), default: maybe(&routes, "default") },
        dead_letter_topic: maybe(object, "deadLetterTopic"),
        metadata: texts(object, "metadata"),
        bulk_subscribe: child(object, "bulkSubscribe").map(|it| bulk(&it)),
    }
}

#[inline(never)]
fn bulk(object: &RawObject<'_>) -> BulkSubscribe {
    BulkSubscribe {
        enabled: object.boolean("enabled").ok().flatten().unwrap_or(false),
        max_messages_count: number(object, "maxMessagesCount"),
        max_await_duration_ms: number(object, "maxAwaitDurationMs"),
    }
}

#[inline(never)]
fn access_control(object: &RawObject<'_>) -> AccessControl {
    AccessControl {
        default_action: action(object, "defaultAction"),
        policies: list(object, "policies", policy),
        probes: words(object, "probes"),
    }
}

#[inline(never)]
fn policy(object: &RawObject<'_>) -> Policy {
    Policy {
        app_id: text(object, "appId"),
        namespace: text(object, "namespace"),
        trust_domain: text(object, "trustDomain"),
        default_action: action(object, "defaultAction"),
        operations: pattern::in_order(list(object, "operations", operation)),
    }
}

fn operation(object: &RawObject<'_>) -> Operation {
    let (name, action) = (text(object, "name"), action(object, "action"));
    Operation {
        name: pattern::normal(&name),
        http_verb: words(object, "httpVerb"),
        action: action.unwrap_or(Action::Deny),
    }
}

fn action(object: &RawObject<'_>, name: &str) -> Option<Action> {
    Action::of(&text(object, name))
}

#[inline(never)]
fn callers(object: &RawObject<'_>) -> Callers {
    let accounts = child(object, "serviceAccounts").unwrap_or_default();
    let one = |(account, app): (&str, _)| Some((account.to_owned(), json::string(app, "").ok()?.into_owned()));
    Callers {
        identity: Identity::of(&text(object, "identity")),
        service_accounts: accounts.members().filter_map(one).collect(),
    }
}

fn words(object: &RawObject<'_>, name: &str) -> Vec<String> {
    let values = object.array(name).unwrap_or_default().into_iter();
    values.filter_map(|value| json::string(value, "").ok()).map(|text| text.into_owned()).collect()
}

#[inline(never)]
fn maybe(object: &RawObject<'_>, name: &str) -> Option<String> {
    object.string(name).ok().flatten().map(|text| text.into_owned())
}

fn text(object: &RawObject<'_>, name: &str) -> String {
    maybe(object, name).unwrap_or_default()
}

fn text_or(object: &RawObject<'_>, name: &str, default: &str) -> String {
    maybe(object, name).unwrap_or_else(|| default.to_owned())
}

#[inline(never)]
fn texts(object: &RawObject<'_>, name: &str) -> BTreeMap<String, String> {
    object.string_map(name).ok().flatten().unwrap_or_default()
}

#[inline(never)]
fn child<'a>(object: &RawObject<'a>, name: &str) -> Option<RawObject<'a>> {
    object.object(name).ok().flatten()
}

fn within<T>(object: &RawObject<'_>, name: &str, read: impl FnOnce(&RawObject<'_>) -> T) -> T {
    read(&child(object, name).unwrap_or_default())
}

/// Every element, so that positions stay as they are in the text.
fn list<T>(object: &RawObject<'_>, name: &str, read: impl Fn(&RawObject<'_>) -> T) -> Vec<T> {
    objects(object, name).iter().map(read).collect()
}

#[inline(never)]
fn objects<'a>(object: &RawObject<'a>, name: &str) -> Vec<RawObject<'a>> {
    let one = |value: RawValue<'a>| if value.is_null() { None } else { RawObject::of(value, "").ok() };
    object.array(name).unwrap_or_default().into_iter().map(|value| one(value).unwrap_or_default()).collect()
}
