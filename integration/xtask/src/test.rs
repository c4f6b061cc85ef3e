//! `cargo xtask test`: the lanes, one after the other, and one line of totals.

mod lanes;
mod totals;

use crate::process::{Outcome, say};
use std::time::{Duration, Instant};
use totals::Totals;

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lane {
    /// Format and lints.
    Lint,
    /// Unit and scenario tests on the host.
    Unit,
    /// The core's tests once more on 32-bit WebAssembly, in Node.
    Wasm,
    /// The modules in a real Envoy with a real Redis.
    Envoy,
    /// The stock SDKs for JavaScript and Python, and Go's HTTP client, against them.
    Sdk,
}

/// Flags of the tests.
#[derive(clap::Args)]
pub struct Options {
    /// Run only this lane.
    #[arg(long, value_enum)]
    only: Option<Lane>,
    /// Test in this release of Envoy: 1.40.0, 1.39.3, 1.37.0 or 1.36.4, or another one that ENVOY_BIN is.
    #[arg(long)]
    envoy: Option<String>,
}

struct Row {
    lane: Lane,
    time: Duration,
    totals: Totals,
    why: Option<String>,
}

/// Flags of the tests that go on.
#[derive(clap::Args)]
pub struct SoakOptions {
    /// For how many minutes each test goes on.
    #[arg(long, default_value_t = 2)]
    minutes: u32,
    /// Test in this release of Envoy, as for `test`.
    #[arg(long)]
    envoy: Option<String>,
}

/// Runs those tests that can go on for longer: faults under load, lost events, memory. They print what they count.
///
/// # Errors
/// A test that failed.
pub fn soak(options: &SoakOptions) -> Outcome {
    say(&format!("each test goes on for {} minutes", options.minutes));
    let totals = lanes::soak(options.envoy.as_deref(), u64::from(options.minutes) * 60).map_err(|(_, why)| why)?;
    println!("\n{} passed", totals.passed);
    if totals.passed == 0 { Err("no test was run".to_owned()) } else { Ok(()) }
}

/// Runs the lanes.
///
/// # Errors
/// A test that failed, or no test at all.
pub fn run(options: &Options) -> Outcome {
    let all = [Lane::Lint, Lane::Unit, Lane::Wasm, Lane::Envoy, Lane::Sdk];
    let mut rows = Vec::new();
    for lane in all.into_iter().filter(|lane| options.only.is_none_or(|only| only == *lane)) {
        say(&format!("lane {lane:?}").to_lowercase());
        let begun = Instant::now();
        let (totals, why) = match lanes::run(lane, options.envoy.as_deref()) {
            Ok(totals) => (totals, None),
            Err((totals, why)) => (totals, Some(why)),
        };
        let row = Row { lane, time: begun.elapsed(), totals, why };
        println!("{}", row.text());
        rows.push(row);
    }
    println!("\nlane       time  passed  failed skipped");
    rows.iter().for_each(|row| println!("{}", row.text()));
    let sum = rows.iter().map(Row::counted).fold(Totals::default(), Totals::plus);
    println!("\n{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    if sum.failed > 0 || sum.passed == 0 {
        let why = rows.iter().filter_map(|row| row.why.clone()).collect::<Vec<_>>().join("; ");
        return Err(format!("the tests failed: {why}"));
    }
    Ok(())
}

impl Row {
    /// A lane that broke off counts as one failure if no test of it says so.
    fn counted(&self) -> Totals {
        let mut totals = self.totals;
        if self.why.is_some() && totals.failed == 0 {
            totals.failed = 1;
        }
        totals
    }

    fn text(&self) -> String {
        let totals = self.counted();
        let name = format!("{:?}", self.lane).to_lowercase();
        let seconds = self.time.as_secs();
        let why = self.why.as_ref().map(|why| format!("  {why}")).unwrap_or_default();
        format!("{name:<8}{seconds:>5} s{:>8}{:>8}{:>8}{why}", totals.passed, totals.failed, totals.skipped)
    }
}
