use super::*;
use serde_json::{Value, json};

mod schema_file;

/// A configuration that uses every member.
fn whole() -> Value {
    json!({
        "version": 1, "appId": "orders", "namespace": "shop",
        "app": {"cluster": "app", "authority": "127.0.0.1:8080", "apiToken": {"env": "APP_API_TOKEN"}},
        "invoke": {
            "apps": {"warehouse": {"cluster": "to_warehouse", "authority": "warehouse"}, "a.b": {"authority": "a.b"}},
            "template": {"cluster": "outbound|80||{app}", "authority": "{app}.{namespace}"},
        },
        "link": {"cluster": "link"},
        "components": [
            {"name": "s", "type": "state.redis", "version": "v1", "cluster": "redis", "metadata": {"redisDB": "1"}},
            {"name": "p", "type": "pubsub.in-memory"},
        ],
        "subscriptions": [{
            "pubsubname": "p", "topic": "t", "deadLetterTopic": "d", "metadata": {"rawPayload": "true"},
            "bulkSubscribe": {"enabled": true, "maxMessagesCount": 7, "maxAwaitDurationMs": 40},
            "routes": {"rules": [{"match": "event.type == 'a'", "path": "/x"}], "default": "/y"},
        }],
        "accessControl": {
            "defaultAction": "deny", "probes": ["/healthz"],
            "policies": [{
                "appId": "shop", "namespace": "default", "trustDomain": "public", "defaultAction": "allow",
                "operations": [{"name": "/stock/*", "httpVerb": ["GET"], "action": "deny"}],
            }],
        },
        "callers": {
            "identity": "linkerd",
            "serviceAccounts": {"default/shop-account": "shop"},
        },
        "tracing": {"samplingRate": "0.5"}, "logLevel": "warn", "limits": {"maxBodyBytes": 1000}, "test": {"trap": true},
    })
}

fn read(config: &Value) -> Result<PluginConfig, Vec<Problem>> {
    PluginConfig::read(config.to_string().as_bytes())
}

/// The paths of everything that is wrong with it.
fn paths(config: &Value) -> Vec<String> {
    read(config).unwrap_err().into_iter().map(|problem| problem.path).collect()
}

/// `whole()` with another value at a JSON pointer; `null` is a value too.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match config.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.insert(name.replace("~1", "/"), value)),
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no members"),
    }
    config
}

fn without(pointer: &str) -> Value {
    let mut config = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    config
}

#[test]
fn what_is_written_is_read_back() {
    let config = read(&whole()).unwrap();
    assert_eq!(config.components[0].metadata["redisDB"], "1");
    assert_eq!(config.invoke.apps.get("a.b").unwrap().authority, "a.b");
    assert_eq!(config.log_level, LogLevel::Warn);
    let written = serde_json::to_vec(&config).unwrap();
    assert_eq!(PluginConfig::read(&written), Ok(config));
}

#[test]
fn what_may_be_absent_has_the_documented_value() {
    let config = read(&json!({"version": 1, "appId": "a"})).unwrap();
    assert_eq!(config, PluginConfig::named("a".to_owned()));
    assert_eq!((config.namespace.as_str(), config.tracing.sampling_rate.as_str()), ("default", "1"));
    assert_eq!((config.log_level, config.limits.max_body_bytes), (LogLevel::Info, 4 * 1024 * 1024));
    let empty = json!({"version": 1, "appId": "a", "tracing": {}, "limits": {}, "invoke": {}, "components": []});
    assert_eq!(read(&empty), Ok(config));
    assert_eq!(read(&without("/components/0/version")).unwrap().components[0].version, "v1");
}

#[test]
fn a_body_larger_than_a_command_may_be_is_refused_with_the_reason() {
    let config = |size: u32| json!({"version": 1, "appId": "a", "limits": {"maxBodyBytes": size}}).to_string();
    assert!(PluginConfig::read(config(60 << 20).as_bytes()).is_ok());
    let problems = PluginConfig::read(config((60 << 20) + 1).as_bytes()).unwrap_err();
    let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("$.limits.maxBodyBytes") && told.contains("at most 64 MiB"), "{told}");
}

#[test]
fn a_dead_letter_topic_is_another_than_the_subscriptions_own() {
    let config = |dead: &str| {
        json!({"version": 1, "appId": "a", "app": {"cluster": "c", "authority": "a"},
            "components": [{"name": "p", "type": "pubsub.in-memory"}],
            "subscriptions": [{"pubsubname": "p", "topic": "t", "routes": {"default": "/t"}, "deadLetterTopic": dead}]})
    };
    assert_eq!(paths(&config("t")), ["$.subscriptions[0].deadLetterTopic"]);
    assert!(PluginConfig::read(config("other").to_string().as_bytes()).is_ok());
}

