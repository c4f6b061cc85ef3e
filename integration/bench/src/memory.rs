//! Memory and start-up: Envoy without and with Weft.

use crate::cpu;
use crate::rig::{self, Filter};
use serde::Serialize;
use std::time::{Duration, Instant};
use weft_tests::{env, ports};

/// What one kind of Envoy takes.
#[derive(Debug, Clone, Serialize)]
pub struct Footprint {
    /// What it is.
    pub name: String,
    /// Workers.
    pub workers: u32,
    /// Resident MiB after start.
    pub resident_mib: f64,
    /// The anonymous part of it.
    pub anonymous_mib: f64,
    /// Milliseconds from start until ready.
    pub ready_ms: f64,
}

/// Takes all footprints.
///
/// # Errors
/// An Envoy has ended.
pub fn all(app: u16, redis: u16) -> Result<Vec<Footprint>, String> {
    let mut found = Vec::new();
    for workers in [1, 4] {
        let begun = Instant::now();
        let plain = rig::plain_with(Filter::None, ports::free(), app, workers);
        found.push(footprint("Envoy", workers, &plain, begun)?);
        drop(plain);
        let begun = Instant::now();
        let (weft, _) = rig::redis_envoy(app, redis, workers);
        found.push(footprint("Envoy with weft.wasm", workers, &weft, begun)?);
    }
    Ok(found)
}

fn footprint(
    name: &str,
    workers: u32,
    envoy: &weft_tests::envoy::EnvoyProcess,
    begun: Instant,
) -> Result<Footprint, String> {
    let ready_ms = begun.elapsed().as_secs_f64() * 1e3;
    std::thread::sleep(Duration::from_millis(500));
    let (resident_mib, anonymous_mib) = cpu::memory(envoy.pid())?;
    Ok(Footprint { name: name.to_owned(), workers, resident_mib, anonymous_mib, ready_ms })
}

/// Sizes of the modules in KiB, by file name.
pub fn modules() -> Vec<(String, f64)> {
    [env::route_module(), env::module()]
        .iter()
        .filter_map(|path| {
            let size = std::fs::metadata(path).ok()?.len();
            Some((path.file_name()?.to_string_lossy().into_owned(), size as f64 / 1024.0))
        })
        .collect()
}
