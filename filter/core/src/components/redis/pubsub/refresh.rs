//! A sign to Redis that we still work on what we hold.

use super::pump::Pump;
use super::topic::{Group, Topic};
use super::{Command, Reply, ordered};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// The shortest time between two signs of life.
const LEAST: Duration = Duration::from_millis(10);

/// Whether what we hold might soon look abandoned.
pub(super) fn is_due(pump: &Pump) -> bool {
    pump.claim.is_some() && pump.refresh_at.get() <= pump.runtime.now() && pump.holds_any()
}

/// What was just taken or refreshed is fresh for a while.
pub(super) fn begin_pause(pump: &Pump) {
    if let Some(claim) = pump.claim {
        let pause = (claim.min_idle / 3).max(LEAST);
        pump.refresh_at.set(pump.runtime.now() + pause);
    }
}

impl Pump {
    /// Redis has just given or left us what is held of the topic.
    pub(super) fn hold_is_fresh(&self, topic: &Topic) {
        if let Some(claim) = self.claim {
            topic.sure_until.set(self.runtime.now() + claim.min_idle);
        }
    }

    /// In order, nothing is begun again that another consumer may have by now.
    pub(super) fn check_hold(&self, topic: &Topic) {
        if topic.is_ordered && topic.sure_until.get() <= self.runtime.now() {
            topic.lost.set(true);
        }
    }
}

/// Sets the idle time of what we hold back to zero, so that nobody claims it.
#[inline(never)]
pub(super) fn refresh(pump: Rc<Pump>) -> BoxFuture<'static, ()> {
    begin_pause(&pump);
    Box::pin(async move {
        for topic in pump.holding() {
            let answer = pump.writer.send(Kind::Read, topic.name.as_bytes(), command(&pump, &topic)).await;
            refreshed(&pump, &topic, answer);
        }
    })
}

/// Claiming is what resets the idle time; only ids come back, and the count of deliveries stays.
#[inline(never)]
fn command(pump: &Pump, topic: &Topic) -> Vec<u8> {
    if topic.is_ordered {
        return ordered::refresh_command(pump, topic);
    }
    let ids = topic.held.borrow();
    let mut command = Command::new(6 + ids.len(), 256)
        .arg(b"XCLAIM")
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(pump.consumer().as_bytes())
        .arg(b"0");
    ids.iter().for_each(|id| command.add_pair(id.millis, id.sequence));
    command.arg(b"JUSTID").into_bytes()
}

#[inline(never)]
fn refreshed(pump: &Pump, topic: &Topic, answer: Result<Reply, LinkError>) {
    match answer {
        Ok(Reply::Array(_)) => {}
        Ok(Reply::Integer(0)) => topic.lost.set(true),
        Ok(Reply::Integer(_)) => pump.hold_is_fresh(topic),
        Ok(error) if error.is_error("NOGROUP") => topic.group.set(Group::Unknown),
        Ok(other) => pump.warn(&topic.name, "the idle time of entries was not reset", &other.unexpected()),
        // The link has told what happened to it.
        Err(_) => {}
    }
}
