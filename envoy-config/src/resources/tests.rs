use super::*;
use crate::problem::Problem;
use std::fs;
use weft_core::config::BulkSubscribe;

/// Reads resources with an environment of one variable.
pub(super) fn read(text: &str) -> (Resources, Vec<String>) {
    let problems = Problems::default();
    let mut resources = Resources::default();
    for document in yaml::read(&Arc::from(Path::new("r.yaml")), text, &problems) {
        resources.add(&document, &problems);
    }
    let environment = |name: &str| (name == "PASSWORD").then(|| "from-env".to_owned());
    resources.complete(&environment, &problems);
    let found = problems.check(()).err().unwrap_or_default();
    (resources, found.iter().map(Problem::to_string).collect())
}

pub(super) fn faults(text: &str) -> Vec<String> {
    read(text).1
}

pub(super) fn component(spec: &str) -> String {
    format!("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: store}}\n{spec}")
}

pub(super) fn values(resources: &Resources) -> Vec<(&str, &str)> {
    let metadata = &resources.components[0].metadata;
    metadata
        .iter()
        .map(|item| match &item.value {
            Source::Plain(value) => (item.name.as_str(), value.as_str()),
            Source::Secret { .. } | Source::Environment(_) => panic!("not resolved"),
        })
        .collect()
}

#[test]
fn a_component_is_read_with_its_values_as_they_were_written() {
    let text = component(
        "spec:
  type: state.redis
  version: v1
  ignoreErrors: true
  initTimeout: 5s
  metadata:
  - {name: redisHost, value: \"localhost:6379\"}
  - {name: redisDB, value: 0}
  - {name: ttlInSeconds, value: 1e3}
  - name: actorStateStore
    value: true
  - name: empty
scopes: [a, b]
",
    );
    let (resources, found) = read(&text);
    assert_eq!(found, [""; 0]);
    let component = &resources.components[0];
    assert_eq!((component.name.as_str(), component.kind.value.as_str()), ("store", "state.redis"));
    let wanted = [
        ("redisHost", "localhost:6379"),
        ("redisDB", "0"),
        ("ttlInSeconds", "1e3"),
        ("actorStateStore", "true"),
        ("empty", ""),
    ];
    assert_eq!(values(&resources), wanted);
    assert!(component.is_for("a", "default") && !component.is_for("c", "default"));
}

#[test]
fn of_settings_of_one_name_the_last_counts_and_the_others_are_remarked() {
    let text = component(
        "spec:
  type: state.redis
  metadata:
  - {name: redisHost, value: one}
  - {name: redisDB, value: 1}
  - {name: REDISHOST, value: two}
",
    );
    let problems = Problems::default();
    let resources = read_text(&text, &problems);
    assert_eq!(values(&resources), [("redisDB", "1"), ("REDISHOST", "two")]);
    let remarks: Vec<String> = problems.remarks().iter().map(Problem::to_string).collect();
    let why = "has no effect: it stands at r.yaml:9 again";
    assert_eq!(remarks, [format!("r.yaml:7: Component \"store\": spec.metadata redisHost {why}")]);
}

#[test]
fn a_timeout_has_to_be_a_duration() {
    let timeout = |text: &str| faults(&component(&format!("spec: {{type: state.in-memory, initTimeout: {text}}}\n")));
    assert_eq!((timeout("1m30s"), timeout("0")), (Vec::new(), Vec::new()));
    for wrong in ["soon", "5", "-5s"] {
        let why = format!("spec.initTimeout is {wrong:?}, which is no duration, such as 5s or 1m30s");
        assert_eq!(timeout(wrong), [format!("r.yaml:4: Component \"store\": {why}")]);
    }
}

#[test]
fn a_resource_of_another_namespace_is_not_seen() {
    let text = component("spec: {type: state.in-memory}\n").replace("{name: store}", "{name: store, namespace: shop}");
    let component = read(&text).0.components.remove(0);
    assert!(component.is_for("any", "shop") && !component.is_for("any", "default"));
}

#[test]
fn several_documents_of_any_kind_may_be_in_one_file() {
    let text = [
        component("spec: {type: pubsub.in-memory}\n"),
        "apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: {name: one}
spec: {pubsubname: p, topic: t, route: /r, deadLetterTopic: dead, metadata: {rawPayload: true}}\n"
            .to_owned(),
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {name: two}
spec:
  pubsubname: p
  topic: t
  routes: {rules: [{match: '', path: /a}], default: /b}
  bulkSubscribe: {enabled: true, maxMessagesCount: 7, maxAwaitDurationMs: 40}
scopes: [a]\n"
            .to_owned(),
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: {tracing: {samplingRate: 0.50}}\n".to_owned(),
    ]
    .join("---\n");
    let (resources, found) = read(&text);
    assert_eq!(found, [""; 0]);
    let [one, two] = resources.subscriptions.as_slice() else { panic!() };
    assert_eq!(one.spec.routes.default.as_deref(), Some("/r"));
    assert_eq!(one.spec.dead_letter_topic.as_deref(), Some("dead"));
    assert_eq!(one.spec.metadata["rawPayload"], "true");
    assert_eq!(two.spec.routes.rules[0].path, "/a");
    let bulk = BulkSubscribe { enabled: true, max_messages_count: Some(7), max_await_duration_ms: Some(40) };
    assert_eq!((&one.spec.bulk_subscribe, &two.spec.bulk_subscribe), (&None, &Some(bulk)));
    assert!(two.is_for("a", "default") && !two.is_for("b", "default") && one.is_for("b", "default"));
    assert_eq!(resources.configurations[0].tracing.sampling_rate, "0.50");
}

#[test]
fn a_dead_letter_topic_is_not_the_subscriptions_own() {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: {name: one}
spec:\n  {pubsubname: p, topic: t, route: /r,\n   deadLetterTopic: t}\n";
    let found = read(text).1;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("r.yaml:6: ") && found[0].contains("deadLetterTopic is the subscription's own topic"));
}

