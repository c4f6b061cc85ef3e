//! Caller and callee behind one Envoy, and behind one each with mutual TLS between them: the same tests on both.

use super::MESHES;
use hyper::Method;
use weft_tests::app::TestApp;
use weft_tests::client::Call;
use weft_tests::mesh::Mesh;
use weft_tests::node::{Nodes, Spec};
use weft_tests::raw::Raw;
use weft_tests::shared::Shared;

/// `orders`, which calls, and whom it calls.
pub enum Pair<'a> {
    /// Behind one Envoy.
    One(&'a Mesh),
    /// Behind an Envoy each.
    Two(&'a Nodes),
}

/// Runs `test` behind one Envoy, on one worker and on four, and behind two.
pub fn each(test: impl Fn(&Pair<'_>)) {
    static NODES: Shared<Nodes> = Shared::new();
    MESHES.each(|mesh| test(&Pair::One(mesh)));
    let nodes = NODES.get(two);
    test(&Pair::Two(&nodes));
    nodes.check_logs();
}

/// An Envoy each for the caller, the callee and a callee that speaks HTTP/2.
pub fn two() -> Nodes {
    let identity = |id: &str| format!("spiffe://cluster.local/ns/shop/sa/{id}");
    let spec = |id: &str| Spec::new(id, Some(&identity(id)));
    Nodes::start(2, &[spec("orders"), spec("warehouse"), spec("modern").http2()])
}

impl Pair<'_> {
    /// The address of the caller's Dapr HTTP API.
    pub fn http(&self) -> String {
        match self {
            Self::One(mesh) => mesh.app("orders").http(),
            Self::Two(nodes) => nodes.get("orders").http(),
        }
    }

    /// The address of the caller's Dapr gRPC API.
    pub fn grpc(&self) -> String {
        match self {
            Self::One(mesh) => mesh.app("orders").grpc(),
            Self::Two(nodes) => nodes.get("orders").grpc(),
        }
    }

    /// A connection of the caller to its Dapr HTTP API.
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.http())
    }

    /// A `POST` of the caller to its Dapr HTTP API.
    pub fn post(&self, path: &str) -> Call {
        Call::new(Method::POST, &self.http(), path)
    }

    /// `warehouse`.
    pub fn warehouse(&self) -> &TestApp {
        self.server("warehouse")
    }

    /// One of those that are called.
    pub fn server(&self, id: &str) -> &TestApp {
        match self {
            Self::One(mesh) => &mesh.app(id).server,
            Self::Two(nodes) => &nodes.get(id).server,
        }
    }

    /// The Envoys between the two.
    pub fn envoys(&self) -> Vec<u32> {
        match self {
            Self::One(mesh) => vec![mesh.envoy.pid()],
            Self::Two(nodes) => ["orders", "warehouse"].map(|id| nodes.get(id).envoy().pid()).to_vec(),
        }
    }
}
