//! How the path that a caller writes becomes the path that the callee sees.

use super::MESHES;
use hyper::Method;
use serde_json::Value;
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::shared::Shared;

#[path = "paths/generated.rs"]
mod generated;
#[path = "paths/vectors.rs"]
mod vectors;

/// A proxy whose connection managers clean paths before the filters see them, as those of Istio do.
static CLEANING: Shared<Mesh> = Shared::new();

fn cleaning() -> Mesh {
    clean_first(Mesh::builder().app("orders").app("warehouse"))
}

fn clean_first(builder: Builder) -> Mesh {
    builder.edit(|bootstrap| managers(bootstrap, &|manager| manager["normalize_path"] = true.into())).start()
}

/// Changes every HTTP connection manager.
pub(super) fn managers(bootstrap: &mut Value, edit: &dyn Fn(&mut Value)) {
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten();
    for listener in listeners {
        edit(&mut listener["filter_chains"][0]["filters"][0]["typed_config"]);
    }
}

#[test]
fn repeated_slashes_collapse_before_the_target_is_read() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let name = dapr::unique("foo");
        warehouse.server.on(&format!("/{name}"), Reply::status(200));
        orders.get(&format!("/v1.0////invoke//warehouse/method//{name}")).send().expect(200);
        assert_eq!(warehouse.server.seen(&format!("/{name}")).len(), 1);
    });
}

#[test]
fn a_path_of_none_of_daprs_routes_belongs_to_the_application_that_the_header_names() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let mark = dapr::unique("fallback");
        warehouse.server.on_any(|_| Reply::status(200));
        let calls = [
            orders.get("/v1.0/nothing/here"),
            orders.get("/v2.0/invoke/x/method/y"),
            orders.get("/v1.0"),
            orders.get("/dapr/config"),
            // Known paths with verbs that are not theirs.
            orders.call(Method::PATCH, "/v1.0/state/store/key"),
            orders.delete("/v1.0/publish/pubsub/topic"),
            orders.post("/v1.0/healthz"),
        ];
        let count = calls.len();
        for call in calls {
            call.header("dapr-app-id", "warehouse").header("x-mark", &mark).send().expect(200);
        }
        let seen = warehouse.server.all_seen();
        assert_eq!(seen.iter().filter(|it| it.value("x-mark").as_ref() == Some(&mark)).count(), count);
        // Dapr's own routes stay Dapr's.
        orders.get("/v1.0/healthz/outbound").header("dapr-app-id", "warehouse").send().expect(204);
    });
}
