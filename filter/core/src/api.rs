//! The front door for HTTP: from bytes to a typed route, and the answers that need no block.

pub mod path;
mod route;
mod unserved;

pub use route::{Route, UnservedApi, route};
pub use unserved::{body_too_large, unserved};
