//! Every decision of the Weft filter, as pure logic behind one [`host::Host`] trait.
//!
//! The crate knows nothing of WebAssembly: it compiles and is tested natively.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod api;
pub mod app;
mod base64;
pub mod blocks;
pub mod by_name;
#[cfg(feature = "blocks")]
pub mod cel;
#[cfg(feature = "blocks")]
pub mod components;
pub mod config;
#[cfg(feature = "blocks")]
pub mod duration;
pub mod error;
pub mod exchange;
#[cfg(test)]
pub(crate) mod fake;
pub mod gate;
pub mod grpc;
pub mod host;
pub mod http;
pub mod inbound;
pub mod invoke;
pub mod json;
pub mod link_frames;
pub mod log_line;
mod placeholder;
#[cfg(feature = "blocks")]
mod protobuf;
#[cfg(feature = "blocks")]
pub mod pubsub;
pub mod resiliency;
pub mod runtime;
#[cfg(feature = "blocks")]
pub mod state;
pub mod telemetry;
#[cfg(feature = "blocks")]
mod timestamp;
pub mod worker;
