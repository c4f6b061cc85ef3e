//! Weft's library: Envoy's configuration for Dapr applications.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod assemble;
pub mod bootstrap;
pub mod etcd;
pub mod modules;
mod pem;
pub mod postgres;
pub mod problem;
pub mod redis;
pub mod resources;
pub mod runfile;
mod settings;
pub mod yaml;
