//! The demo itself: runs the applications by `weft run -f`, sends an order and shows every hop that it took.

mod process;
mod redis;
mod report;
mod steps;

use process::Weft;
use redis::Redis;
use report::Report;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use steps::Scene;

/// Flags of the demo.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// End after the first round, with status 0 only if every step held.
    #[arg(long)]
    once: bool,
    /// Keep state and events in a Redis that the demo starts ($REDIS_SERVER_BIN, else redis-server).
    #[arg(long)]
    redis: bool,
}

/// Between two looks whether somebody has ended the demo.
const LOOK: Duration = Duration::from_millis(50);

/// A path as a person would write it in the current folder.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// Runs the demo.
///
/// # Errors
/// Something could not be started, or a step did not hold.
pub fn run(options: &Options) -> Result<(), String> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).map_err(|error| format!("signals: {error}"))?;
    }
    let redis = options.redis.then(Redis::start).transpose()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join(if options.redis { "run-redis.yaml" } else { "run.yaml" });
    println!("A shop, a warehouse and a courier, started by: weft run -f {}\n", from_here(&file).display());
    let mut weft = Weft::start(&file, redis.as_ref())?;
    let scene = Scene::default();
    let mut report = Report::default();
    let outcome = scene
        .wait_until_ready(&mut || weft.check(&ended))
        .and_then(|()| scene.play(redis.as_ref(), &mut report, &mut || weft.check(&ended)));
    if let Err(why) = outcome {
        // What was written says why.
        weft.show_lines();
        weft.stop();
        return Err(why);
    }
    report.end();
    if !options.once {
        scene.invite();
        weft.show_lines();
        while !ended.load(Ordering::Relaxed) && weft.is_running() {
            std::thread::sleep(LOOK);
        }
    }
    weft.stop();
    if report.failed() { Err("a step did not hold".to_owned()) } else { Ok(()) }
}
