//! Go's `net/http` without any SDK: Dapr's own for Go invokes by gRPC only.

use super::steps::{Steps, answered, fetched, port, warehouse};
use std::process::Command;
use weft_tests::mesh::Mesh;

#[test]
fn gos_http_client_invokes_by_name() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).app("warehouse").app("shop").start();
        warehouse(&mesh);
        let mut caller = Command::new(fetched("WEFT_SDK_GO"));
        let steps = Steps::of_program(caller.env("DAPR_HTTP_PORT", port(&mesh.app("shop").http())));
        steps.gave("header get", &answered(200, r#"{"tea":42}"#));
        let query = mesh.app("warehouse").server.seen("/stock").iter().find_map(|seen| seen.query().map(str::to_owned));
        assert_eq!(query.as_deref(), Some("x=%20y"));
        steps.gave("header post", &answered(200, r#"POST /orders/echo  {"n":1}"#));
        steps.gave("streamed", &answered(200, "POST /orders/echo  one two"));
        steps.gave("path get", &answered(200, r#"{"tea":42}"#));
        steps.gave("own error", &answered(503, r#"{"mine":true}"#));
        let nobody = steps.of("header nobody");
        assert_eq!(nobody["value"]["status"], 500);
        assert!(nobody.to_string().contains("ERR_DIRECT_INVOKE"), "{nobody}");
        mesh.envoy.check_log();
    }
}
