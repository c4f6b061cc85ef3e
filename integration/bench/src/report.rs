//! The table for people and the figures for machines.

use crate::measure::{Cost, Series};
use crate::memory::Footprint;
use serde::Serialize;

/// A promise: one cost over another, or a rate.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What it says.
    pub name: String,
    /// What was measured.
    pub measured: Series,
    /// The bound.
    pub bound: f64,
    /// Whether more is better.
    pub at_least: bool,
}

impl Target {
    fn holds(&self) -> bool {
        if self.at_least { self.measured.median() >= self.bound } else { self.measured.median() <= self.bound }
    }
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Costs by name, in order.
    pub costs: Vec<(String, Cost)>,
    /// Promises.
    pub targets: Vec<Target>,
    /// What Redis itself does: operations per second, as `redis-benchmark` says, and commands that it gets at once.
    pub redis: Vec<(String, f64)>,
    /// Memory and start-up.
    pub memory: Vec<Footprint>,
    /// Sizes of the modules in KiB.
    pub modules: Vec<(String, f64)>,
}

impl Report {
    /// The cost of that name; an empty one if there is none.
    pub fn cost(&self, name: &str) -> Cost {
        self.costs.iter().find(|(key, _)| key == name).map(|(_, cost)| cost.clone()).unwrap_or_default()
    }

    /// For people.
    pub fn print(&self) {
        println!("\n{:<46}{:>22}{:>26}", "work", "CPU us per request", "per second");
        for (name, cost) in &self.costs {
            println!("{name:<46}{:>22}{:>26}", spread(&cost.cpu_us, 1), spread(&cost.per_second, 0));
        }
        for (name, rate) in &self.redis {
            println!("{name:<46}{:>22}{rate:>26.1}", "");
        }
        println!("\n{:<62}{:>20}{:>10}  holds", "target", "measured", "bound");
        for target in &self.targets {
            let sign = if target.at_least { ">=" } else { "<=" };
            let holds = if target.holds() { "yes" } else { "NO" };
            println!(
                "{:<62}{:>20}{sign:>4}{:>6}  {holds}",
                target.name,
                spread(&target.measured, 2),
                rounded(target.bound)
            );
        }
        if self.memory.is_empty() {
            return;
        }
        println!("\n{:<28}{:>8}{:>22}{:>22}{:>18}", "memory", "workers", "resident MiB", "anonymous MiB", "ready ms");
        for it in &self.memory {
            println!(
                "{:<28}{:>8}{:>22}{:>22}{:>18}",
                it.name,
                it.workers,
                spread(&it.resident_mib, 1),
                spread(&it.anonymous_mib, 1),
                spread(&it.ready_ms, 0)
            );
        }
        for (name, kib) in &self.modules {
            println!("{name:<28}{kib:>24.1} KiB");
        }
    }
}

/// With two digits after the point at most.
fn rounded(bound: f64) -> f64 {
    (bound * 100.0).round() / 100.0
}

/// The median and, in brackets, the smallest and the largest.
fn spread(series: &Series, digits: usize) -> String {
    let (least, most) = series.range();
    format!("{:.digits$} [{least:.digits$}-{most:.digits$}]", series.median())
}
