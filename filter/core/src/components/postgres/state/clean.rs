//! Removing values whose time has come, by one worker at a time.
//!
//! Who does it is decided in the database, by the row in which daprd notes its last clean-up: whoever changes it first
//! after the time between two has the turn, be it a worker of this proxy, of another one, or a daprd.

use super::super::message::{Messages, Param};
use super::super::schema::{BATCH, CLEAN, TAKE_TURN};
use super::super::{PgLink, Pool};
use super::ask;
use crate::runtime::Runtime;
use crate::runtime::link::Kind;
use std::rc::Weak;
use std::time::Duration;

/// Cleans up for as long as there is the store.
pub(super) async fn keep(pool: Weak<Pool>, runtime: Runtime, every: Duration) {
    loop {
        runtime.sleep(every).await;
        let Some(link) = pool.upgrade().map(|pool| pool.pick()) else { return };
        clean(link, every).await;
    }
}

/// Takes the turn, if it is anybody's now, and removes in bounded steps. What fails is left to the next turn.
async fn clean(link: Option<PgLink>, every: Duration) {
    let millis = every.as_millis().to_string();
    let mut has_more = run(link.clone(), TAKE_TURN.name, &[Param::Text(&millis)]).await > 0;
    while has_more {
        has_more = run(link.clone(), CLEAN.name, &[]).await >= BATCH;
    }
}

/// How many rows a statement changed; 0 if it failed, too.
async fn run(link: Option<PgLink>, name: &str, params: &[Param<'_>]) -> u64 {
    let mut messages = Messages::default();
    messages.run(name, params);
    let outcome = ask(link, Kind::Write, messages.sync()).await;
    outcome.ok().and_then(|outcome| outcome.counts.first().copied()).unwrap_or_default()
}