#[test]
fn everything_wrong_is_told_at_once_with_file_line_and_name() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: store, colour: red}
spec:
  version: v1
  ignoreErrors: perhaps
  metadata:
  - value: x
  - {name: a, value: {b: c}}
  - {name: both, value: x, envRef: PASSWORD}
  extra: 1
---
apiVersion: dapr.io/v1alpha1
kind: Workflow
metadata: {name: r}
---
apiVersion: dapr.io/v9
kind: Subscription
---
kind: Component
---
- a list
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: sub}
spec:
  pubsubname: p
  topic: ''
  routes:
    rules:
    - {match: event.type == now(), path: /x}
  bulkSubscribe: {enabled: maybe}
";
    let wanted = [
        "r.yaml:3: Component: metadata.colour is not known; there may be name, namespace, labels, annotations, \
         creationTimestamp, uid, resourceVersion, generation",
        "r.yaml:5: Component \"store\": spec.type is missing",
        "r.yaml:6: Component \"store\": spec.ignoreErrors is \"perhaps\", which is not true or false",
        "r.yaml:8: Component \"store\": spec.metadata[0].name is missing",
        "r.yaml:9: Component \"store\": spec.metadata[1].value is a mapping where a single value should be",
        "r.yaml:10: Component \"store\": spec.metadata[2].value stands beside another source of the value; keep one",
        "r.yaml:11: Component \"store\": spec.extra is not known; there may be type, version, ignoreErrors, \
         initTimeout, metadata",
        "r.yaml:14: kind \"Workflow\" is not supported; Component, Subscription, Configuration, HTTPEndpoint and Resiliency are",
        "r.yaml:17: apiVersion \"dapr.io/v9\" of Subscription is not supported",
        "r.yaml:20: the document: apiVersion is missing",
        "r.yaml:22: the document is a list where a mapping should be",
        "r.yaml:29: Subscription \"sub\": spec.topic is empty",
        "r.yaml:32: Subscription \"sub\": spec.routes.rules[0].match cannot be used: the function `now` is not supported \
         (there are has, size, startsWith, endsWith, contains, matches, exists, all) at character 15",
        "r.yaml:33: Subscription \"sub\": spec.bulkSubscribe.enabled is \"maybe\", which is not true or false",
    ];
    assert_eq!(faults(text), wanted);
}

#[test]
fn a_configuration_is_taken_if_what_is_not_supported_is_off() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: c}
spec:
  tracing: {samplingRate: '1', stdout: false}
  mtls: {enabled: false, workloadCertTTL: 24h}
  metrics: {enabled: true}
  features: []
";
    assert_eq!(faults(text), [""; 0]);
}

#[test]
fn what_a_configuration_asks_for_in_vain_is_refused_by_name() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: c}
spec:
  tracing: {zipkin: {endpointAddress: 'http://z'}}
  mtls: {enabled: true}
  httpPipeline: {handlers: [{name: n, type: middleware.http.x}]}
  secrets: {scopes: [{storeName: s}]}
";
    let found = faults(text);
    let names = ["5: Configuration \"c\": spec.tracing.zipkin", "6: Configuration \"c\": spec.mtls.enabled"];
    let more = ["7: Configuration \"c\": spec.httpPipeline", "8: Configuration \"c\": spec.secrets"];
    for (found, wanted) in found.iter().zip(names.into_iter().chain(more)) {
        assert!(found.starts_with(&format!("r.yaml:{wanted} is not supported: ")), "{found}");
    }
    assert_eq!(found.len(), 4);
}

