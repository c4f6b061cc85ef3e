//! `weft run` and `weft render`: the real program with a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/api.rs"]
mod api;
#[path = "run/embedded.rs"]
mod embedded;
#[path = "run/endpoints.rs"]
mod endpoints;
#[path = "run/etcd.rs"]
mod etcd;
#[path = "run/failures.rs"]
mod failures;
#[path = "run/guard.rs"]
mod guard;
#[path = "run/life.rs"]
mod life;
#[path = "run/multi.rs"]
mod multi;
#[path = "run/postgres.rs"]
mod postgres;
#[path = "run/protocols.rs"]
mod protocols;
#[path = "run/render.rs"]
mod render;
#[path = "run/resiliency.rs"]
mod resiliency;
#[path = "run/resources.rs"]
mod resources;

use weft_tests::weft::Weft;

/// A shell script that says what it has found in its environment and then stays until it is ended.
const STAYS: &str = "echo http=$DAPR_HTTP_PORT; echo grpc=$DAPR_GRPC_PORT; echo pid=$$; exec sleep 600";

/// `weft run` of one application that stays, listening at `port` or not at all.
fn stays(port: Option<u16>, more: &[&str]) -> Weft {
    let port = port.map(|port| port.to_string());
    let mut arguments = vec!["run", "--app-id", "orders"];
    if let Some(port) = &port {
        arguments.extend(["--app-port", port]);
    }
    arguments.extend(more);
    arguments.extend(["--", "sh", "-c", STAYS]);
    Weft::start(arguments)
}

/// `host:port` of Dapr's HTTP API of [`stays`].
fn http(weft: &Weft) -> String {
    format!("127.0.0.1:{}", weft.number("http="))
}
