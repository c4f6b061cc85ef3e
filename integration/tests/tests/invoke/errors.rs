//! What a caller is told when its call cannot be made, and what it is not told otherwise.

use super::MESHES;
use weft_tests::app::Reply;
use weft_tests::dapr::{self, unique};

#[test]
fn any_status_of_the_application_is_passed_on_with_its_body() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        for status in [200, 201, 202, 206, 301, 307, 400, 401, 404, 409, 418, 429, 500, 501, 502, 503, 504, 599] {
            let path = format!("/{}", unique("status"));
            let reply =
                Reply::bytes(status, format!("said {status}")).with("content-type", "text/x").with("location", "/l");
            warehouse.server.on(&path, reply);
            let answer = orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send().expect(status);
            assert_eq!(answer.text(), format!("said {status}"));
            assert_eq!(answer.header("content-type"), Some("text/x"));
            assert_eq!(answer.header("location"), Some("/l"));
            assert_eq!(warehouse.server.seen(&path).len(), 1, "{status}");
        }
    });
}

#[test]
fn an_unknown_application_is_daprs_500() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let by_path = orders.get("/v1.0/invoke/nobody/method/x").send();
        let by_header = orders.post("/x").header("dapr-app-id", "nobody").body("b").send();
        for answer in [by_path, by_header] {
            let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
            let message = body["message"].as_str().unwrap();
            assert!(message.starts_with("failed to invoke, id: nobody, err: "), "{message}");
        }
    });
}

#[test]
fn an_application_that_does_not_run_is_daprs_500() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        for call in [orders.get("/v1.0/invoke/ghost/method/x"), orders.post("/v1.0/invoke/ghost/method/x").body("b")] {
            let answer = call.send();
            let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
            let message = body["message"].as_str().unwrap();
            assert!(message.starts_with("failed to invoke, id: ghost, err: "), "{message}");
        }
    });
}

#[test]
fn a_request_that_names_no_application_is_daprs_404() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let calls = [
            orders.get("/"),
            orders.get("/unknown"),
            orders.post("/v1.0/nothing/here").body("x"),
            orders.get("/v1.0/invoke/warehouse"),
            orders.delete("/v1.0/publish/pubsub/topic"),
            orders.get("/x").header("authorization", "Basic dXNlcjpwYXNz"),
            // base64 of `dapr-app-id:a:b`
            orders.get("/x").header("authorization", "Basic ZGFwci1hcHAtaWQ6YTpi"),
        ];
        for call in calls {
            let what = format!("{call:?}");
            let body = dapr::error(&call.send(), 404, "ERR_DIRECT_INVOKE");
            let wanted = "failed getting app id either from the URL path or the header dapr-app-id";
            assert_eq!(body["message"], wanted, "{what}");
        }
    });
}

#[test]
fn an_id_that_cannot_be_one_is_daprs_500() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let answer = orders.get("/v1.0/invoke/warehouse.default.more/method/x").send();
        dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
    });
}

#[test]
fn an_application_that_ends_its_connection_without_an_answer_is_daprs_500() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        let path = format!("/{}", unique("hang-up"));
        let warehouse = mesh.app("warehouse");
        warehouse.server.hangs_up_on(&path);
        let answer = orders.get(&format!("/v1.0/invoke/warehouse/method{path}")).send();
        dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
        assert_eq!(warehouse.server.seen(&path).len(), 1, "an invocation is not repeated");
    });
}
