//! `dapr` for Python: its invocation over HTTP, and `requests` without it.

use super::steps::{Steps, answered, fetched, port, warehouse};
use serde_json::json;
use std::process::Command;
use weft_tests::env;
use weft_tests::mesh::Mesh;

#[test]
fn the_python_sdk_and_requests_invoke_by_name() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).app("warehouse").app("shop").start();
        warehouse(&mesh);
        let mut python = Command::new(env::on_path("python3").expect("python3 is on PATH"));
        let folder = fetched("WEFT_SDK_PYTHON");
        let shop = mesh.app("shop");
        python
            .arg(folder.join("caller.py"))
            .env("PYTHONPATH", folder.join("packages"))
            .env("DAPR_HTTP_PORT", port(&shop.http()))
            .env("DAPR_GRPC_PORT", port(&shop.http()))
            .env("DAPR_RUNTIME_HOST", "127.0.0.1");
        let steps = Steps::of_program(&mut python);
        assert_eq!(steps.of("healthy"), true);
        by_sdk(&mesh, &steps);
        by_requests(&steps);
        mesh.envoy.check_log();
    }
}

fn by_sdk(mesh: &Mesh, steps: &Steps) {
    let answered = |kind: &str, body: &str| json!({"status": 200, "body": body, "type": kind});
    steps.gave("get", &answered("application/json", r#"{"tea":42}"#));
    let sent = r#"{"sku": "tea", "name": "Gr\u00fcner Tee"}"#;
    let target = "/orders/echo?a=1&a=2+3";
    steps.gave("post", &answered("text/plain", &format!("POST {target} application/json {sent}")));
    let seen = mesh.app("warehouse").server.seen("/orders/echo");
    let own = seen.iter().find(|seen| seen.target == target).unwrap();
    assert_eq!(own.value("x-own").as_deref(), Some("mine"));
    assert_eq!(own.value("dapr-caller-app-id").as_deref(), Some("shop"));
    assert_eq!(own.value("dapr-callee-app-id").as_deref(), Some("warehouse"));
    let bytes = seen.iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!(bytes.body, (0..=255).collect::<Vec<u8>>());
    // The SDK raises for an application's own error too, with its text.
    steps.refused("own error", "503");
    steps.refused("nobody", "ERR_DIRECT_INVOKE");
}

fn by_requests(steps: &Steps) {
    steps.gave("header get", &answered(200, r#"{"tea":42}"#));
    steps.gave("header post", &answered(200, r#"POST /orders/echo application/json {"n": 1}"#));
    steps.gave("basic auth", &answered(200, r#"{"tea":42}"#));
    steps.gave("streamed", &answered(200, "POST /orders/echo  one two three"));
    let nobody = steps.of("path nobody");
    assert_eq!(nobody["value"]["status"], 500);
    assert!(nobody.to_string().contains("ERR_DIRECT_INVOKE"), "{nobody}");
}
