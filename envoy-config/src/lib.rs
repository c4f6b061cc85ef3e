//! Weft's library: Envoy's configuration for Dapr applications.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod bootstrap;
pub mod modules;
