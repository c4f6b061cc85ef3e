//! What Weft promises to cost.

use crate::measure::Series;
use crate::memory::{self, Footprint};
use crate::report::{Report, Target};
use crate::{EVENT, GET, INVOKE, LARGER, NOOP_TWICE, PLAIN, PLAIN_TWICE, PUBLISH, SAVE, stores};
use weft_limits::READY;

/// Holds what was measured against the promises; those whose rows were not measured are left out.
pub fn judge(report: &Report) -> Vec<Target> {
    let mut targets = cpu(report);
    targets.extend(trends(report));
    targets.extend(footprints(report));
    targets.extend(weft_limits::ALL.iter().filter_map(|limits| {
        let file = limits.module;
        let (_, kib) = report.modules.iter().find(|(name, _)| name == file)?;
        Some(at_most(format!("size of {file}, KiB"), Series(vec![*kib]), f64::from(limits.size_kib)))
    }));
    targets.retain(|target| !target.measured.0.is_empty());
    targets
}

fn cpu(report: &Report) -> Vec<Target> {
    let ratio = |name: &str, of: &str| report.cost(name).cpu_us.over(&report.cost(of).cpu_us);
    let gets = report.cost(GET).per_second;
    let (bulk, single) = stores::bulk_and_single();
    vec![
        at_most("invoke over two no-op filters, CPU", ratio(INVOKE, NOOP_TWICE), 1.15),
        at_most("state get over proxying one request, CPU", ratio(GET, PLAIN), 0.85),
        at_most("state save over proxying one request, CPU", ratio(SAVE, PLAIN), 0.95),
        at_most("bulk get of 100 keys over a get of one, CPU", ratio(&bulk, &single), 10.0),
        Target { name: "state gets per second and worker".to_owned(), measured: gets, bound: 25_000.0, at_least: true },
        at_most("publish over proxying one request, CPU", ratio(PUBLISH, PLAIN), 1.1),
        at_most("delivered event over proxying one request, CPU", ratio(EVENT, PLAIN), 1.0),
    ]
}

/// An invocation over two plain Envoys, with one thing larger: no more than that costs otherwise, its spread included.
fn trends(report: &Report) -> Vec<Target> {
    let ratio = |invoke: &str, plain: &str| report.cost(invoke).cpu_us.over(&report.cost(plain).cpu_us);
    let usual = ratio(INVOKE, PLAIN_TWICE);
    if usual.0.is_empty() {
        return Vec::new();
    }
    let bound = usual.range().1;
    let larger = LARGER.map(|(what, plain, invoke, _)| {
        at_most(format!("invoke over two plain Envoys, {what}"), ratio(invoke, plain), bound)
    });
    std::iter::once(at_most("invoke over two plain Envoys", usual, bound)).chain(larger).collect()
}

/// Memory on one worker, and the time until ready on any number.
fn footprints(report: &Report) -> Vec<Target> {
    let one = |name: &str| report.memory.iter().find(|it| it.name == name && it.workers == 1);
    let Some(envoy) = one(memory::ENVOY) else { return Vec::new() };
    let beyond = |it: &Footprint| it.resident_mib.minus(&envoy.resident_mib);
    let mut targets = Vec::new();
    for (name, limits) in [(memory::ROUTE, weft_limits::ROUTE), (memory::WHOLE, weft_limits::WHOLE)] {
        let bound = f64::from(limits.resident_mib);
        targets.extend(one(name).map(|it| at_most(format!("{name}, MiB beyond Envoy, one worker"), beyond(it), bound)));
    }
    let weft = report.memory.iter().filter(|it| it.name == memory::WHOLE);
    targets.extend(weft.map(|it| {
        at_most(
            format!("{}, ms until ready, workers: {}", it.name, it.workers),
            it.ready_ms.clone(),
            READY.as_secs_f64() * 1e3,
        )
    }));
    targets
}

fn at_most(name: impl Into<String>, measured: Series, bound: f64) -> Target {
    Target { name: name.into(), measured, bound, at_least: false }
}
