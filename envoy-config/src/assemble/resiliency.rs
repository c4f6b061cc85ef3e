//! From Dapr's policies of calls to what the filter and the proxy's router need.

use crate::bootstrap::{Again, CallRules};
use crate::problem::Problems;
use crate::resources::{Codes, Pause, Resiliency, Retry, Target, millis};
use crate::yaml::Text;
use std::collections::BTreeMap;
use std::time::Duration;
use weft_core::config::{self, CallPolicy, CircuitBreaker, ComponentPolicies, ComponentPolicy, ComponentRetry};

/// gRPC statuses that Envoy's `x-envoy-retry-grpc-on` has words for.
const GRPC: [(u32, &str); 5] =
    [(1, "cancelled"), (4, "deadline-exceeded"), (8, "resource-exhausted"), (13, "internal"), (14, "unavailable")];
/// What an HTTP status list has to hold for calls that got no answer to be tried again: what Envoy answers for them.
const NO_ANSWER: [u32; 2] = [503, 504];
/// The same for gRPC.
const UNAVAILABLE: u32 = 14;
const LOST: &str = "connect-failure,refused-stream,reset";
/// After this time Dapr gives up an exponential retry.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The first pause of an exponential retry, and how much longer each one is than the one before.
const FIRST: Duration = Duration::from_millis(500);
const GROWTH: f64 = 1.5;

/// All policies that hold for one application's calls. Of several of one name, the last one counts.
#[derive(Default)]
struct Policies<'a> {
    timeouts: BTreeMap<&'a str, Duration>,
    retries: BTreeMap<&'a str, &'a Retry>,
    breakers: BTreeMap<&'a str, &'a CircuitBreaker>,
}

/// What an application's calls are made by. `resources` are those that are for it.
pub(super) fn compile<'a>(
    resources: impl Iterator<Item = &'a Resiliency>,
    components: &[config::Component],
    problems: &Problems,
) -> CallRules {
    let resources: Vec<&Resiliency> = resources.collect();
    let mut all = Policies::default();
    for it in &resources {
        all.timeouts.extend(it.timeouts.iter().map(|(name, timeout)| (name.as_str(), *timeout)));
        all.retries.extend(it.retries.iter().map(|(name, retry)| (name.as_str(), retry)));
        all.breakers.extend(it.breakers.iter().map(|(name, breaker)| (name.as_str(), breaker)));
    }
    let mut rules = CallRules::default();
    for it in &resources {
        for target in &it.apps {
            let rule = all.rule(target, &it.subject(), problems);
            rules.plugin.apps.insert(target.app.clone(), rule.0);
            rules.apps.insert(target.app.clone(), rule.1);
        }
    }
    if let Some((policy, again)) = all.default_rule() {
        rules.plugin.others = Some(policy);
        rules.others = again;
    }
    for component in components {
        let named = resources.iter().rev().find_map(|it| {
            let target = it.components.iter().rev().find(|target| target.name == component.name)?;
            Some((it.subject(), target))
        });
        let way = |way: Way, target: Option<&Target>| {
            let target = target.zip(named.as_ref().map(|(subject, _)| subject.as_str()));
            all.of_component(&component.kind, way, target, problems)
        };
        let is_broker = component.kind.starts_with("pubsub.");
        let policies = ComponentPolicies {
            inbound: way(Way::Inbound, named.as_ref().and_then(|it| it.1.inbound.as_ref())).filter(|_| is_broker),
            outbound: way(Way::Outbound, named.as_ref().and_then(|it| it.1.outbound.as_ref())),
        };
        if policies != ComponentPolicies::default() {
            rules.plugin.components.insert(component.name.clone(), policies);
        }
    }
    rules
}

/// Whether a component is asked or asks.
#[derive(Debug, Clone, Copy)]
enum Way {
    Inbound,
    Outbound,
}

/// Names of default policies of a kind for a component, the nearest one first.
fn component_defaults(component: &str, way: Way, kind: &str) -> [String; 4] {
    let of_type = if component.starts_with("pubsub.") { "Pubsub" } else { "Statestore" };
    let way = match way {
        Way::Inbound => "Inbound",
        Way::Outbound => "Outbound",
    };
    [
        format!("Default{of_type}Component{way}{kind}Policy"),
        format!("DefaultComponent{way}{kind}Policy"),
        format!("DefaultComponent{kind}Policy"),
        format!("Default{kind}Policy"),
    ]
}

