//! The callee's side: who may call an application, and what stands between a call and it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "callee/access.rs"]
mod access;
#[path = "callee/certificates.rs"]
mod certificates;
#[path = "callee/concurrency.rs"]
mod concurrency;
#[path = "callee/forwarded.rs"]
mod forwarded;
#[path = "callee/health.rs"]
mod health;
#[path = "callee/paths.rs"]
mod paths;
#[path = "callee/token.rs"]
mod token;

use serde_json::Value;
use weft::bootstrap::Guard;
use weft_tests::mesh::Mesh;

/// `orders`, and `warehouse` whose port is guarded and which takes these events from the broker `membus`.
fn guarded(workers: u32, guard: Guard, subscriptions: Value) -> Mesh {
    let builder = Mesh::builder().workers(workers).in_memory().app("orders").app("warehouse");
    builder.guard(guard).subscriptions(subscriptions).start()
}
