//! Ids: where they lead, and those that no application can have.

use super::MESHES;
use serde_json::json;
use weft_tests::app::{Reply, TestApp};
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;

#[test]
fn an_id_that_cannot_be_one_reaches_nobody_in_any_form() {
    let written = [
        ("warehouse.default.more", "warehouse.default.more"),
        (".", "."),
        (".default", ".default"),
        ("warehouse.", "warehouse."),
        ("warehouse:80", "warehouse:80"),
        ("ware%20house", "ware house"),
        ("ware+house", "ware house"),
        ("warehouse%2Fghost", "warehouse/ghost"),
        ("%2Fwarehouse", "/warehouse"),
        ("warehouse%00", "warehouse\u{1}"),
        ("warehouse%0d%0ax-evil:1", "warehouse\u{7f}"),
        ("%5B%3A%3A1%5D", "[::1]"),
        ("::1", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("warehouse%23", "warehouse#"),
        ("warehouse%3Fx", "warehouse?x"),
        ("user@warehouse", "user@warehouse"),
        ("..%2Fwarehouse", "../warehouse"),
        ("warehouse%25", "warehouse%"),
        ("caf%C3%A9", "caf\u{e9}"),
    ];
    MESHES.each(|mesh| {
        let (orders, mark) = (mesh.app("orders"), unique("ids"));
        for (encoded, plain) in written {
            let target = format!("/v1.0/invoke/{encoded}/method/x");
            let mut client = orders.raw();
            client.write(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nx-mark: {mark}\r\n\r\n"));
            let answer = client.answer().expect("an answer");
            // Plain dots are the path's own and take the id away.
            assert!(matches!(answer.status, 500 | 404), "{encoded}: {} {}", answer.status, answer.text());
            assert!(answer.text().contains("ERR_DIRECT_INVOKE"), "{encoded}: {}", answer.text());
            let mut client = orders.raw();
            client
                .write(format!("GET /x HTTP/1.1\r\nhost: localhost\r\nx-mark: {mark}\r\ndapr-app-id: {plain}\r\n\r\n"));
            let status = client.answer_or_end().map_or(400, |answer| answer.status);
            // Control characters in a header are the proxy's own to refuse.
            assert!(matches!(status, 400 | 500), "{plain:?}: {status}");
        }
        let seen = ["orders", "warehouse"].map(|app| mesh.app(app).server.all_seen()).concat();
        assert!(seen.iter().all(|it| it.value("x-mark").as_ref() != Some(&mark)), "nobody is reached");
    });
}

#[test]
fn an_id_and_a_path_of_64_kib_are_refused_and_the_next_call_works() {
    let long = "a".repeat(64 * 1024);
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let path = format!("/{}", unique("long"));
        warehouse.server.on(&path, Reply::status(200));
        for target in [
            format!("/v1.0/invoke/{long}/method/x"),
            format!("/v1.0/invoke/warehouse/method/{long}"),
            format!("/v1.0/invoke/warehouse/method/{}", "../".repeat(22 * 1024)),
        ] {
            let mut client = orders.raw();
            client.write(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
            assert_eq!(client.answer().expect("an answer").status, 431, "{}", &target[..40]);
        }
        // As long as the proxy takes a path, the filter does.
        let fits = format!("{path}/{}", "%2561".repeat(8 * 1024));
        warehouse.server.on(&fits, Reply::status(200));
        orders.get(&format!("/v1.0/invoke/warehouse/method{fits}")).send().expect(200);
        assert_eq!(warehouse.server.seen(&fits).len(), 1);
        let id = "b".repeat(40 * 1024);
        let answer = orders.get(&format!("/v1.0/invoke/{id}/method/x")).send();
        let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
        assert!(body["message"].as_str().is_some_and(|it| it.len() <= 2048), "the message is bounded");
        orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
    });
}

#[test]
fn an_id_leads_where_the_map_says_and_else_where_the_template_says() {
    let [mapped, near, far] = [(); 3].map(|()| TestApp::start());
    let cluster = |name: &str, app: &TestApp| {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": app.port()}});
        let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address}}]}]);
        json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}})
    };
    let mesh = Mesh::builder()
        .app("orders")
        .elsewhere(json!({
            "apps": {"billing": {"cluster": "mapped", "authority": "billing.example:8443"}},
            "template": {"cluster": "{app}_in_{namespace}", "authority": "{app}.{namespace}.svc.cluster.local:8080"},
        }))
        .cluster(cluster("mapped", &mapped))
        .cluster(cluster("stock_in_default", &near))
        .cluster(cluster("stock_in_finance", &far))
        .start();
    let orders = mesh.app("orders");
    for (id, app, host, callee) in [
        ("billing", &mapped, "billing.example:8443", "billing"),
        ("billing.default", &mapped, "billing.example:8443", "billing"),
        ("stock", &near, "stock.default.svc.cluster.local:8080", "stock"),
        ("stock.finance", &far, "stock.finance.svc.cluster.local:8080", "stock"),
    ] {
        let path = format!("/{}", unique("where"));
        app.on(&path, Reply::status(200));
        orders.get(&format!("/v1.0/invoke/{id}/method{path}")).send().expect(200);
        orders.get(&path).header("dapr-app-id", id).send().expect(200);
        let seen = app.wait_for(&path, 2);
        assert!(seen.iter().all(|it| it.value("host").as_deref() == Some(host)), "{id}");
        assert!(seen.iter().all(|it| it.value("dapr-callee-app-id").as_deref() == Some(callee)), "{id}");
    }
    // The map is of one namespace; another's application of that name is the template's.
    let answer = orders.get("/v1.0/invoke/billing.finance/method/x").send();
    let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().is_some_and(|it| it.contains("no route to the application")), "{body}");
}