#[test]
fn every_mistake_is_told_at_once_with_its_path() {
    let config = json!({
        "version": 2, "appID": "a", "app": [], "link": {"cluster": ""}, "logLevel": "loud",
        "components": [{"name": "s"}, 5, {"name": "p", "type": "pubsub.x", "metadata": {"a b": 1}, "color": "red"}],
        "subscriptions": [{"pubsubname": "nobody", "topic": "t", "routes": {}}],
        "tracing": {"samplingRate": "2"}, "limits": {"maxBodyBytes": 0}, "test": {"trap": "yes"},
    });
    let mut found = paths(&config);
    found.sort();
    let expected = [
        "$.app",
        "$.appID",
        "$.appId",
        "$.components[0].type",
        "$.components[1]",
        "$.components[2].color",
        "$.components[2].metadata[\"a b\"]",
        "$.limits.maxBodyBytes",
        "$.link.cluster",
        "$.logLevel",
        "$.subscriptions[0].pubsubname",
        "$.subscriptions[0].routes",
        "$.test.trap",
        "$.tracing.samplingRate",
        "$.version",
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_problem_has_a_remedy_and_a_misspelt_name_the_right_one() {
    let problems = read(&json!({"version": 1, "appID": "a"})).unwrap_err();
    let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(told, ["$.appID is not known; write appId", "$.appId is missing; add it: a string"]);
    let problems = read(&with("/tracing/rate", json!(1))).unwrap_err();
    assert_eq!(problems[0].to_string(), "$.tracing.rate is not known; remove it; known here: samplingRate, otlp");
    let problems = read(&with("/logLevel", json!("loud"))).unwrap_err();
    assert_eq!(problems[0].to_string(), "$.logLevel is \"loud\"; write one of debug, info, warn, error");
}

#[test]
fn each_member_that_must_be_there_is_missed() {
    for pointer in [
        "/version",
        "/appId",
        "/app/cluster",
        "/app/authority",
        "/invoke/template/authority",
        "/link/cluster",
        "/components/0/name",
        "/components/0/type",
        "/subscriptions/0/pubsubname",
        "/subscriptions/0/topic",
        "/subscriptions/0/routes",
        "/subscriptions/0/routes/rules/0/path",
        "/accessControl/policies/0/appId",
        "/accessControl/policies/0/namespace",
        "/accessControl/policies/0/trustDomain",
        "/accessControl/policies/0/operations/0/name",
        "/accessControl/policies/0/operations/0/action",
    ] {
        let problems = read(&without(pointer)).unwrap_err();
        let path = pointer.replace("/0", "[0]").replace('/', ".");
        let is_told = |problem: &&Problem| problem.path == format!("${path}") && problem.what == "is missing";
        assert_eq!(problems.iter().filter(is_told).count(), 1, "{pointer}: {problems:?}");
    }
}

#[test]
fn a_reference_to_nothing_is_told_where_it_stands() {
    assert_eq!(paths(&without("/link")), ["$.link"]);
    assert_eq!(paths(&without("/app")), ["$.app"]);
    assert_eq!(paths(&with("/subscriptions/0/pubsubname", json!("q"))), ["$.subscriptions[0].pubsubname"]);
    let problem = &read(&with("/subscriptions/0/pubsubname", json!("s"))).unwrap_err()[0];
    assert_eq!(problem.what, "names a component that is no broker");
    assert_eq!(
        paths(&with("/components/1/name", json!("s"))),
        ["$.components[1].name", "$.subscriptions[0].pubsubname"]
    );
    assert_eq!(paths(&with("/invoke/apps/a b", json!({"authority": "x"}))), ["$.invoke.apps[\"a b\"]"]);
    assert_eq!(paths(&with("/subscriptions/0/routes", json!({"rules": []}))), ["$.subscriptions[0].routes"]);
    let policy = json!({"appId": "shop", "namespace": "default", "trustDomain": "public"});
    assert_eq!(paths(&with("/accessControl/policies", json!([policy, policy]))), ["$.accessControl.policies[1]"]);
}

#[test]
#[cfg(feature = "blocks")]
fn a_condition_that_cannot_be_asked_is_told_with_its_place() {
    let problem = &read(&with("/subscriptions/0/routes/rules/0/match", json!("event.type == now()"))).unwrap_err()[0];
    assert_eq!(problem.path, "$.subscriptions[0].routes.rules[0].match");
    assert!(problem.what.contains("the function `now` is not supported"), "{}", problem.what);
}

#[test]
fn a_member_that_stands_twice_is_told() {
    let text = br#"{"version":1,"appId":"a","appId":"b","limits":{"maxBodyBytes":1,"maxBodyBytes":2}}"#;
    let paths: Vec<String> = PluginConfig::read(text).unwrap_err().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["$.appId", "$.limits.maxBodyBytes"]);
}

#[test]
fn what_is_no_object_at_all_is_told_once() {
    for (text, what) in [
        (&b""[..], "the plugin has no configuration"),
        (b"null", "is null"),
        (b"[]", "is an array"),
        (b"{\"version\":1,}", "is not JSON: expected a string at line 1 column 14"),
        (b"{\"version\":1,\"appId\":\"a\"} x", "is not JSON: expected nothing more at line 1 column 27"),
        (b"{\"appId\":\"\xff\"}", "is not UTF-8 from byte 10"),
    ] {
        let problems = PluginConfig::read(text).unwrap_err();
        let told: Vec<(&str, &str)> = problems.iter().map(|it| (it.path.as_str(), it.what.as_str())).collect();
        assert_eq!(told, [("$", what)]);
    }
}

#[test]
fn a_value_of_metadata_is_never_told() {
    let config = with("/components/0/metadata", json!({"redisPassword": 4242, "other": ["4242"]}));
    let told = format!("{:?}", read(&config).unwrap_err());
    assert!(told.contains("redisPassword") && !told.contains("4242"), "{told}");
}
