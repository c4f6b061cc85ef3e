//! Memory and start-up: Envoy without and with Weft.

use crate::cpu;
use crate::measure::Series;
use crate::rig::{self, Filter};
use serde::Serialize;
use std::time::{Duration, Instant};
use weft_tests::envoy::EnvoyProcess;
use weft_tests::{env, ports};

/// Name of the Envoy without a filter.
pub const ENVOY: &str = "Envoy";
/// Name of the one with a filter that does nothing.
pub const NOOP: &str = "Envoy with a no-op filter";
/// Name of the one that only routes.
pub const ROUTE: &str = "Envoy with weft-route.wasm";
/// Name of the one with state and publish/subscribe on Redis.
pub const WHOLE: &str = "Envoy with weft.wasm";

/// What one kind of Envoy takes.
#[derive(Debug, Clone, Serialize)]
pub struct Footprint {
    /// What it is.
    pub name: &'static str,
    /// Workers.
    pub workers: u32,
    /// Resident MiB after start.
    pub resident_mib: Series,
    /// The anonymous part of it.
    pub anonymous_mib: Series,
    /// Milliseconds from start until ready.
    pub ready_ms: Series,
}

/// Takes all footprints, each kind in turn.
///
/// # Errors
/// An Envoy has ended.
pub fn all(repetitions: u32, app: u16, redis: u16) -> Result<Vec<Footprint>, String> {
    let mut found = Vec::new();
    for workers in [1, 4] {
        let start = |filter| rig::plain_with(filter, ports::free(), app, workers);
        let kinds: [(&'static str, &dyn Fn() -> EnvoyProcess); 4] = [
            (ENVOY, &|| start(Filter::None)),
            (NOOP, &|| start(Filter::Noop)),
            (ROUTE, &|| start(Filter::Route)),
            (WHOLE, &|| rig::redis_envoy(app, redis, workers).0),
        ];
        let empty = |name| Footprint {
            name,
            workers,
            resident_mib: Series::default(),
            anonymous_mib: Series::default(),
            ready_ms: Series::default(),
        };
        let mut footprints = kinds.map(|(name, _)| empty(name));
        for _ in 0..repetitions {
            for ((_, start), footprint) in kinds.iter().zip(&mut footprints) {
                footprint.take(start)?;
            }
        }
        found.extend(footprints);
    }
    Ok(found)
}

impl Footprint {
    fn take(&mut self, start: impl Fn() -> EnvoyProcess) -> Result<(), String> {
        let begun = Instant::now();
        let envoy = start();
        self.ready_ms.0.push(begun.elapsed().as_secs_f64() * 1e3);
        // V8 frees what compiling took a moment later.
        std::thread::sleep(Duration::from_millis(500));
        let (resident, anonymous) = cpu::memory(envoy.pid())?;
        self.resident_mib.0.push(resident);
        self.anonymous_mib.0.push(anonymous);
        Ok(())
    }
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
