//! The mesh's own means on calls by name: what the caller's Envoy is told about routes and hosts applies to them, as to
//! any other request. Each application has an Envoy of its own, with mutual TLS between them.

use hyper::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::node::{Node, Nodes, Spec};
use weft_tests::shared::Shared;
use weft_tests::wait;

/// Both versions of the warehouse let orders call them, by its certificate, and nobody else.
fn start() -> Arc<Nodes> {
    static NODES: Shared<Nodes> = Shared::new();
    let orders =
        json!({"appId": "orders", "namespace": "shop", "trustDomain": "cluster.local", "defaultAction": "allow"});
    let control = json!({"defaultAction": "deny", "policies": [orders]});
    let version = |id: &str| {
        let identity = format!("spiffe://cluster.local/ns/shop/sa/{id}");
        Spec::new(id, Some(&identity)).access(control.clone()).callers(json!({}))
    };
    NODES.get(|| {
        Nodes::start(
            2,
            &[
                version("warehouse"),
                version("canary"),
                Spec::new("orders", Some("spiffe://cluster.local/ns/shop/sa/orders")).edit(delegate),
                Spec::new("stranger", Some("spiffe://cluster.local/ns/shop/sa/stranger")).edit(delegate),
            ],
        )
    })
}

/// Gives the caller's proxy routes for the host `warehouse`, as a VirtualService would, and the clusters they lead to.
fn delegate(bootstrap: &mut Value) {
    let hosts = ["mesh_warehouse", "mesh_canary"]
        .map(|name| found(clusters(bootstrap), name)["load_assignment"]["endpoints"][0]["lb_endpoints"][0].clone());
    let transport = found(clusters(bootstrap), "mesh_warehouse")["transport_socket"].clone();
    for (name, members) in [
        ("ejecting", ejecting(&hosts)),
        ("near", near(&hosts)),
        ("weighted", weighted(&hosts)),
        ("subsets", subsets(&hosts)),
    ] {
        let mut cluster =
            json!({"name": name, "type": "STATIC", "connect_timeout": "2s", "transport_socket": transport});
        cluster.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        cluster["load_assignment"]["cluster_name"] = json!(name);
        clusters(bootstrap).push(cluster);
    }
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        if listener["name"].as_str().unwrap().starts_with("weft_api_") {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["route_config"]["virtual_hosts"].as_array_mut().unwrap().push(json!({
                "name": "warehouse", "domains": ["warehouse"], "routes": routes(),
                "request_headers_to_remove": ["x-weft-cluster"],
            }));
        }
    }
}

fn clusters(bootstrap: &mut Value) -> &mut Vec<Value> {
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap()
}

fn found<'a>(clusters: &'a [Value], name: &str) -> &'a Value {
    clusters.iter().find(|it| it["name"] == name).unwrap()
}

fn routes() -> Value {
    let version = |value: &str| json!([{"name": "x-version", "string_match": {"exact": value}}]);
    let subset = |value: &str| json!({"cluster": "subsets", "metadata_match": {"filter_metadata": {"envoy.lb": {"version": value}}}});
    let retries = json!({"retry_on": "5xx", "num_retries": 3,
        "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.02s"}});
    json!([
        {"match": {"prefix": "/subset/", "headers": version("2")}, "route": subset("2")},
        {"match": {"prefix": "/subset/", "headers": version("3")}, "route": subset("3")},
        {"match": {"prefix": "/subset/"}, "route": subset("1")},
        {"match": {"prefix": "/", "headers": version("canary")}, "route": {"cluster": "mesh_canary"}},
        {"match": {"prefix": "/split/"}, "route": {"weighted_clusters": {"clusters": [
            {"name": "mesh_warehouse", "weight": 90}, {"name": "mesh_canary", "weight": 10},
        ]}}},
        {"match": {"prefix": "/retried/"}, "route": {"cluster": "mesh_warehouse", "retry_policy": retries}},
        {"match": {"prefix": "/bounded/"}, "route": {"cluster": "mesh_warehouse", "timeout": "0.2s"}},
        {"match": {"prefix": "/ejected/"}, "route": {"cluster": "ejecting"}},
        {"match": {"prefix": "/near/"}, "route": {"cluster": "near"}},
        {"match": {"prefix": "/weighted/"}, "route": {"cluster": "weighted"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "mesh_warehouse"}},
    ])
}

/// Both versions, of which one that fails three times in a row is left out.
fn ejecting(hosts: &[Value]) -> Value {
    json!({"load_assignment": {"endpoints": [{"lb_endpoints": hosts}]}, "outlier_detection": outliers("600s")})
}

/// Two zones, the far one for when the near one fails: the form that Istio gives to locality failover.
fn near(hosts: &[Value]) -> Value {
    let zone = |zone: &str, priority: u32, host: &Value| json!({"locality": {"zone": zone}, "priority": priority, "lb_endpoints": [host]});
    json!({
        "load_assignment": {"endpoints": [zone("near", 0, &hosts[0]), zone("far", 1, &hosts[1])]},
        "outlier_detection": outliers("1s"),
    })
}

