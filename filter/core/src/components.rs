//! The components: each a protocol client without sockets and an adapter to a block's trait.
//!
//! One folder, one cargo feature and one line in [`build_store`] or [`build_broker`] each.

use crate::config::{Component, Problem};
use crate::host::TcpTarget;
use crate::pubsub::Broker;
use crate::runtime::Runtime;
use crate::state::StateStore;
use std::rc::Rc;

#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
mod reader;
#[cfg(feature = "redis")]
pub mod redis;

/// What every component is built from.
#[derive(Clone)]
pub struct Site {
    /// The flows of the root context.
    pub runtime: Runtime,
    /// The application's id.
    pub app_id: String,
    /// The application's namespace.
    pub namespace: String,
    /// The backend's address, for components that have one.
    pub target: Option<TcpTarget>,
}

/// A value of a component's metadata, found without regard to case.
pub fn metadata<'a>(component: &'a Component, name: &str) -> Option<&'a str> {
    component.metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Builds a state store.
///
/// # Errors
/// Each thing in the component that cannot be used; the paths begin at the component.
#[inline(never)]
pub fn build_store(component: &Component, site: &Site) -> Result<Rc<dyn StateStore>, Vec<Problem>> {
    match component.kind.as_str() {
        #[cfg(feature = "memory")]
        "state.in-memory" => memory::state::build(component, site),
        #[cfg(feature = "redis")]
        "state.redis" => redis::state::build(component, site),
        #[cfg(feature = "postgres")]
        "state.postgresql" | "state.postgres" => postgres::state::build(component, site),
        #[cfg(feature = "etcd")]
        "state.etcd" => etcd::state::build(component, site),
        other => Err(vec![unsupported(other)]),
    }
}

/// Builds a broker.
///
/// # Errors
/// Each thing in the component that cannot be used; the paths begin at the component.
#[inline(never)]
pub fn build_broker(component: &Component, site: &Site) -> Result<Rc<dyn Broker>, Vec<Problem>> {
    match component.kind.as_str() {
        #[cfg(feature = "memory")]
        "pubsub.in-memory" => memory::pubsub::build(component, site),
        #[cfg(feature = "redis")]
        "pubsub.redis" => redis::pubsub::build(component, site),
        other => Err(vec![unsupported(other)]),
    }
}

#[inline(never)]
fn unsupported(kind: &str) -> Problem {
    let first = if ONLY_IN_FULL.contains(&kind) { "load weft-full.wasm, or use one of " } else { "use one of " };
    let remedy = [first, &SUPPORTED.join(", ")].concat();
    Problem::new(".type", format!("is {kind:?}, which is not in this module"), remedy)
}

/// The component types of this module.
pub const SUPPORTED: &[&str] = &[
    #[cfg(feature = "memory")]
    "state.in-memory",
    #[cfg(feature = "memory")]
    "pubsub.in-memory",
    #[cfg(feature = "redis")]
    "state.redis",
    #[cfg(feature = "redis")]
    "pubsub.redis",
    #[cfg(feature = "postgres")]
    "state.postgresql",
    #[cfg(feature = "postgres")]
    "state.postgres",
    #[cfg(feature = "etcd")]
    "state.etcd",
];

/// The component types that are in no smaller module than `weft-full.wasm`.
const ONLY_IN_FULL: &[&str] = &["state.postgresql", "state.postgres", "state.etcd"];

/// Whether no smaller module than `weft-full.wasm` serves a component.
#[cfg(feature = "redis")]
pub fn needs_full(component: &Component) -> bool {
    let kind = component.kind.as_str();
    ONLY_IN_FULL.contains(&kind) || kind.ends_with(".redis") && redis::has_many_servers(component)
}

#[cfg(test)]
mod tests;