type Rule = (CallPolicy, Option<Again>);

/// Names of policies that hold where a target names none, the nearest one first.
const TIMEOUTS: [&str; 2] = ["DefaultAppTimeoutPolicy", "DefaultTimeoutPolicy"];
const RETRIES: [&str; 2] = ["DefaultAppRetryPolicy", "DefaultRetryPolicy"];
const BREAKERS: [&str; 2] = ["DefaultAppCircuitBreakerPolicy", "DefaultCircuitBreakerPolicy"];

impl Policies<'_> {
    fn rule(&self, target: &Target, subject: &str, problems: &Problems) -> Rule {
        let unknown = |kind: &str, text: &Text| {
            let what = format!("{subject}: spec.targets.apps.{}.{kind} names no policy, {:?}", target.app, text.value);
            problems.add(&text.place, what);
        };
        let timeout = chosen(&self.timeouts, &target.timeout, TIMEOUTS, |text| unknown("timeout", text));
        let retry = chosen(&self.retries, &target.retry, RETRIES, |text| unknown("retry", text));
        let breaker = chosen(&self.breakers, &target.breaker, BREAKERS, |text| unknown("circuitBreaker", text));
        rule(timeout, retry, breaker, target.cache_size)
    }

    /// What holds for a component; a retry policy that goes by statuses is for calls only.
    fn of_component(
        &self,
        component: &str,
        way: Way,
        target: Option<(&Target, &str)>,
        problems: &Problems,
    ) -> Option<ComponentPolicy> {
        let tell = |kind: &str, text: &Text, why: &str| {
            let (name, subject) = target.map_or(("", ""), |(target, subject)| (target.app.as_str(), subject));
            problems
                .add(&text.place, format!("{subject}: spec.targets.components.{name}.{kind} {why}, {:?}", text.value));
        };
        let unknown = |kind: &str, text: &Text| tell(kind, text, "names no policy");
        let (target, none) = (target.map(|(target, _)| target), None);
        let defaults = |kind: &str| component_defaults(component, way, kind);
        let named = |pick: fn(&Target) -> &Option<Text>| target.map_or(&none, pick);
        let timeout = chosen(&self.timeouts, named(|it| &it.timeout), defaults("Timeout"), |it| unknown("timeout", it));
        let retry = chosen(&self.retries, named(|it| &it.retry), defaults("Retry"), |it| unknown("retry", it));
        let breaker = chosen(&self.breakers, named(|it| &it.breaker), defaults("CircuitBreaker"), |it| {
            unknown("circuitBreaker", it)
        });
        let by_status = retry.is_some_and(|retry| retry.http.is_some() || retry.grpc.is_some());
        if let (true, Some(text)) = (by_status, named(|it| &it.retry)) {
            tell(
                "retry",
                text,
                "names a policy with matching, which components have no statuses for; name another one",
            );
        }
        let policy = ComponentPolicy {
            timeout_ms: timeout.map(millis).filter(|millis| *millis > 0),
            retry: retry.filter(|_| !by_status).map(component_retry),
            circuit_breaker: breaker.cloned(),
        };
        (policy != ComponentPolicy::default()).then_some(policy)
    }

    fn default_rule(&self) -> Option<Rule> {
        let (timeout, retry) = (default(&self.timeouts, TIMEOUTS), default(&self.retries, RETRIES));
        let breaker = default(&self.breakers, BREAKERS);
        let is_any = timeout.is_some() || retry.is_some() || breaker.is_some();
        is_any.then(|| rule(timeout, retry, breaker, None))
    }
}

/// The policy that a target names, or the default where it names none. A name that stands for nothing is told.
fn chosen<T: Copy>(
    policies: &BTreeMap<&str, T>,
    named: &Option<Text>,
    defaults: impl IntoIterator<Item = impl AsRef<str>>,
    unknown: impl FnOnce(&Text),
) -> Option<T> {
    let Some(text) = named else { return default(policies, defaults) };
    let policy = policies.get(text.value.as_str()).copied();
    if policy.is_none() {
        unknown(text);
    }
    policy
}

