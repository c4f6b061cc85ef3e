use super::*;
use crate::bootstrap::{Admin, Proxy, Servers};
use crate::problem::{Place, Problem};
use crate::resources::read_text;
use std::path::Path;
use std::sync::Arc;
use weft_core::config::Invoke;

struct Assembled {
    apps: Vec<App>,
    backends: Vec<Backend>,
    found: Vec<String>,
}

/// Assembles applications that all listen.
fn assembled(text: &str, ids: &[&str]) -> Assembled {
    let apps: Vec<App> = ids.iter().map(|id| App::new(id, 1, 2, Some(3))).collect();
    assembled_for(text, apps)
}

fn assembled_for(text: &str, mut apps: Vec<App>) -> Assembled {
    let problems = Problems::default();
    let resources = read_text(text, &problems);
    let mut backends = Backends::default();
    let configuration = resources.configurations.first();
    let places: Vec<Places> =
        apps.iter_mut().map(|app| assemble(app, &resources, configuration, &mut backends, &problems)).collect();
    let backends = backends.into_inner();
    let (elsewhere, module) = (Invoke::default(), "weft.wasm".into());
    let proxy = Proxy {
        module,
        apps: apps.clone(),
        elsewhere,
        outside: Default::default(),
        backends: backends.clone(),
        workers: 1,
        admin: Admin::Off,
    };
    let command_line = Place { file: Arc::from(Path::new("command line")), line: 0 };
    for (app, places) in apps.iter().zip(&places) {
        judge(&proxy.plugin(app), places, &command_line, &problems);
    }
    let found = problems.check(()).err().unwrap_or_default().iter().map(Problem::to_string).collect();
    Assembled { apps, backends, found }
}

fn component(name: &str, kind: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec: {{type: {kind}{rest}}}\n"
    )
}

fn subscription(name: &str, broker: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: {{name: {name}}}\nspec: {{pubsubname: {broker}, topic: t, route: /r}}\n{rest}"
    )
}

#[test]
fn an_application_gets_what_its_scopes_let_it_have() {
    let text = component("a", "state.in-memory", "")
        + "scopes: [one]\n"
        + &component("b", "pubsub.in-memory", "")
        + &subscription("s", "b", "scopes: [two]\n");
    let assembled = assembled(&text, &["one", "two"]);
    assert_eq!(assembled.found, [""; 0]);
    let names = |app: &App| app.components.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&assembled.apps[0]), names(&assembled.apps[1])),
        (vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()])
    );
    assert_eq!((assembled.apps[0].subscriptions.len(), assembled.apps[1].subscriptions.len()), (0, 1));
}

#[test]
fn a_subscription_for_all_passes_an_application_by_that_does_not_listen() {
    let text = component("b", "pubsub.in-memory", "") + &subscription("s", "b", "");
    let assembled = assembled_for(&text, vec![App::new("mute", 1, 2, None)]);
    assert_eq!((assembled.found, assembled.apps[0].subscriptions.len()), (Vec::new(), 0));
    let named = component("b", "pubsub.in-memory", "") + &subscription("s", "b", "scopes: [mute]\n");
    let found = assembled_for(&named, vec![App::new("mute", 1, 2, None)]).found;
    assert!(found[0].contains("subscriptions need the application's address"), "{found:?}");
}

#[test]
fn a_missing_or_empty_name_is_told_once() {
    let text = component("a", "state.in-memory", "").replace("{name: a}", "{name: ''}");
    assert_eq!(assembled(&text, &["x"]).found, ["r.yaml:4: Component: metadata.name is empty"]);
    let text = text.replace("{name: ''}", "{namespace: default}");
    assert_eq!(assembled(&text, &["x"]).found, ["r.yaml:4: Component: metadata.name is missing"]);
}

