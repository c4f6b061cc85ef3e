//! The callee's side: who may call an application, and what stands between a call and it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "callee/access.rs"]
mod access;
#[path = "callee/certificates.rs"]
mod certificates;
#[path = "callee/concurrency.rs"]
mod concurrency;
#[path = "callee/health.rs"]
mod health;
#[path = "callee/paths.rs"]
mod paths;
#[path = "callee/token.rs"]
mod token;
