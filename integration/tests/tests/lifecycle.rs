//! What a filter lives through: clients that leave, traps, new configurations, backends that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use weft_tests::client::Answer;
use weft_tests::mesh::Mesh;
use weft_tests::wait;

#[path = "lifecycle/clients.rs"]
mod clients;
#[path = "lifecycle/links.rs"]
mod links;
#[path = "lifecycle/logs.rs"]
mod logs;
#[path = "lifecycle/threads.rs"]
mod threads;
#[path = "lifecycle/traps.rs"]
mod traps;
#[path = "lifecycle/updates.rs"]
mod updates;

/// Commands that left for a backend so far.
fn commands(mesh: &Mesh) -> u64 {
    mesh.envoy.admin().stat("wasmcustom.weft.link.commands")
}

/// The message of Dapr's error in an answer of that status and code.
fn message(answer: &Answer, status: u16, code: &str) -> String {
    let body = weft_tests::dapr::error(answer, status, code);
    body["message"].as_str().expect("a message").to_owned()
}

/// Waits until a store answers again, and gives the value that it then has for a key.
fn value(mesh: &Mesh, app: &str, path: &str) -> String {
    wait::until("the store answers", wait::SOON, || {
        let answer = mesh.app(app).get(path).send();
        (answer.status == 200).then(|| answer.text())
    })
}
