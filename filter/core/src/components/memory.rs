//! State and publish/subscribe kept in the memory that an Envoy's workers share.
//!
//! Envoy offers keys with versions and a compare-and-set of one whole value; nothing is ever deleted. So each
//! component uses a fixed set of keys under `weft/mem/`, common to all applications of the proxy, and every change
//! is one compare-and-set. The memory lasts as long as the proxy's process.

pub mod pubsub;
pub mod state;
mod wire;