/// The policy of the first of the names that there is.
fn default<T: Copy>(policies: &BTreeMap<&str, T>, names: impl IntoIterator<Item = impl AsRef<str>>) -> Option<T> {
    names.into_iter().find_map(|name| policies.get(name.as_ref())).copied()
}

fn component_retry(retry: &Retry) -> ComponentRetry {
    let (pause_ms, max_pause_ms) = match retry.pause {
        Pause::Constant(pause) => (millis(pause), None),
        Pause::Exponential(longest) => (millis(FIRST), Some(millis(longest))),
    };
    ComponentRetry { max_retries: retry.most, pause_ms, max_pause_ms }
}

fn rule(
    timeout: Option<Duration>,
    retry: Option<&Retry>,
    breaker: Option<&CircuitBreaker>,
    cache_size: Option<u32>,
) -> Rule {
    let policy = CallPolicy {
        // None at all, as in Dapr.
        timeout_ms: timeout.map(millis).filter(|millis| *millis > 0),
        retry: retry.map(plugin_retry),
        circuit_breaker: breaker
            .map(|it| CircuitBreaker { cache_size: cache_size.unwrap_or(it.cache_size), ..it.clone() }),
    };
    (policy, retry.map(again))
}

fn plugin_retry(retry: &Retry) -> config::Retry {
    let (on, status_codes) = http(retry.http.as_ref());
    let (grpc_on, grpc_statuses) = grpc(retry.grpc.as_ref());
    config::Retry { max_retries: most(retry), on, status_codes, grpc_on: Some(grpc_on), grpc_statuses }
}

/// Words and codes for HTTP. What is no error to Dapr, 200 to 399, is never tried again.
fn http(codes: Option<&Codes>) -> (String, Option<String>) {
    let is_listed = |code: &u32| codes.is_none_or(|codes| codes.has(*code));
    let mut listed: Vec<u32> = (100..600).filter(|code| !(200..400).contains(code)).filter(is_listed).collect();
    let mut on = Vec::new();
    if (500..600).all(|code| listed.contains(&code)) {
        on.push("5xx");
        listed.retain(|code| *code < 500);
    } else if NO_ANSWER.iter().any(|code| listed.contains(code)) {
        on.push(LOST);
    }
    // Envoy passes no status below 200 on as an answer.
    listed.retain(|code| *code >= 400);
    if !listed.is_empty() {
        on.push("retriable-status-codes");
    }
    // A word has to be there, and this one asks for nothing without codes.
    let on = if on.is_empty() { "retriable-status-codes".to_owned() } else { on.join(",") };
    let codes = listed.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    (on, (!codes.is_empty()).then_some(codes))
}

/// Words for gRPC; those statuses that have none are for the route ([`Again::grpc`]).
fn grpc(codes: Option<&Codes>) -> (String, Option<String>) {
    let is_listed = |code: u32| codes.is_none_or(|codes| codes.has(code));
    let on = if is_listed(UNAVAILABLE) { format!("{LOST},retriable-headers") } else { "retriable-headers".to_owned() };
    let words = GRPC.iter().filter(|(code, _)| is_listed(*code)).map(|(_, word)| *word).collect::<Vec<_>>().join(",");
    (on, (!words.is_empty()).then_some(words))
}

fn most(retry: &Retry) -> u32 {
    let most = retry.most.unwrap_or(u32::MAX);
    match retry.pause {
        Pause::Constant(_) => most,
        Pause::Exponential(longest) => most.min(within(longest)),
    }
}

/// How many pauses there are until Dapr gives up.
fn within(longest: Duration) -> u32 {
    let (mut pause, mut passed, mut count) = (FIRST.min(longest), Duration::ZERO, 0);
    while passed + pause <= LONGEST && count < u32::from(u16::MAX) {
        passed += pause.max(Duration::from_millis(1));
        pause = pause.mul_f64(GROWTH).min(longest);
        count += 1;
    }
    count
}

fn again(retry: &Retry) -> Again {
    let listed = |code: &u32| retry.grpc.as_ref().is_none_or(|codes| codes.has(*code));
    let grpc = (1..=16).filter(listed).collect();
    match retry.pause {
        Pause::Constant(pause) => Again { first: pause, longest: pause, grpc },
        Pause::Exponential(longest) => Again { first: FIRST.min(longest), longest, grpc },
    }
}

#[cfg(test)]
mod tests;
