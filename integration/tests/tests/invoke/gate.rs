//! Who may use the API, and which parts of it.

use super::paths::managers;
use hyper::Method;
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;
use weft_tests::shared::Meshes;

const TOKEN: &str = "s3cret-of-orders";

/// Requests to the API have to bring a token.
static GUARDED: Meshes = Meshes::new(|workers| {
    let builder = Mesh::builder().workers(workers).app("orders").app("warehouse").in_memory();
    builder.gate(json!({"apiToken": {"env": "WEFT_TEST_TOKEN"}})).edit(tell_token).start()
});

/// Gives the filters the variable, as Envoy's own environment would.
fn tell_token(bootstrap: &mut Value) {
    managers(bootstrap, &|manager| {
        let variables = json!({"key_values": {"WEFT_TEST_TOKEN": TOKEN}});
        manager["http_filters"][0]["typed_config"]["config"]["vm_config"]["environment_variables"] = variables;
    });
}

fn calls(mesh: &Mesh) -> Vec<Call> {
    let orders = mesh.app("orders");
    vec![
        orders.get("/v1.0/invoke/warehouse/method/x"),
        orders.get("/x").header("dapr-app-id", "warehouse"),
        orders.post("/x").header("authorization", "Basic ZGFwci1hcHAtaWQ6d2FyZWhvdXNl").body("b").http2(),
        orders.get("/v1.0/invoke/orders/method/x"),
        orders.get("/v1.0/state/memory/key"),
        orders.post("/v1.0/state/memory").json(&json!([{"key": "k", "value": 1}])),
        orders.post("/v1.0/publish/membus/topic").json(&json!({})),
        orders.get("/v1.0/metadata"),
        orders.get("/v1.0/secrets/vault/key"),
        orders.get("/v1.0////healthz/../metadata"),
        orders.post("/v1.0/healthz"),
        orders.get("/v1.0/healthz%2Foutbound"),
    ]
}

#[test]
fn every_api_needs_the_token_that_is_demanded() {
    GUARDED.each(|mesh| {
        let marks = [
            None,
            Some(""),
            Some("wrong"),
            Some("s3cret-of-order"),
            Some("s3cret-of-orders!"),
            Some("S3cret-of-orders"),
        ];
        let mark = unique("guarded");
        for token in marks {
            for call in calls(mesh) {
                let call = call.header("x-mark", &mark);
                let what = format!("{token:?} {call:?}");
                let answer = match token {
                    Some(token) => call.header("dapr-api-token", token).send(),
                    None => call.send(),
                };
                assert_eq!((answer.status, answer.text().as_str()), (401, "invalid api token"), "{what}");
                assert_eq!(answer.header("content-type"), Some("text/plain"), "{what}");
            }
        }
        let seen = [mesh.app("orders").server.all_seen(), mesh.app("warehouse").server.all_seen()].concat();
        assert!(seen.iter().all(|it| it.value("x-mark").as_ref() != Some(&mark)), "nothing passes");
    });
}

#[test]
fn with_the_token_all_works_and_the_application_does_not_see_it() {
    GUARDED.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        let path = format!("/{}", unique("token"));
        warehouse.server.on(&path, Reply::bytes(200, "seven"));
        let call = mesh.app("orders").get(&format!("/v1.0/invoke/warehouse/method{path}"));
        assert_eq!(call.header("dapr-api-token", TOKEN).send().expect(200).text(), "seven");
        assert!(warehouse.server.wait_for(&path, 1)[0].values("dapr-api-token").is_empty());
        let save = mesh.app("orders").post("/v1.0/state/memory").json(&json!([{"key": "guarded", "value": 1}]));
        dapr::no_content(&save.header("dapr-api-token", TOKEN).send());
    });
}

#[test]
fn health_needs_no_token() {
    GUARDED.each(|mesh| {
        mesh.app("orders").get("/v1.0/healthz/outbound").send().expect(204);
        mesh.app("orders").get("/v1.0/healthz").send().expect(204);
    });
}

#[test]
fn a_grpc_call_without_the_token_is_unauthenticated() {
    GUARDED.each(|mesh| {
        for (token, message) in [
            (None, "missing api token in request metadata"),
            (Some("wrong"), "authentication error: api token mismatch"),
        ] {
            let call = Call::new(Method::POST, &mesh.app("orders").grpc(), "/dapr.proto.runtime.v1.Dapr/GetState");
            let call = call.header("content-type", "application/grpc").header("te", "trailers").http2();
            let answer = token.into_iter().fold(call, |call, token| call.header("dapr-api-token", token)).send();
            assert_eq!(answer.header("grpc-status"), Some("16"), "{token:?}");
            let said = answer.header("grpc-message").expect("a message");
            assert_eq!(said.replace("%20", " "), message);
        }
    });
}

fn rule(name: &str) -> Value {
    json!({"name": name, "version": "v1.0", "protocol": "http"})
}

#[test]
fn only_the_apis_that_are_allowed_are_there() {
    let gate = json!({"api": {"allowed": [rule("invoke"), rule("state")], "denied": [rule("state")]}});
    let mesh = Mesh::builder().app("orders").app("warehouse").in_memory().gate(gate).start();
    let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
    let path = format!("/{}", unique("allowed"));
    warehouse.server.on(&path, Reply::status(200));
    orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(200);
    orders.get("/v1.0/healthz").send().expect(204);
    let calls = [
        orders.get("/v1.0/state/memory/key"),
        orders.post("/v1.0/publish/membus/topic").json(&json!({})),
        orders.post("/v1.0-alpha1/state/memory/query").json(&json!({})),
        orders.get("/v1.0/metadata"),
        orders.get("/v1.0/secrets/vault/key"),
    ];
    for call in calls {
        dapr::error(&call.send(), 404, "ERR_DIRECT_INVOKE");
    }
}

#[test]
fn an_invocation_that_is_not_allowed_is_not_there_in_any_form() {
    let mesh = Mesh::builder()
        .app("orders")
        .app("warehouse")
        .in_memory()
        .gate(json!({"api": {"denied": [rule("invoke")]}}))
        .start();
    let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
    warehouse.server.on_any(|_| Reply::status(200));
    let calls = [
        orders.get("/v1.0/invoke/warehouse/method/denied"),
        orders.get("/denied").header("dapr-app-id", "warehouse"),
        orders.get("/denied").header("authorization", "Basic ZGFwci1hcHAtaWQ6d2FyZWhvdXNl"),
        orders.get("/v1.0//invoke/warehouse/method/denied"),
    ];
    for call in calls {
        dapr::error(&call.send(), 404, "ERR_DIRECT_INVOKE");
    }
    assert!(warehouse.server.seen("/denied").is_empty());
    dapr::no_content(&orders.post("/v1.0/state/memory").json(&json!([{"key": "k", "value": 1}])).send());
}
