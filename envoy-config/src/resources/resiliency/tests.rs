use super::*;
use crate::resources::tests::read;

const HEAD: &str = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\n";

fn one(text: &str) -> Resiliency {
    let (resources, found) = read(&format!("{HEAD}{text}"));
    assert_eq!(found, [""; 0]);
    resources.resiliencies[0].clone()
}

#[test]
fn a_whole_resource_is_read() {
    let it = one("scopes: [a]
spec:
  policies:
    timeouts: {fast: 500ms, slow: 2000}
    retries:
      some: {policy: constant, duration: 1s, maxRetries: 3, matching: {httpStatusCodes: '429,500-502', gRPCStatusCodes: '1-2,8'}}
      all: {policy: exponential, maxInterval: 15s}
    circuitBreakers:
      cb: {maxRequests: 2, interval: 8s, timeout: 45s, trip: consecutiveFailures >= 3}
      plain: {}
  targets:
    apps: {b: {timeout: fast, retry: some, circuitBreaker: cb, circuitBreakerCacheSize: 7}}
    actors: {}
");
    assert!(it.is_for("a", "default") && !it.is_for("b", "default"));
    let millis = |millis| Duration::from_millis(millis);
    assert_eq!(it.timeouts, [("fast".to_owned(), millis(500)), ("slow".to_owned(), millis(2000))]);
    let some = Retry {
        pause: Pause::Constant(millis(1000)),
        most: Some(3),
        http: Some([429, 500, 501, 502].into_iter().collect()),
        grpc: Some([1, 2, 8].into_iter().collect()),
    };
    let all = Retry { pause: Pause::Exponential(millis(15_000)), most: None, http: None, grpc: None };
    assert_eq!(it.retries, [("some".to_owned(), some), ("all".to_owned(), all)]);
    let named = |trip: &str, max_requests, interval_ms, timeout_ms| CircuitBreaker {
        trip: trip.to_owned(),
        max_requests,
        interval_ms,
        timeout_ms,
        cache_size: 100,
    };
    let cb = named("consecutiveFailures >= 3", 2, 8000, 45_000);
    assert_eq!(
        it.breakers,
        [("cb".to_owned(), cb), ("plain".to_owned(), named("consecutiveFailures > 5", 1, 0, 60_000))]
    );
    assert_eq!((it.apps[0].app.as_str(), it.apps[0].cache_size), ("b", Some(7)));
}

#[test]
fn everything_that_is_wrong_is_told() {
    let (_, found) = read(&format!(
        "{HEAD}spec:
  policies:
    timeouts: {{bad: soon}}
    retries:
      a: {{policy: sometimes}}
      b: {{maxRetries: many, matching: {{httpStatusCodes: '700'}}}}
    circuitBreakers:
      c: {{trip: failures > 1}}
  targets:
    apps: {{b: {{circuitBreakerCacheSize: 0}}}}
    components: {{s: {{outbound: {{retry: a}}, both: {{}}}}}}
"
    ));
    let wanted = [
        "r.yaml:6: Resiliency \"r\": spec.policies.timeouts.bad is \"soon\", which is no duration",
        "r.yaml:8: Resiliency \"r\": spec.policies.retries.a.policy is \"sometimes\"; write constant or exponential",
        "r.yaml:9: Resiliency \"r\": spec.policies.retries.b.matching.httpStatusCodes is \"700\"; write numbers",
        "r.yaml:9: Resiliency \"r\": spec.policies.retries.b.maxRetries is \"many\"",
        "r.yaml:11: Resiliency \"r\": spec.policies.circuitBreakers.c.trip holds what is neither",
        "r.yaml:13: Resiliency \"r\": spec.targets.apps.b.circuitBreakerCacheSize is out of bounds",
        "r.yaml:14: Resiliency \"r\": spec.targets.components.s.both is not",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
}

#[test]
fn policies_that_dapr_has_itself_are_refused_or_have_no_effect() {
    let policies = "
spec:
  policies:
    retries:
      DaprBuiltInServiceRetries: {maxRetries: 5}
      DaprBuiltInActorRetries: {maxRetries: 5}
      DaprBuiltInInitializationRetries: {maxRetries: 5}
      DaprBuiltInRetries: {}
      DefaultActorRetryPolicy: {}
    timeouts: {DefaultComponentTimeoutPolicy: 1s}
";
    let problems = crate::problem::Problems::default();
    let it = crate::resources::read_text(&format!("{HEAD}{policies}"), &problems);
    let line = |path: &str| format!("Resiliency \"r\": spec.policies.{path} ");
    let says = |all: &[String], path: &str, why: &str| {
        let wanted = format!("{}{why}", line(path));
        assert!(all.iter().any(|found| found.contains(&wanted)), "{wanted}\n{all:#?}");
    };
    let remarks: Vec<String> = problems.remarks().iter().map(ToString::to_string).collect();
    says(&remarks, "retries.DaprBuiltInActorRetries", "has no effect: Weft serves no actors");
    says(&remarks, "retries.DaprBuiltInInitializationRetries", "has no effect: ");
    says(&remarks, "retries.DefaultActorRetryPolicy", "has no effect: it is for actors");
    assert_eq!(it.resiliencies[0].retries.len(), 1);
    let found: Vec<String> = problems.check(()).unwrap_err().iter().map(ToString::to_string).collect();
    says(&found, "retries.DaprBuiltInServiceRetries", "is not supported: connections to applications are tried again");
    says(&found, "retries.DaprBuiltInRetries", "is no policy of Dapr's");
    assert_eq!(found.len(), 2, "{found:#?}");
}
