//! `kind: Resiliency`: how applications are called (`dapr-api` 8).

mod codes;

use super::{Head, head, is_for};
use crate::yaml::{Fields, Text};
pub use codes::Codes;
use std::time::Duration;
use weft_core::config::{CircuitBreaker, DEFAULT_BREAKER_CACHE, DEFAULT_BREAKER_TIMEOUT_MS, LARGEST_BREAKER_CACHE};
use weft_core::duration::parse_component_duration;
use weft_core::resiliency::trip;

/// Policies and the applications that they are for, as they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Resiliency {
    /// Its name.
    pub name: String,
    /// How long one try may take, by the policy's name.
    pub timeouts: Vec<(String, Duration)>,
    /// When a call is tried again, by the policy's name.
    pub retries: Vec<(String, Retry)>,
    /// When calls are held back, by the policy's name.
    pub breakers: Vec<(String, CircuitBreaker)>,
    /// What holds for which application.
    pub apps: Vec<Target>,
    /// What holds for which component.
    pub components: Vec<Component>,
    namespace: Option<String>,
    scopes: Vec<String>,
}

/// When a call is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How long until the next try.
    pub pause: Pause,
    /// Tries after the first one; `None` for no end.
    pub most: Option<u32>,
    /// HTTP statuses that are tried again; `None` for all that are errors.
    pub http: Option<Codes>,
    /// gRPC statuses that are tried again; `None` for all that are errors.
    pub grpc: Option<Codes>,
}

/// How long it takes until a call is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The same time each time.
    Constant(Duration),
    /// Longer each time, up to this.
    Exponential(Duration),
}

/// The policies of an application that is called, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The application's id, the name of an endpoint, or a URL.
    pub app: String,
    /// For how many hosts a breaker counts.
    pub cache_size: Option<u32>,
    pub(crate) timeout: Option<Text>,
    pub(crate) retry: Option<Text>,
    pub(crate) breaker: Option<Text>,
}

/// The policies of a component, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// For its events on their way to the application.
    pub inbound: Option<Target>,
    /// For what is asked of it.
    pub outbound: Option<Target>,
}

impl Resiliency {
    /// Whether it is for calls of an application.
    #[must_use]
    pub fn is_for(&self, app: &str, namespace: &str) -> bool {
        is_for(self.namespace.as_deref(), &self.scopes, app, namespace)
    }

    /// What it is called in problems.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("Resiliency {:?}", self.name)
    }
}

/// Reads one; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>) -> Option<Resiliency> {
    let Head { name, namespace, .. } = head(&mut fields, "Resiliency");
    let scopes = fields.texts("scopes").into_iter().map(|scope| scope.value).collect();
    let spec = fields.required_fields("spec");
    fields.finish();
    let mut spec = spec?;
    let (timeouts, retries, breakers) = spec.fields("policies").map(policies).unwrap_or_default();
    let (apps, components) = spec.fields("targets").map(targets).unwrap_or_default();
    spec.finish();
    Some(Resiliency { name, timeouts, retries, breakers, apps, components, namespace, scopes })
}

type Policies = (Vec<(String, Duration)>, Vec<(String, Retry)>, Vec<(String, CircuitBreaker)>);

fn policies(mut fields: Fields<'_>) -> Policies {
    let timeouts = fields.fields("timeouts").map(timeouts).unwrap_or_default();
    let (retries, breakers) = (named(&mut fields, "retries", retry), named(&mut fields, "circuitBreakers", breaker));
    fields.finish();
    (timeouts, retries, breakers)
}

/// Policies of one kind that can hold for a call.
fn named<'a, T>(
    fields: &mut Fields<'a>,
    kind: &'static str,
    read: impl Fn(Fields<'a>) -> Option<T>,
) -> Vec<(String, T)> {
    let all = fields.members(kind).into_iter().filter(|(name, it)| it_counts(name, it));
    all.filter_map(|(name, it)| Some((name, read(it)?))).collect()
}

/// Dapr's own policies; each can be written anew but the last one.
const BUILT_IN: [&str; 5] = [
    "DaprBuiltInServiceRetries",
    "DaprBuiltInActorRetries",
    "DaprBuiltInActorReminderRetries",
    "DaprBuiltInInitializationRetries",
    "DaprBuiltInActorNotFoundRetries",
];

/// Whether a policy of that name can hold for a call. Those that Dapr itself has cannot be changed here: between
/// applications they are the mesh's, and the others are for what Weft has not. For actors and components there is none yet.
fn it_counts(name: &str, fields: &Fields<'_>) -> bool {
    if name.starts_with("DaprBuiltIn") {
        let why = match BUILT_IN.iter().position(|known| *known == name) {
            Some(0) => {
                "is not supported: connections to applications are tried again as the mesh's routes say, so write it there (VirtualService: retries; Envoy: retry_policy) and remove it"
            }
            Some(_) => {
                let why = "has no effect: Weft serves no actors, and tries to reach a component until it is there";
                fields.remark(&fields.place(), "", why);
                return false;
            }
            None => "is no policy of Dapr's, and its name is kept for those; rename it",
        };
        fields.problem(&fields.place(), "", why);
        return false;
    }
    let is_default = name.starts_with("Default") && name.ends_with("Policy");
    if is_default && name.contains("Actor") {
        fields.remark(&fields.place(), "", "has no effect: it is for actors");
    }
    true
}

