use super::*;
use crate::bootstrap::{Admin, App, Outside, Proxy};
use crate::resources::read_text;
use serde_json::{Value, json};
use weft_core::config::Invoke;

const HEAD: &str = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\nspec:\n";

fn compiled(text: &str) -> (CallRules, Vec<String>) {
    compiled_for(text, &[])
}

fn compiled_for(text: &str, components: &[config::Component]) -> (CallRules, Vec<String>) {
    let problems = Problems::default();
    let resources = read_text(&format!("{HEAD}{text}"), &problems);
    let rules = compile(resources.resiliencies.iter(), components, &problems);
    let found = problems.check(()).err().unwrap_or_default();
    (rules, found.iter().map(ToString::to_string).collect())
}

fn plugin(text: &str) -> Value {
    let (rules, found) = compiled(text);
    assert_eq!(found, [""; 0]);
    serde_json::to_value(&rules.plugin).unwrap()
}

fn all_client_errors() -> String {
    (400..500).map(|code: u32| code.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn without_matching_every_error_is_tried_again() {
    let got = plugin(
        "  policies: {timeouts: {t: 2s}, retries: {r: {maxRetries: 3}}}
  targets: {apps: {b: {timeout: t, retry: r}}}",
    );
    let retry = json!({
        "maxRetries": 3,
        "on": "5xx,retriable-status-codes",
        "statusCodes": all_client_errors(),
        "grpcOn": "connect-failure,refused-stream,reset,retriable-headers",
        "grpcStatuses": "cancelled,deadline-exceeded,resource-exhausted,internal,unavailable",
    });
    assert_eq!(got, json!({"apps": {"b": {"timeoutMs": 2000, "retry": retry}}}));
}

#[test]
fn with_matching_only_what_is_listed_is() {
    let retry = |codes: &str| {
        let text = format!(
            "  policies: {{retries: {{r: {{maxRetries: 1, matching: {codes}}}}}}}\n  targets: {{apps: {{b: {{retry: r}}}}}}"
        );
        plugin(&text)["apps"]["b"]["retry"].clone()
    };
    let got = retry("{httpStatusCodes: '200,304,429,502', gRPCStatusCodes: '1-4'}");
    assert_eq!((&got["on"], &got["statusCodes"]), (&json!("retriable-status-codes"), &json!("429,502")));
    assert_eq!(
        (&got["grpcOn"], &got["grpcStatuses"]),
        (&json!("retriable-headers"), &json!("cancelled,deadline-exceeded"))
    );
    let got = retry("{httpStatusCodes: '503'}");
    let lost = "connect-failure,refused-stream,reset,retriable-status-codes";
    assert_eq!((&got["on"], &got["statusCodes"]), (&json!(lost), &json!("503")));
    let got = retry("{httpStatusCodes: '500-599'}");
    assert_eq!((&got["on"], &got["statusCodes"]), (&json!("5xx"), &Value::Null));
    let got = retry("{httpStatusCodes: '200-399'}");
    assert_eq!((&got["on"], &got["statusCodes"]), (&json!("retriable-status-codes"), &Value::Null));
}

#[test]
fn tries_without_end_end_where_daprs_do() {
    let most = |retry: &str| {
        let text = format!("  policies: {{retries: {{DefaultRetryPolicy: {retry}}}}}");
        plugin(&text)["others"]["retry"]["maxRetries"].as_u64().unwrap()
    };
    assert_eq!(most("{}"), u64::from(u32::MAX));
    assert_eq!(most("{maxRetries: 0}"), 0);
    // 0.5 s and so on up to 60 s, then one a minute: 15 minutes.
    assert_eq!(most("{policy: exponential}"), 24);
    assert_eq!(most("{policy: exponential, maxInterval: 100ms}"), 9000);
    assert_eq!(most("{policy: exponential, maxRetries: 2}"), 2);
}

#[test]
fn defaults_hold_where_a_target_says_nothing_and_the_nearer_one_goes_first() {
    let got = plugin(
        "  policies:
    timeouts: {DefaultTimeoutPolicy: 1s, DefaultAppTimeoutPolicy: 2s, DefaultComponentTimeoutPolicy: 3s, own: 4s}
    circuitBreakers: {DefaultCircuitBreakerPolicy: {}}
  targets: {apps: {b: {timeout: own, circuitBreakerCacheSize: 5}}}",
    );
    let breaker = |size| {
        json!({
            "trip": "consecutiveFailures > 5", "maxRequests": 1, "intervalMs": 0, "timeoutMs": 60000, "cacheSize": size,
        })
    };
    assert_eq!(got["apps"]["b"], json!({"timeoutMs": 4000, "circuitBreaker": breaker(5)}));
    assert_eq!(got["others"], json!({"timeoutMs": 2000, "circuitBreaker": breaker(100)}));
}

#[test]
fn a_policy_that_is_not_there_is_told() {
    let (_, found) = compiled("  targets: {apps: {b: {timeout: t, retry: r, circuitBreaker: c}}}");
    let line = |what: &str| format!("r.yaml:5: Resiliency \"r\": spec.targets.apps.b.{what}");
    let wanted = [
        line("circuitBreaker names no policy, \"c\""),
        line("retry names no policy, \"r\""),
        line("timeout names no policy, \"t\""),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn the_router_pauses_as_the_policy_says_for_each_target() {
    let (rules, _) = compiled(
        "  policies:
    retries: {c: {duration: 1s}, e: {policy: exponential, maxInterval: 10s, matching: {gRPCStatusCodes: '3'}}}
  targets: {apps: {b: {retry: c}, 'http://host:81/x': {retry: e}, unknown: {retry: e}}}",
    );
    let mut apps = vec![App::new("a", 1, 2, Some(3)), App::new("b", 4, 5, Some(6))];
    apps[0].rules = rules;
    let (elsewhere, outside) = (Invoke::default(), Outside::default());
    let (module, backends, admin) = ("weft.wasm".into(), Vec::new(), Admin::Off);
    let proxy = Proxy { module, apps, elsewhere, outside, backends, workers: 1, admin };
    let all = proxy.bootstrap();
    let routes = all.pointer(
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes",
    );
    let routes = routes.and_then(Value::as_array).unwrap();
    let told: Vec<(&Value, &Value)> = routes
        .iter()
        .map(|route| {
            (&route["match"]["headers"][1]["string_match"]["exact"], &route["route"]["retry_policy"]["retry_back_off"])
        })
        .collect();
    let pauses = |first, longest| json!({"base_interval": first, "max_interval": longest});
    assert_eq!(told[0], (&json!("b"), &pauses("2s", "2s")));
    assert_eq!(told[1], (&json!("host:81"), &pauses("1s", "20s")));
    assert_eq!((told.len(), told[2]), (4, (&Value::Null, &Value::Null)));
    let clusters = all["static_resources"]["clusters"].as_array().unwrap();
    assert!(clusters.iter().all(|it| it["circuit_breakers"]["thresholds"][0]["max_retries"] == u32::MAX));
}

fn component(name: &str, kind: &str) -> config::Component {
    let (name, kind, version) = (name.to_owned(), kind.to_owned(), "v1".to_owned());
    config::Component { name, kind, version, cluster: None, metadata: Default::default() }
}

#[test]
fn components_have_policies_of_both_directions_and_the_nearest_defaults() {
    let components = [component("bus", "pubsub.redis"), component("store", "state.redis")];
    let (rules, found) = compiled_for(
        "  policies:
    timeouts: {t: 2s, DefaultComponentTimeoutPolicy: 3s, DefaultPubsubComponentInboundTimeoutPolicy: 4s}
    retries: {r: {maxRetries: 3, duration: 10ms}, e: {policy: exponential, maxInterval: 5s}}
    circuitBreakers: {c: {trip: consecutiveFailures > 2}}
  targets:
    components:
      bus: {inbound: {retry: r}, outbound: {retry: e, timeout: t}}
      store: {outbound: {circuitBreaker: c}}
      nobody: {outbound: {retry: r}}
",
        &components,
    );
    assert_eq!(found, [""; 0]);
    let breaker = json!({"trip": "consecutiveFailures > 2", "maxRequests": 1, "intervalMs": 0, "timeoutMs": 60000,
        "cacheSize": 100});
    let expected = json!({
        "bus": {
            "inbound": {"timeoutMs": 4000, "retry": {"maxRetries": 3, "pauseMs": 10}},
            "outbound": {"timeoutMs": 2000, "retry": {"pauseMs": 500, "maxPauseMs": 5000}},
        },
        "store": {"outbound": {"timeoutMs": 3000, "circuitBreaker": breaker}},
    });
    assert_eq!(serde_json::to_value(&rules.plugin.components).unwrap(), expected);
}

#[test]
fn a_policy_by_status_is_refused_for_a_component() {
    let text = "  policies: {retries: {r: {matching: {httpStatusCodes: '500'}}}}
  targets: {components: {bus: {inbound: {retry: r}}}}";
    let (_, found) = compiled_for(text, &[component("bus", "pubsub.redis")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("spec.targets.components.bus.inbound.retry names a policy with matching"), "{found:?}");
}
