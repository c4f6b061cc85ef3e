//! TLS that ends in a proxy before the callee's own: who calls is the last element of `x-forwarded-client-cert`.

use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};
use weft_tests::node::{Nodes, Spec};

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Puts a proxy before the one that holds the filter. It ends TLS, appends what it has verified to what the client says,
/// and calls the next by plain HTTP.
fn end_tls_before(bootstrap: &mut Value) {
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().unwrap();
    let own = listeners.iter_mut().find(|it| it["name"] == "weft_inbound_warehouse").unwrap();
    let address = own.as_object_mut().unwrap().remove("address").unwrap();
    own["internal_listener"] = json!({});
    // Without it Envoy takes the header away, as the connection has no certificate.
    own["filter_chains"][0]["filters"][0]["typed_config"]["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
    let transport = own["filter_chains"][0].as_object_mut().unwrap().remove("transport_socket").unwrap();
    let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "weft_invoke_warehouse"}});
    let manager = json!({
        "@type": HCM,
        "stat_prefix": "before",
        "forward_client_cert_details": "APPEND_FORWARD",
        "set_current_client_cert_details": {"uri": true, "subject": true},
        "http_filters": [{"name": "router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    });
    let chain = json!({"transport_socket": transport, "filters": [{"name": "manager", "typed_config": manager}]});
    listeners.push(json!({"name": "before", "address": address, "filter_chains": [chain]}));
}

#[test]
fn the_proxy_that_ended_tls_says_who_calls_and_what_a_client_says_before_it_changes_nothing() {
    let identity = |account: &str| format!("spiffe://cluster.local/ns/shop/sa/{account}");
    let orders =
        json!({"appId": "orders", "namespace": "shop", "trustDomain": "cluster.local", "defaultAction": "allow"});
    let warehouse = Spec::new("warehouse", Some(&identity("warehouse")))
        .access(json!({"defaultAction": "deny", "policies": [orders]}))
        .callers(json!({"identity": "forwardedCertificate"}))
        .edit(end_tls_before);
    let caller = |id: &str| Spec::new(id, Some(&identity(id)));
    let nodes = Nodes::start(2, &[warehouse, caller("orders"), caller("stranger"), Spec::new("nobody", None)]);
    let server = &nodes.get("warehouse").server;
    server.on_any(|_| Reply::status(200));

    let path = format!("/{}", unique("forwarded"));
    nodes.get("orders").get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
    let seen = server.wait_for(&path, 1).remove(0);
    assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some("orders"));
    assert_eq!(seen.value("dapr-caller-namespace").as_deref(), Some("shop"));

    let denied = nodes.get("stranger").get("/v1.0/invoke/warehouse/method/denied").send();
    let body = dapr::error(&denied, 403, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().unwrap().contains(&identity("stranger")), "{body}");

    let claims = [
        format!("URI={}", identity("orders")),
        format!("By=x;URI={},", identity("orders")),
        format!("Subject=\"\\\";URI={}", identity("orders")),
    ];
    for caller in ["stranger", "nobody"] {
        for claim in &claims {
            let mut connection = nodes.get(caller).tunnel("warehouse");
            connection
                .write(format!("GET /denied HTTP/1.1\r\nhost: warehouse\r\nx-forwarded-client-cert: {claim}\r\n\r\n"));
            assert_eq!(connection.answer().expect("an answer").status, 403, "{caller} {claim}");
        }
    }
    assert!(server.seen("/denied").is_empty());
    nodes.check_logs();
}