#[test]
fn a_collector_of_spans_is_read_and_what_is_wrong_with_one_is_told() {
    let configuration = |otel: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: c}}\nspec:\n  tracing: {{otel: {otel}}}\n"
        )
    };
    let (resources, found) = read(&configuration(
        "{endpointAddress: 'otel.example:4317', protocol: grpc, timeout: 3s, headers: [{name: x-key, value: s3cret}]}",
    ));
    assert_eq!(found, [""; 0]);
    let otel = resources.configurations[0].otel.clone().unwrap();
    assert_eq!((otel.host.as_str(), otel.port, otel.is_secure), ("otel.example", 4317, true));
    assert_eq!((otel.timeout.as_secs(), otel.headers.len()), (3, 1));
    assert!(!format!("{otel:?}").contains("s3cret"));
    for (otel, wanted) in [
        ("{protocol: grpc}", "endpointAddress is missing"),
        ("{endpointAddress: 'h:1'}", "protocol is missing"),
        ("{endpointAddress: 'h:1', protocol: thrift}", "protocol is \"thrift\"; write grpc or http"),
        (
            "{endpointAddress: 'http://h:1', protocol: http}",
            "endpointAddress is \"http://h:1\", which is not <host>:<port>; isSecure says whether there is TLS",
        ),
        ("{endpointAddress: 'h', protocol: http}", "endpointAddress is \"h\", which is not <host>:<port>"),
        ("{endpointAddress: 'h:1', protocol: http, timeout: soon}", "timeout is \"soon\", which is not a duration"),
        ("{endpointAddress: 'h:1', protocol: http, color: red}", "color is not known"),
        (
            "{endpointAddress: 'h:1', protocol: http, headers: [{name: k, secretKeyRef: {name: s, key: t}}]}",
            "headers gives k by reference",
        ),
        ("{endpointAddress: 'h:1', protocol: http, headers: [{name: 'a b', value: v}]}", "headers names \"a b\""),
    ] {
        let found = faults(&configuration(otel));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&format!("spec.tracing.otel.{wanted}")), "{found:?}");
    }
}

#[test]
fn access_control_is_read_with_its_policies() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: c}
spec:
  accessControl:
    defaultAction: Deny
    trustDomain: public
    policies:
    - appId: shop
      namespace: default
      trustDomain: public
      defaultAction: ''
      operations:
      - {name: /stock/*, httpVerb: [GET, PUT], action: allow}
";
    let (resources, found) = read(text);
    assert_eq!(found, [""; 0]);
    let access = serde_json::to_value(&resources.configurations[0].access_control).unwrap();
    let operation = serde_json::json!({"name": "/stock/*", "httpVerb": ["GET", "PUT"], "action": "allow"});
    let policy = serde_json::json!({"appId": "shop", "namespace": "default", "trustDomain": "public", "operations": [operation]});
    assert_eq!(access, serde_json::json!({"defaultAction": "deny", "policies": [policy]}));
    let empty = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: {accessControl: {policies: []}}\n";
    assert_eq!(read(empty).0.configurations[0].access_control, None);
}

#[test]
fn what_is_wrong_with_access_control_is_told_with_its_line() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: c}
spec:
  accessControl:
    defaultAction: forbid
    policies:
    - appId: shop
      namespace: default
      operations:
      - {name: /a}
      - {name: /b, action: alow, verbs: [GET]}
";
    let place = "Configuration \"c\": spec.accessControl";
    let wanted = [
        format!("r.yaml:6: {place}.defaultAction is \"forbid\", which is neither allow nor deny"),
        format!("r.yaml:8: {place}.policies[0].trustDomain is missing"),
        format!("r.yaml:11: {place}.policies[0].operations[0].action is missing"),
        format!("r.yaml:12: {place}.policies[0].operations[1].action is \"alow\", which is neither allow nor deny"),
        format!("r.yaml:12: {place}.policies[0].operations[1].verbs is not known; there may be name, httpVerb, action"),
    ];
    assert_eq!(faults(text), wanted);
}

#[test]
fn a_folder_gives_its_yaml_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let text = component("spec: {type: state.in-memory}\n");
    for (name, text) in [("b.yml", &text), ("a.yaml", &text.replace("store", "first")), ("c.txt", &"x".to_owned())] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::create_dir(folder.path().join("d.yaml")).unwrap();
    let problems = Problems::default();
    let resources = Resources::read(&[folder.path().to_path_buf()], &problems);
    assert_eq!(problems.check(()), Ok(()));
    assert_eq!(resources.components.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["first", "store"]);
}

#[test]
fn a_path_that_is_not_there_is_a_problem() {
    let problems = Problems::default();
    let _none = Resources::read(&["/nowhere/components".into()], &problems);
    let found = problems.check(()).unwrap_err();
    assert!(found[0].to_string().starts_with("/nowhere/components: cannot be read: "), "{found:?}");
}

#[test]
fn no_text_stops_the_reader() {
    let whole = component("spec:\n  type: state.redis\n  metadata:\n  - {name: redisHost, value: \"a:1\"}\n")
        + secrets::tests::ENVIRONMENT_STORE;
    let odd = [
        "",
        ":",
        "-",
        "&a",
        "*a",
        "!!",
        "|",
        ">",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "\t",
        "\r",
        "\0",
        "%",
        "? ",
        "\u{feff}",
        "\u{1f9f6}",
    ];
    for (at, _) in whole.char_indices() {
        let (head, tail) = whole.split_at(at);
        let _cut = read(head);
        for piece in odd {
            let _mangled = read(&format!("{head}{piece}{tail}"));
            let _replaced = read(&format!("{head}{piece}{}", tail.get(1..).unwrap_or_default()));
        }
    }
}
