//! Access control between applications of one proxy.

use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::client::Answer;
use weft_tests::dapr::{self, unique};
use weft_tests::env;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::shared::Meshes;

/// The warehouse lets orders read below `/stock` and do anything with `/orders`, the courier anything but `/stock`, and
/// whom else nothing but `/ready`.
fn builder(workers: u32) -> Builder {
    let policy = |app: &str, default: &str, operations| json!({"appId": app, "namespace": "default", "trustDomain": "public", "defaultAction": default, "operations": operations});
    let orders = json!([
        {"name": "/stock/**", "httpVerb": ["GET"], "action": "allow"},
        {"name": "/stock/secret", "httpVerb": ["*"], "action": "deny"},
        {"name": "/orders", "httpVerb": ["*"], "action": "allow"},
    ]);
    let courier = json!([{"name": "/stock/*", "httpVerb": ["*"], "action": "deny"}]);
    let control = json!({
        "defaultAction": "deny", "probes": ["/ready"],
        "policies": [policy("orders", "deny", orders), policy("courier", "allow", courier)],
    });
    Mesh::builder().workers(workers).app("orders").app("courier").app("stranger").app("warehouse").access(control)
}

static MESHES: Meshes = Meshes::new(|workers| builder(workers).start());
/// The same with the module that does nothing but routing.
static SMALL: Meshes = Meshes::new(|workers| builder(workers).module(env::route_module()).start());

fn call(mesh: &Mesh, caller: &str, verb: &str, path: &str) -> Answer {
    mesh.app("warehouse").server.on_any(|_| Reply::status(200));
    let verb = verb.parse().unwrap();
    mesh.app(caller).call(verb, &format!("/v1.0/invoke/warehouse/method{path}")).send()
}

#[test]
fn callers_may_do_what_their_policy_allows_and_nothing_else() {
    for meshes in [&MESHES, &SMALL] {
        meshes.each(|mesh| {
            for (caller, verb, path, status) in [
                ("orders", "GET", "/stock/1", 200),
                ("orders", "GET", "/STOCK/1/2", 200),
                ("orders", "POST", "/stock/1", 403),
                ("orders", "GET", "/stock/secret", 403),
                ("orders", "GET", "/stock/x/..%2Fsecret", 403),
                ("orders", "DELETE", "/orders", 200),
                ("orders", "GET", "/other", 403),
                ("courier", "PATCH", "/other", 200),
                ("courier", "GET", "/stock/1", 403),
                ("courier", "GET", "/stock/1/2", 200),
                ("stranger", "GET", "/stock/1", 403),
                ("stranger", "GET", "/ready", 200),
                ("stranger", "POST", "/ready", 403),
            ] {
                assert_eq!(call(mesh, caller, verb, path).status, status, "{caller} {verb} {path}");
            }
        });
    }
}

#[test]
fn a_call_that_is_denied_gets_daprs_error_and_never_reaches_the_application() {
    MESHES.each(|mesh| {
        let path = format!("/{}", unique("denied"));
        let body = dapr::error(&call(mesh, "orders", "PUT", &path), 403, "ERR_DIRECT_INVOKE");
        let wanted = format!(
            "failed to invoke, id: warehouse, err: rpc error: code = PermissionDenied desc = access control policy has denied \
             access to id:  operation: {path} verb: PUT"
        );
        assert_eq!(body["message"], wanted);
        assert!(mesh.app("warehouse").server.seen(&path).is_empty());
    });
}

#[test]
fn a_forged_caller_changes_nothing() {
    MESHES.each(|mesh| {
        let forge = |caller: &str, path: &str| {
            let call = mesh.app(caller).get(&format!("/v1.0/invoke/warehouse/method{path}"));
            call.header("dapr-caller-app-id", "courier").header("dapr-caller-namespace", "default").send()
        };
        assert_eq!(forge("orders", "/other").status, 403);
        assert_eq!(forge("stranger", "/other").status, 403);
    });
}

#[test]
fn an_application_that_calls_itself_is_not_judged() {
    MESHES.each(|mesh| {
        assert_eq!(call(mesh, "warehouse", "POST", "/stock/secret").status, 200);
    });
}
