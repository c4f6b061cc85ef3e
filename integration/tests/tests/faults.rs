//! What goes wrong around Weft: a backend that dies, requests that nobody should send.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "faults/linear.rs"]
mod linear;
#[path = "faults/malformed.rs"]
mod malformed;
#[path = "faults/memory.rs"]
mod memory;
#[path = "faults/oversized.rs"]
mod oversized;
#[path = "faults/redis.rs"]
mod redis;
