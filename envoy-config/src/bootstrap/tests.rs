use super::*;
use std::collections::BTreeSet;

fn component(name: &str, kind: &str, cluster: Option<String>) -> Component {
    let (name, kind, version) = (name.to_owned(), kind.to_owned(), "v1".to_owned());
    Component { name, kind, version, cluster, metadata: Default::default() }
}

fn proxy(apps: Vec<App>) -> Proxy {
    Proxy {
        module: "weft.wasm".into(),
        apps,
        elsewhere: Invoke::default(),
        outside: Outside::default(),
        backends: Vec::new(),
        workers: 2,
        admin: Admin::Off,
    }
}

fn named(list: &Value, name: &str) -> Value {
    let found = list.as_array().and_then(|list| list.iter().find(|it| it["name"] == name));
    found.unwrap_or_else(|| panic!("nothing is called {name}")).clone()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().map(|list| list.iter().filter_map(|it| it["name"].as_str()).collect()).unwrap_or_default()
}

#[test]
fn applications_know_each_other_but_not_those_that_cannot_be_called() {
    let apps = vec![App::new("a", 1, 2, Some(3)), App::new("b", 4, 5, Some(6)), App::new("c", 7, 8, None)];
    let proxy = proxy(apps);
    let plugin = proxy.plugin(&proxy.apps[2]);
    assert_eq!(plugin.invoke.apps.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(plugin.app, None);
    assert_eq!(proxy.plugin(&proxy.apps[0]).app.unwrap().authority, "127.0.0.1:3");
}

#[test]
fn an_application_that_other_proxies_serve_is_known_too() {
    let mut proxy = proxy(vec![App::new("a", 1, 2, Some(3))]);
    let target = Target { cluster: None, authority: "far.example".to_owned() };
    proxy.elsewhere.apps.insert("far".to_owned(), target.clone());
    assert_eq!(proxy.plugin(&proxy.apps[0]).invoke.apps.get("far"), Some(&target));
}

#[test]
fn every_cluster_that_is_named_is_there() {
    let mut app = App::new("a", 1, 2, Some(3));
    app.components = vec![component("s", "state.redis", Some("redis".to_owned()))];
    let mut proxy = proxy(vec![app]);
    let (cluster, host) = ("redis".to_owned(), "redis.example");
    proxy.backends = vec![Backend {
        cluster,
        servers: Servers::at(host, 6379),
        http2: false,
        tls: None,
        connect_timeout: Duration::from_secs(5),
    }];
    let all = proxy.bootstrap();
    let clusters = names(&all["static_resources"]["clusters"]);
    let plugin = proxy.plugin(&proxy.apps[0]);
    let targets = plugin.invoke.apps.values().filter_map(|it| it.cluster.clone());
    let link = plugin.link.unwrap().cluster;
    let wanted = targets.chain([plugin.app.unwrap().cluster, link, plugin.components[0].cluster.clone().unwrap()]);
    for name in wanted {
        assert!(clusters.contains(name.as_str()), "{name} is missing in {clusters:?}");
    }
}

#[test]
fn an_application_without_components_has_no_link() {
    let all = proxy(vec![App::new("a", 1, 2, Some(3))]).bootstrap();
    let listeners = names(&all["static_resources"]["listeners"]);
    assert_eq!(listeners, BTreeSet::from(["weft_api_a", "weft_grpc_a", "weft_inbound_a"]));
}

#[test]
fn an_idle_pump_is_kept_alive_by_health_checks_spaced_by_the_workers() {
    let mut app = App::new("a", 1, 2, Some(3));
    app.components = vec![component("p", "pubsub.in-memory", None)];
    let all = proxy(vec![app]).bootstrap();
    let check = named(&all["static_resources"]["clusters"], "weft_self_a")["health_checks"][0].clone();
    assert_eq!(check["interval"], "1s");
    assert_eq!(check["reuse_connection"], false);
}

#[test]
fn a_request_may_be_larger_than_the_filter_takes_so_that_the_filter_answers_it() {
    let mut app = App::new("a", 1, 2, None);
    app.limits.max_body_bytes = 10;
    let all = proxy(vec![app]).bootstrap();
    let listener = named(&all["static_resources"]["listeners"], "weft_api_a");
    assert_eq!(listener["per_connection_buffer_limit_bytes"], 10 + 1024 * 1024);
}

#[test]
fn a_server_with_a_name_is_resolved_and_its_certificate_has_to_name_it() {
    let (cluster, host) = ("redis".to_owned(), "redis.example");
    let tls = Some(Tls { authorities: Some(Authorities::File("ca.pem".into())), identity: None, ..Tls::default() });
    let one = Backend {
        cluster,
        servers: Servers::at(host, 6380),
        http2: false,
        tls,
        connect_timeout: Duration::from_millis(1500),
    };
    let all = Proxy { backends: vec![one.clone()], ..proxy(Vec::new()) }.bootstrap();
    let cluster = named(&all["static_resources"]["clusters"], "redis");
    assert_eq!(cluster["type"], "STRICT_DNS");
    assert_eq!(cluster["connect_timeout"], "1.5s");
    let context = &cluster["transport_socket"]["typed_config"];
    assert_eq!(context["sni"], "redis.example");
    let validation = &context["common_tls_context"]["validation_context"];
    assert_eq!(validation["match_typed_subject_alt_names"][0]["matcher"]["exact"], "redis.example");
    assert_eq!(validation["trusted_ca"]["filename"], "ca.pem");
}

#[test]
fn a_certificate_that_is_not_to_be_verified_is_not() {
    let (cluster, host) = ("redis".to_owned(), "10.0.0.1");
    let tls = Some(Tls { authorities: None, identity: Some(("chain".to_owned(), "key".to_owned())), ..Tls::default() });
    let one = Backend {
        cluster,
        servers: Servers::at(host, 6380),
        http2: false,
        tls,
        connect_timeout: Duration::from_secs(5),
    };
    let all = Proxy { backends: vec![one], ..proxy(Vec::new()) }.bootstrap();
    let cluster = named(&all["static_resources"]["clusters"], "redis");
    assert_eq!(cluster["type"], "STATIC");
    let context = &cluster["transport_socket"]["typed_config"]["common_tls_context"];
    assert_eq!(context["validation_context"], Value::Null);
    assert_eq!(context["tls_certificates"][0]["private_key"]["inline_string"], "key");
}

#[test]
fn debug_output_shows_no_key() {
    let tls = Tls { authorities: None, identity: Some(("chain".to_owned(), "PRIVATE".to_owned())), ..Tls::default() };
    assert!(!format!("{tls:?}").contains("PRIVATE"));
}

#[test]
fn servers_that_are_found_while_it_runs_are_led_to_by_name_and_their_certificates_have_to_hold_it() {
    let backend = |cluster: &str, tls| {
        let (cluster, servers) = (cluster.to_owned(), Servers::AsAsked);
        Backend { cluster, servers, http2: false, tls, connect_timeout: Duration::from_secs(5) }
    };
    let strict = Tls { authorities: Some(Authorities::File("ca.pem".into())), ..Tls::default() };
    let backends = vec![backend("plain", None), backend("strict", Some(strict)), backend("lax", Some(Tls::default()))];
    let mut app = App::new("a", 1, 2, Some(3));
    app.components = vec![component("s", "state.redis", Some("plain".to_owned()))];
    let all = Proxy { backends, ..proxy(vec![app]) }.bootstrap();
    let clusters = &all["static_resources"]["clusters"];
    let options = |name: &str| {
        let options = &named(clusters, name)["typed_extension_protocol_options"];
        options.as_object().unwrap().values().next().unwrap()["upstream_http_protocol_options"].clone()
    };
    assert_eq!(named(clusters, "plain").get("transport_socket"), None);
    assert_eq!(options("strict"), json!({"auto_sni": true, "auto_san_validation": true}));
    assert_eq!(options("lax"), json!({"auto_sni": true, "auto_san_validation": false}));
    let manager =
        &named(&all["static_resources"]["listeners"], "weft_link")["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array().unwrap();
    let filters: Vec<_> = filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect();
    assert_eq!(filters, ["weft.tcp", "envoy.filters.http.dynamic_forward_proxy", "envoy.filters.http.router"]);
}
