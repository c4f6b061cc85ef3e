//! State and publish/subscribe kept in the memory that an Envoy's workers share.
//!
//! Envoy offers keys with versions and a compare-and-set of one whole value; nothing is ever deleted. So each
//! component uses a fixed set of keys under `weft/mem/`, common to all applications of the proxy, and every change
//! is one compare-and-set. The memory lasts as long as the proxy's process.

use crate::config::Component;

pub mod pubsub;
pub mod state;
mod wire;

/// One line for each metadata name that the component does not know.
fn refuse_unknown(component: &Component, known: &[&str], errors: &mut Vec<String>) {
    for name in component.metadata.keys() {
        if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            errors.push(format!(
                "component {:?}: {} has no metadata {name:?}; it takes {}",
                component.name,
                component.kind,
                known.join(", ")
            ));
        }
    }
    if component.version != "v1" {
        errors.push(format!(
            "component {:?}: {} has no version {:?}; use v1",
            component.name, component.kind, component.version
        ));
    }
}
