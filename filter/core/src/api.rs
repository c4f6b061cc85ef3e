//! The front door for HTTP: from bytes to a typed route, and the answers that need no block.

pub mod path;
#[cfg(feature = "blocks")]
pub mod query;
mod route;
mod unserved;

pub use route::{Route, UnservedApi, route};
pub use unserved::{body_too_large, no_brokers, no_stores, unserved};
