//! The harness of Weft's integration tests: a real Envoy with the module in it, real servers behind it, and applications and
//! clients whose every byte a test can see.
//!
//! `cargo xtask test` builds the module, fetches what is needed and sets the variables that [`env`] reads.

// A harness reports a broken environment by failing the test that runs on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod app;
pub mod certificates;
pub mod client;
pub mod collector;
pub mod dapr;
pub mod env;
pub mod envoy;
pub mod etcd;
pub mod example;
pub mod fault_proxy;
pub mod grpc;
pub mod istio;
pub mod linear;
pub mod mesh;
pub mod names;
pub mod node;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod raw;
pub mod redis;
pub mod redis_cluster;
pub mod redis_sentinel;
pub mod runtime;
pub mod shared;
pub mod soak;
pub mod stub;
pub mod tls;
pub mod wait;
pub mod weft;
pub mod yaml;
