//! Stock Dapr SDKs, unchanged, in programs as their users write them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sdk/javascript.rs"]
mod javascript;
