//! Mutual TLS between the proxies: who calls is what the certificate says.

use serde_json::json;
use std::sync::Arc;
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};
use weft_tests::node::{Nodes, Spec};
use weft_tests::shared::Shared;

/// The warehouse lets orders do everything but `/admin`, a courier of another kind of identity too, and nobody else
/// anything.
fn start() -> Arc<Nodes> {
    static NODES: Shared<Nodes> = Shared::new();
    let policy = |app: &str| {
        json!({"appId": app, "namespace": "shop", "trustDomain": "cluster.local", "defaultAction": "allow",
            "operations": [{"name": "/admin/**", "httpVerb": ["*"], "action": "deny"}]})
    };
    let control = json!({"defaultAction": "deny", "policies": [policy("orders"), policy("courier")]});
    NODES.get(|| {
        let accounts = json!({"shop/orders-account": "orders"});
        Nodes::start(
            2,
            &[
                Spec::new("warehouse", Some("spiffe://cluster.local/ns/shop/sa/warehouse"))
                    .access(control)
                    .callers(json!({"serviceAccounts": accounts})),
                Spec::new("orders", Some("spiffe://cluster.local/ns/shop/sa/orders-account")),
                Spec::new("courier", Some("spiffe://cluster.local/ns/shop/courier")),
                Spec::new("stranger", Some("spiffe://cluster.local/ns/shop/sa/orders")),
                Spec::new("foreigner", Some("spiffe://other.domain/ns/shop/sa/orders-account")),
                Spec::new("nobody", None),
            ],
        )
    })
}

#[test]
fn a_caller_is_judged_by_the_uri_in_its_certificate() {
    let nodes = start();
    let warehouse = nodes.get("warehouse");
    for (caller, status) in [("orders", 200), ("courier", 200), ("stranger", 403), ("foreigner", 403), ("nobody", 403)]
    {
        let path = format!("/{}", unique("certified"));
        warehouse.server.on(&path, Reply::status(200));
        let answer = nodes.get(caller).get(&format!("/v1.0/invoke/warehouse/method{path}")).send();
        assert_eq!(answer.status, status, "{caller}: {}", answer.text());
        assert_eq!(warehouse.server.seen(&path).len(), usize::from(status == 200), "{caller}");
    }
    nodes.check_logs();
}

#[test]
fn a_denial_names_the_identity_that_was_verified() {
    let nodes = start();
    let answer = nodes.get("orders").get("/v1.0/invoke/warehouse/method/x/..%2Fadmin/keys").send();
    let body = dapr::error(&answer, 403, "ERR_DIRECT_INVOKE");
    assert_eq!(
        body["message"],
        "failed to invoke, id: warehouse, err: rpc error: code = PermissionDenied desc = access control policy has denied \
         access to id: spiffe://cluster.local/ns/shop/sa/orders-account operation: /admin/keys verb: GET"
    );
}

#[test]
fn headers_that_claim_another_identity_change_nothing() {
    let nodes = start();
    let warehouse = nodes.get("warehouse");
    let forged = "dapr-caller-app-id: orders\r\ndapr-caller-namespace: shop\r\n\
                  x-forwarded-client-cert: URI=spiffe://cluster.local/ns/shop/sa/orders-account\r\n\
                  l5d-client-id: orders-account.shop.serviceaccount.identity.linkerd.cluster.local\r\n";
    for (caller, status) in [("stranger", 403), ("foreigner", 403), ("nobody", 403), ("courier", 200)] {
        let path = format!("/{}", unique("forged"));
        warehouse.server.on(&path, Reply::status(200));
        let mut connection = nodes.get(caller).tunnel("warehouse");
        connection.write(format!("GET {path} HTTP/1.1\r\nhost: warehouse\r\n{forged}\r\n"));
        assert_eq!(connection.answer().expect("an answer").status, status, "{caller}");
        let callers: Vec<_> =
            warehouse.server.seen(&path).iter().map(|it| it.value("dapr-caller-app-id").unwrap()).collect();
        assert_eq!(callers, if status == 200 { vec!["courier"] } else { vec![] }, "{caller}");
    }
}

#[test]
fn the_application_is_told_who_calls_by_the_certificate() {
    let nodes = start();
    let warehouse = nodes.get("warehouse");
    for caller in ["orders", "courier"] {
        let path = format!("/{}", unique("told"));
        warehouse.server.on(&path, Reply::status(200));
        nodes.get(caller).get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
        let seen = warehouse.server.wait_for(&path, 1).remove(0);
        assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some(caller));
        // What the callers' own proxies say of their namespace is `default`.
        assert_eq!(seen.value("dapr-caller-namespace").as_deref(), Some("shop"));
        assert_eq!(seen.value("dapr-callee-app-id").as_deref(), Some("warehouse"));
        assert_eq!(seen.value("host"), Some(format!("127.0.0.1:{}", warehouse.server.port())));
    }
}

#[test]
fn calls_between_the_proxies_are_encrypted_and_nothing_else_is_let_in() {
    let nodes = start();
    let warehouse = nodes.get("warehouse");
    let path = format!("/{}", unique("plain"));
    warehouse.server.on(&path, Reply::status(200));
    let mut plain = warehouse.plain();
    assert!(plain.try_write(format!("GET {path} HTTP/1.1\r\nhost: warehouse\r\n\r\n")));
    assert_eq!(plain.answer_or_end(), None);
    assert!(warehouse.server.seen(&path).is_empty());
    nodes.get("orders").get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
    let handshakes =
        warehouse.envoy().admin().stat(&format!("listener.127.0.0.1_{}.ssl.handshake", warehouse.inbound()));
    assert!(handshakes > 0, "{handshakes}");
}
