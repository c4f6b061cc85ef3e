//! Stock Dapr SDKs, unchanged, in programs as their users write them; and plain HTTP clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sdk/go.rs"]
mod go;
#[path = "sdk/javascript.rs"]
mod javascript;
#[path = "sdk/python.rs"]
mod python;
#[path = "sdk/steps.rs"]
mod steps;
