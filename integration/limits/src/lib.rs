//! What Weft's modules may take. `cargo xtask wasm` and `cargo xtask bench` judge by these numbers.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

use std::time::Duration;

/// The bounds of one module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// File name of the module.
    pub module: &'static str,
    /// Size of the file, in KiB.
    pub size_kib: u32,
    /// Resident memory of an Envoy with one worker beyond that of an Envoy without a filter, in MiB.
    pub resident_mib: u32,
}

/// Invocation only.
pub const ROUTE: Limits = Limits { module: "weft-route.wasm", size_kib: 220, resident_mib: 24 };
/// State and publish/subscribe too.
pub const WHOLE: Limits = Limits { module: "weft.wasm", size_kib: 600, resident_mib: 32 };
/// Every component that there is.
pub const FULL: Limits = Limits { module: "weft-full.wasm", size_kib: 1100, resident_mib: 44 };
/// All modules, from the smallest.
pub const ALL: [Limits; 3] = [ROUTE, WHOLE, FULL];

/// How long an Envoy with any of them may take until it is ready.
pub const READY: Duration = Duration::from_secs(1);