fn outliers(ejection: &str) -> Value {
    json!({"consecutive_5xx": 3, "interval": "0.1s", "base_ejection_time": ejection, "max_ejection_percent": 100,
        "max_ejection_time": ejection, "max_ejection_time_jitter": "0s"})
}

/// Two zones, of which one takes four times as much as the other: Istio's `distribute`.
fn weighted(hosts: &[Value]) -> Value {
    let zone = |zone: &str, weight: u32, host: &Value| json!({"locality": {"zone": zone}, "load_balancing_weight": weight, "lb_endpoints": [host]});
    json!({
        "load_assignment": {"endpoints": [zone("near", 80, &hosts[0]), zone("far", 20, &hosts[1])]},
        "common_lb_config": {"locality_weighted_lb_config": {}},
    })
}

/// One cluster whose hosts are chosen by their labels.
fn subsets(hosts: &[Value]) -> Value {
    let labelled = |version: &str, host: &Value| {
        let mut host = host.clone();
        host["metadata"] = json!({"filter_metadata": {"envoy.lb": {"version": version}}});
        host
    };
    json!({
        "load_assignment": {"endpoints": [{"lb_endpoints": [labelled("1", &hosts[0]), labelled("2", &hosts[1])]}]},
        "lb_subset_config": {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["version"]}]},
    })
}

/// A path of its own below a prefix that has a route, at which both versions answer 200.
fn path(nodes: &Nodes, prefix: &str) -> String {
    let path = format!("/{prefix}/{}", unique("delegated"));
    for version in ["warehouse", "canary"] {
        nodes.get(version).server.on(&path, Reply::status(200));
    }
    path
}

fn call(caller: &Node, path: &str) -> Answer {
    caller.get(&format!("/v1.0/invoke/warehouse/method{path}")).keep_alive().send()
}

/// What the two versions have seen.
fn seen(nodes: &Nodes, path: &str) -> [Vec<Seen>; 2] {
    ["warehouse", "canary"].map(|version| nodes.get(version).server.seen(path))
}

fn counts(nodes: &Nodes, path: &str) -> [usize; 2] {
    seen(nodes, path).map(|it| it.len())
}

#[test]
fn a_traffic_split_of_the_routes_divides_calls_by_name() {
    let nodes = start();
    let path = path(&nodes, "split");
    for _ in 0..1000 {
        call(nodes.get("orders"), &path).expect(200);
    }
    let [warehouse, canary] = counts(&nodes, &path);
    assert_eq!(warehouse + canary, 1000);
    // A tenth, and six standard deviations to either side.
    assert!((43..=157).contains(&canary), "{canary} of 1000");
    nodes.check_logs();
}

#[test]
fn each_side_of_a_split_judges_callers_by_their_certificates() {
    let nodes = start();
    let path = path(&nodes, "split");
    wait::until_true("both versions are called", || {
        call(nodes.get("orders"), &path).expect(200);
        !counts(&nodes, &path).contains(&0)
    });
    let allowed = seen(&nodes, &path).concat();
    for request in &allowed {
        assert_eq!(request.value("dapr-caller-app-id").as_deref(), Some("orders"));
        // Its own proxy says `default`.
        assert_eq!(request.value("dapr-caller-namespace").as_deref(), Some("shop"));
    }
    for _ in 0..50 {
        let body = dapr::error(&call(nodes.get("stranger"), &path), 403, "ERR_DIRECT_INVOKE");
        assert!(
            body["message"].as_str().unwrap().contains("id: spiffe://cluster.local/ns/shop/sa/stranger "),
            "{body}"
        );
    }
    assert_eq!(counts(&nodes, &path).iter().sum::<usize>(), allowed.len());
    nodes.check_logs();
}

#[test]
fn a_route_by_header_leads_calls_by_name_to_another_version() {
    let nodes = start();
    let orders = nodes.get("orders");
    let path = path(&nodes, "header");
    let canary = || orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).header("x-version", "canary");
    for _ in 0..10 {
        canary().send().expect(200);
    }
    assert_eq!(counts(&nodes, &path), [0, 10]);
    orders.get(&path).header("dapr-app-id", "warehouse").header("x-version", "canary").send().expect(200);
    assert_eq!(counts(&nodes, &path), [0, 11]);
    for _ in 0..10 {
        call(orders, &path).expect(200);
    }
    assert_eq!(counts(&nodes, &path), [10, 11]);
    nodes.check_logs();
}