fn timeouts(fields: Fields<'_>) -> Vec<(String, Duration)> {
    let mut known = Vec::new();
    for (name, text) in fields.all_pairs() {
        match parse_component_duration(&text.value) {
            Some(timeout) if timeout <= LONGEST => known.push((name, timeout)),
            _ => fields.problem(&text.place, &name, &not_a_duration(&text)),
        }
    }
    known
}

/// What Envoy's headers and our numbers hold.
const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

fn not_a_duration(text: &Text) -> String {
    format!("is {:?}, which is no duration up to 49 days such as 500ms, or a number of milliseconds", text.value)
}

fn duration(fields: &mut Fields<'_>, name: &'static str, default: Duration) -> Option<Duration> {
    let Some(text) = fields.text(name) else { return Some(default) };
    let read = parse_component_duration(&text.value).filter(|it| *it <= LONGEST);
    if read.is_none() {
        fields.problem(&text.place, name, &not_a_duration(&text));
    }
    read
}

fn retry(mut fields: Fields<'_>) -> Option<Retry> {
    let policy = fields.text("policy");
    let constant = duration(&mut fields, "duration", Duration::from_secs(5));
    let exponential = duration(&mut fields, "maxInterval", Duration::from_secs(60));
    let most = fields.parsed::<i64>("maxRetries", "a whole number").unwrap_or(-1);
    let (http, grpc) = fields.fields("matching").map(matching).unwrap_or_default();
    let pause = match policy.as_ref().map(|text| text.value.as_str()) {
        None | Some("constant") => constant.map(Pause::Constant),
        Some("exponential") => exponential.map(Pause::Exponential),
        Some(other) => {
            if let Some(text) = &policy {
                fields.problem(&text.place, "policy", &format!("is {other:?}; write constant or exponential"));
            }
            None
        }
    };
    fields.finish();
    // Negative numbers mean no end, and so does what Envoy cannot count.
    Some(Retry { pause: pause?, most: u32::try_from(most).ok(), http, grpc })
}

fn matching(mut fields: Fields<'_>) -> (Option<Codes>, Option<Codes>) {
    let codes = (codes(&mut fields, "httpStatusCodes", 100, 599), codes(&mut fields, "gRPCStatusCodes", 0, 16));
    fields.finish();
    codes
}

fn codes(fields: &mut Fields<'_>, name: &'static str, least: u32, most: u32) -> Option<Codes> {
    let text = fields.text(name).filter(|text| !text.value.trim().is_empty())?;
    let codes = Codes::parse(&text.value, least, most);
    if codes.is_none() {
        let why = format!("is {:?}; write numbers and ranges from {least} to {most}, such as 429,500-599", text.value);
        fields.problem(&text.place, name, &why);
    }
    codes
}

fn breaker(mut fields: Fields<'_>) -> Option<CircuitBreaker> {
    let max_requests = fields.parsed::<u32>("maxRequests", "a whole number").unwrap_or(1).max(1);
    let interval = duration(&mut fields, "interval", Duration::ZERO);
    let timeout = duration(&mut fields, "timeout", Duration::from_millis(DEFAULT_BREAKER_TIMEOUT_MS.into()));
    let trip = fields.text("trip").filter(|text| !text.value.trim().is_empty());
    if let Some(text) = &trip
        && let Err(why) = trip::check(&text.value)
    {
        fields.problem(&text.place, "trip", why);
        fields.finish();
        return None;
    }
    fields.finish();
    Some(CircuitBreaker {
        trip: trip.map_or_else(|| "consecutiveFailures > 5".to_owned(), |text| text.value),
        max_requests,
        interval_ms: millis(interval?),
        timeout_ms: millis(timeout?).max(1),
        cache_size: DEFAULT_BREAKER_CACHE,
    })
}

/// Milliseconds, as the plugin's configuration has them.
pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn targets(mut fields: Fields<'_>) -> (Vec<Target>, Vec<Component>) {
    let apps = fields.members("apps").into_iter().map(|(app, it)| target(app, it)).collect();
    let components = fields.members("components").into_iter().map(|(name, it)| component(name, it)).collect();
    if let Some(place) = fields.place_of("actors") {
        fields.remark(&place, "actors", "has no effect: Weft serves no actors");
    }
    fields.finish();
    (apps, components)
}

fn component(name: String, mut fields: Fields<'_>) -> Component {
    let mut direction = |way: &'static str| fields.fields(way).map(|it| target(format!("{name}.{way}"), it));
    let (inbound, outbound) = (direction("inbound"), direction("outbound"));
    fields.finish();
    Component { name, inbound, outbound }
}

fn target(app: String, mut fields: Fields<'_>) -> Target {
    let (timeout, retry, breaker) = (fields.text("timeout"), fields.text("retry"), fields.text("circuitBreaker"));
    let mut cache_size = fields.parsed("circuitBreakerCacheSize", "a whole number");
    if cache_size.is_some_and(|size| size == 0 || size > LARGEST_BREAKER_CACHE)
        && let Some(place) = fields.place_of("circuitBreakerCacheSize")
    {
        let why = format!("is out of bounds; write a number from 1 to {LARGEST_BREAKER_CACHE}");
        fields.problem(&place, "circuitBreakerCacheSize", &why);
        cache_size = None;
    }
    fields.finish();
    let name = |text: Option<Text>| text.filter(|text| !text.value.is_empty());
    Target { app, cache_size, timeout: name(timeout), retry: name(retry), breaker: name(breaker) }
}

#[cfg(test)]
mod tests;