#[test]
fn an_endpoint_is_there_for_those_that_have_it() {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {name: far}\n\
                spec: {baseUrl: https://far.example}\nscopes: [one]\n";
    let text = text.replace("https:", "http:");
    let assembled = assembled(&text, &["one", "two"]);
    assert_eq!(assembled.found, [""; 0]);
    let known = |app: usize| assembled.apps[app].endpoints.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
    assert_eq!((known(0), known(1)), (vec!["far"], vec![]));
}

#[test]
fn redis_components_have_a_cluster_each_and_share_it_among_applications() {
    let redis = |name: &str, host: &str| {
        component(name, "state.redis", &format!(", metadata: [{{name: redisHost, value: {host}}}]"))
    };
    let text = redis("a", "one") + "scopes: [x]\n" + &redis("a", "two") + "scopes: [y]\n" + &redis("b", "one");
    let assembled = assembled(&text, &["x", "y"]);
    assert_eq!(assembled.found, [""; 0]);
    let clusters: Vec<_> = assembled.backends.iter().map(|it| (it.cluster.as_str(), it.servers.clone())).collect();
    let at = |host: &str| Servers::at(host, 6379);
    assert_eq!(clusters, [("weft_tcp_a", at("one")), ("weft_tcp_b", at("one")), ("weft_tcp_a_2", at("two"))]);
    assert_eq!(assembled.apps[0].components[0].cluster.as_deref(), Some("weft_tcp_a"));
    assert_eq!(assembled.apps[1].components[0].cluster.as_deref(), Some("weft_tcp_a_2"));
}

#[test]
fn a_component_may_have_any_name_whatever_its_cluster_is_called() {
    let redis = |name: &str, host: &str| {
        component(name, "state.redis", &format!(", metadata: [{{name: redisHost, value: {host}}}]"))
    };
    let text = redis("'a b'", "one") + &redis("'a/b?%'", "one") + &redis("a_b", "two") + &redis("größe", "one");
    let assembled = assembled(&text, &["x"]);
    assert_eq!(assembled.found, [""; 0]);
    let clusters: Vec<_> =
        assembled.apps[0].components.iter().map(|it| (it.name.as_str(), it.cluster.as_deref().unwrap())).collect();
    let wanted =
        [("a b", "weft_tcp_a_b"), ("a/b?%", "weft_tcp_a_b__"), ("a_b", "weft_tcp_a_b_2"), ("größe", "weft_tcp_gr__e")];
    assert_eq!(clusters, wanted);
}

#[test]
fn the_app_id_stands_where_a_component_asks_for_it() {
    let text = component(
        "p",
        "pubsub.redis",
        ", metadata: [{name: redisHost, value: r}, {name: consumerID, value: 'x-{appID}'}]",
    );
    assert_eq!(assembled(&text, &["one"]).apps[0].components[0].metadata["consumerID"], "x-one");
    let other = text.replace("consumerID, value: 'x-{appID}'", "redisPassword, value: '{uuid}'");
    assert_eq!(
        assembled(&other, &["one"]).found,
        ["r.yaml:5: Component \"p\": metadata redisPassword holds {uuid}, which is not supported"]
    );
    let group = assembled(&text.replace("{appID}", "{podName}"), &["one"]).found;
    assert!(group.len() == 1 && group[0].contains("r.yaml:5") && group[0].contains("consumerID"), "{group:?}");
    let namespaced = assembled(&text.replace("{appID}", "{namespace}"), &["one"]);
    assert_eq!(namespaced.apps[0].components[0].metadata["consumerID"], "x-{namespace}");
}

#[test]
fn what_the_filter_would_refuse_is_told_with_the_line_it_comes_from() {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: c}
spec:
  tracing:
    samplingRate: often
"
    .to_owned()
        + &component("odd", "state.mongodb", "")
        + &component("m", "state.in-memory", ", version: v2, metadata: [{name: size, value: 1}]")
        + &component(
            "r",
            "state.redis",
            "\n  , metadata: [{name: redisHost, value: h},\n  {name: ttlInSeconds, value: x}]",
        )
        + &component("m", "pubsub.in-memory", "")
        + &subscription("lost", "nobody", "")
        + &subscription("of-odd", "odd", "");
    let found = assembled(&text, &["one", "two"]).found;
    let wanted = [
        "r.yaml:6: Configuration \"c\": tracing.samplingRate is \"often\"",
        "r.yaml:11: Component \"odd\": type \"state.mongodb\" is not supported; there are ",
        "r.yaml:16: Component \"m\": metadata.size ",
        "r.yaml:16: Component \"m\": version ",
        "r.yaml:23: Component \"r\": metadata.ttlInSeconds is not a whole number",
        "r.yaml:27: Component \"m\": name is \"m\", as another component's name is",
        "r.yaml:33: Subscription \"lost\": pubsubname names no component",
    ];
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
}

#[test]
fn what_comes_from_the_command_line_says_so() {
    let found = assembled("", &["no.dots"]).found;
    assert!(found[0].starts_with("command line: $.appId is \"no.dots\""), "{found:?}");
}

#[test]
fn a_key_prefix_is_in_lower_case_whatever_its_letters() {
    let text = component("s", "state.in-memory", ", metadata: [{name: KeyPrefix, value: GRÖSSE}]");
    assert_eq!(assembled(&text, &["x"]).apps[0].components[0].metadata["KeyPrefix"], "grösse");
}