#[test]
fn retries_of_the_route_repeat_a_call_with_its_body() {
    let nodes = start();
    let (orders, warehouse) = (nodes.get("orders"), nodes.get("warehouse"));
    let path = path(&nodes, "retried");
    let failed = Reply::bytes(503, "not yet");
    warehouse.server.on_each(&path, vec![failed.clone(), failed, Reply::bytes(200, "now")]);
    let call = orders.call(Method::POST, &format!("/v1.0/invoke/warehouse/method{path}?q=1"));
    assert_eq!(call.body("an order").send().expect(200).text(), "now");
    let attempts = warehouse.server.seen(&path);
    let forms: Vec<_> = attempts.iter().map(|it| (it.method.as_str(), it.query(), &it.body[..])).collect();
    assert_eq!(forms, [("POST", Some("q=1"), &b"an order"[..]); 3]);
    let traces: Vec<_> = attempts.iter().map(|it| it.value("traceparent").unwrap()).collect();
    assert_eq!(traces, vec![traces[0].clone(); 3], "one call, one span");
    nodes.check_logs();
}

#[test]
fn a_call_that_fails_more_often_than_the_route_retries_gets_the_last_answer() {
    let nodes = start();
    let path = path(&nodes, "retried");
    let warehouse = nodes.get("warehouse");
    let answers = [1, 2, 3, 4, 5].map(|number| Reply::bytes(503, format!("failure {number}")));
    warehouse.server.on_each(&path, answers.to_vec());
    assert_eq!(call(nodes.get("orders"), &path).expect(503).text(), "failure 4");
    assert_eq!(warehouse.server.seen(&path).len(), 4);
    nodes.check_logs();
}

#[test]
fn a_timeout_of_the_route_ends_a_call_with_daprs_error() {
    let nodes = start();
    let path = path(&nodes, "bounded");
    let warehouse = nodes.get("warehouse");
    call(nodes.get("orders"), &path).expect(200);
    warehouse.server.on(&path, Reply::status(200).after(Duration::from_secs(5)));
    let body = dapr::error(&call(nodes.get("orders"), &path), 500, "ERR_DIRECT_INVOKE");
    let wanted = format!(
        "failed to invoke, id: warehouse, err: timeout, host 127.0.0.1:{} (the proxy answered ",
        warehouse.inbound()
    );
    assert!(body["message"].as_str().unwrap().starts_with(&wanted), "{body}");
    nodes.check_logs();
}

#[test]
fn a_host_that_fails_is_ejected_and_all_calls_reach_the_other() {
    let nodes = start();
    let orders = nodes.get("orders");
    let path = path(&nodes, "ejected");
    nodes.get("warehouse").server.on(&path, Reply::bytes(503, "sick"));
    wait::until_true("the failing host is ejected", || {
        call(orders, &path);
        orders.envoy().admin().stat("cluster.ejecting.outlier_detection.ejections_active") == 1
    });
    // Each worker learns of it a moment later.
    wait::until_true("no worker calls it", || (0..20).all(|_| call(orders, &path).status == 200));
    let [sick, well] = counts(&nodes, &path);
    for _ in 0..100 {
        call(orders, &path).expect(200);
    }
    assert_eq!(counts(&nodes, &path), [sick, well + 100]);
    assert_eq!(orders.envoy().admin().stat("cluster.ejecting.outlier_detection.ejections_enforced_total"), 1);
    nodes.check_logs();
}

#[test]
fn the_near_locality_takes_all_calls_and_the_far_one_when_the_near_one_fails() {
    let nodes = start();
    let orders = nodes.get("orders");
    let path = path(&nodes, "near");
    for _ in 0..50 {
        call(orders, &path).expect(200);
    }
    assert_eq!(counts(&nodes, &path), [50, 0]);
    nodes.get("warehouse").server.on(&path, Reply::status(503));
    wait::until_true("calls reach the far locality", || call(orders, &path).status == 200);
    assert_ne!(counts(&nodes, &path)[1], 0);
    nodes.get("warehouse").server.on(&path, Reply::status(200));
    wait::until_true("calls reach the near locality again", || {
        let [near, _] = counts(&nodes, &path);
        call(orders, &path).expect(200);
        counts(&nodes, &path)[0] > near
    });
    nodes.check_logs();
}

#[test]
fn weights_of_localities_divide_calls_by_name() {
    let nodes = start();
    let path = path(&nodes, "weighted");
    for _ in 0..500 {
        call(nodes.get("orders"), &path).expect(200);
    }
    let [near, far] = counts(&nodes, &path);
    assert_eq!(near + far, 500);
    // A fifth, and six standard deviations to either side.
    assert!((46..=154).contains(&far), "{far} of 500");
    nodes.check_logs();
}

#[test]
fn a_subset_of_hosts_is_chosen_by_the_route() {
    let nodes = start();
    let orders = nodes.get("orders");
    let path = path(&nodes, "subset");
    let call =
        |version: &str| orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).header("x-version", version).send();
    for _ in 0..10 {
        call("1").expect(200);
        call("2").expect(200);
        call("2").expect(200);
    }
    assert_eq!(counts(&nodes, &path), [10, 20]);
    let body = dapr::error(&call("3"), 500, "ERR_DIRECT_INVOKE");
    let wanted = "failed to invoke, id: warehouse, err: no healthy host, host warehouse (the proxy answered ";
    assert!(body["message"].as_str().unwrap().starts_with(wanted), "{body}");
    assert_eq!(counts(&nodes, &path), [10, 20]);
    nodes.check_logs();
}
