//! Measuring: repetitions that take turns, medians and spreads.

use crate::{cpu, load};
use serde::Serialize;
use std::time::Duration;

/// Several measurements of one thing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Series(pub Vec<f64>);

impl Series {
    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The smallest and the largest.
    pub fn range(&self) -> (f64, f64) {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    }

    /// One over the other, repetition by repetition.
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    /// One less the other, repetition by repetition.
    pub fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }
}

/// What a chain costs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    /// CPU microseconds of all its Envoys, per request or event.
    pub cpu_us: Series,
    /// Requests or events per second.
    pub per_second: Series,
}

/// A request, to be sent again and again.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// Processes whose CPU time counts.
    pub pids: Vec<u32>,
    /// Where it goes in, on 127.0.0.1.
    pub port: u16,
    /// Its bytes.
    pub request: &'a [u8],
    /// The status of a good answer.
    pub wanted: u16,
    /// Connections that send it at the same time.
    pub connections: usize,
}

/// Sends a request for some time and notes its cost.
///
/// # Errors
/// An Envoy has ended, or an answer was not the wanted one: numbers of failures are worth nothing.
pub async fn once(rig: &Job<'_>, time: Duration, cost: &mut Cost) -> Result<(), String> {
    let pids = &rig.pids;
    let go = |time| load::run(rig.port, rig.request, rig.wanted, rig.connections, time);
    go(time / 5).await.map_err(|error| format!("{}: {error}", rig.name))?;
    let before = total(pids)?;
    let load = go(time).await.map_err(|error| format!("{}: {error}", rig.name))?;
    let used = total(pids)?.saturating_sub(before);
    if load.failed > 0 || load.done == 0 {
        return Err(format!("{}: {} of {} requests failed", rig.name, load.failed, load.failed + load.done));
    }
    cost.cpu_us.0.push(used.as_secs_f64() * 1e6 / load.done as f64);
    cost.per_second.0.push(load.per_second());
    Ok(())
}

/// Connections of the load generator, where nothing else is said.
pub const CONNECTIONS: usize = 16;

/// CPU time of several processes.
pub fn total(pids: &[u32]) -> Result<Duration, String> {
    pids.iter().map(|pid| cpu::used(*pid)).sum()
}
