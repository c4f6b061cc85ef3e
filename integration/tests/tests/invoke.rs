//! Service invocation as applications see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use weft::bootstrap::Protocol;
use weft_tests::mesh::Mesh;
use weft_tests::shared::Meshes;

#[path = "invoke/breakers.rs"]
mod breakers;
#[path = "invoke/delegation.rs"]
mod delegation;
#[path = "invoke/errors.rs"]
mod errors;
#[path = "invoke/gate.rs"]
mod gate;
#[path = "invoke/grpc.rs"]
mod grpc;
#[path = "invoke/headers.rs"]
mod headers;
#[path = "invoke/hostile.rs"]
mod hostile;
#[path = "invoke/ids.rs"]
mod ids;
#[path = "invoke/made_up.rs"]
mod made_up;
#[path = "invoke/outside.rs"]
mod outside;
#[path = "invoke/outside_tls.rs"]
mod outside_tls;
#[path = "invoke/pairs.rs"]
mod pairs;
#[path = "invoke/paths.rs"]
mod paths;
#[path = "invoke/resiliency.rs"]
mod resiliency;
#[path = "invoke/streams.rs"]
mod streams;
#[path = "invoke/target.rs"]
mod target;
#[path = "invoke/traces.rs"]
mod traces;

static MESHES: Meshes = Meshes::new(|workers| {
    let apps = Mesh::builder().workers(workers).app("orders").app("warehouse").dead_app("ghost");
    apps.app("modern").protocol(Protocol::H2c).dead_app("wire").start()
});
