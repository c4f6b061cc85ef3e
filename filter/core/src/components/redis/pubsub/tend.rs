//! What a topic needs besides reading: its group, entries of lost replies, others' leftovers, and a sign to Redis
//! that we still work on what we hold.

use super::super::{Command, resp::Reply};
use super::consumer;
use super::entries::{self, EntryId};
use super::pump::Pump;
use super::topic::{Group, Topic};
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// How long after a refusal a group is made anew.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How long after a lost connection the next try is made.
const LOST_PAUSE: Duration = Duration::from_millis(500);
/// The shortest time between two signs of life.
const LEAST_REFRESH: Duration = Duration::from_millis(10);

/// Whether [`tend`] has something to do.
pub(super) fn is_due(pump: &Pump, topic: &Topic) -> bool {
    match topic.group.get() {
        Group::Unknown => true,
        Group::Refused { until } => until <= pump.runtime.now(),
        Group::Ready => {
            !topic.swept.get() || (pump.has_room(topic) && (topic.recover.get().is_some() || claim_is_due(pump, topic)))
        }
    }
}

pub(super) async fn tend(pump: &Rc<Pump>, topic: &Rc<Topic>) {
    if topic.group.get() != Group::Ready {
        make_group(pump, topic).await;
    }
    if topic.group.get() == Group::Ready && !topic.swept.replace(true) {
        consumer::remove_idle(pump, topic).await;
    }
    while let Some(after) = topic.recover.get() {
        if !pump.has_room(topic) || !recover(pump, topic, after).await {
            return;
        }
    }
    while claim_is_due(pump, topic) && pump.has_room(topic) {
        claim(pump, topic).await;
    }
}

/// Makes the group, from the stream's beginning, and the stream if there is none.
async fn make_group(pump: &Pump, topic: &Topic) {
    let command = Command::new(6, 128)
        .arg(b"XGROUP")
        .arg(b"CREATE")
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(b"0")
        .arg(b"MKSTREAM");
    // Making it twice does no harm.
    let answer = pump.writer.send(Kind::Read, command.into_bytes());
    let pause = match answer.await {
        Ok(Reply::Status(_)) => return topic.group.set(Group::Ready),
        Ok(error) if error.is_error("BUSYGROUP") => return topic.group.set(Group::Ready),
        Ok(other) => {
            let why = other.unexpected();
            pump.warn(&topic.name, "the consumer group cannot be made", &why);
            REFUSED_PAUSE
        }
        Err(_) => LOST_PAUSE,
    };
    let until = pump.runtime.now() + pause;
    topic.group.set(Group::Refused { until });
}

/// Reads entries that are ours by Redis' account, a page at a time. False if there is no use in going on now.
async fn recover(pump: &Rc<Pump>, topic: &Rc<Topic>, after: EntryId) -> bool {
    let count = pump.count(topic.free(pump.window));
    let mut command = Command::new(9, 256)
        .arg(b"XREADGROUP")
        .arg(b"GROUP")
        .arg(pump.group.as_bytes())
        .arg(pump.consumer().as_bytes())
        .arg(b"COUNT")
        .number(count as u64)
        .arg(b"STREAMS")
        .arg(topic.name.as_bytes());
    command.add_pair(after.millis, after.sequence);
    // On the writer: there the acknowledgements stand in order with it, so an entry whose acknowledgement is not
    // answered is still held when this answer comes. It takes nothing, so it may be sent twice.
    match pump.writer.send(Kind::Read, command.into_bytes()).await {
        Ok(Reply::Error(text)) => failed(pump, topic, &text),
        Ok(reply) => {
            let streams = entries::by_stream(reply).unwrap_or_default();
            let list = streams.into_iter().flat_map(|(_, list)| list);
            let list = list.collect::<Vec<_>>();
            let last = list.last().map(|entry| entry.id);
            topic.recover.set(last.filter(|_| list.len() >= count));
            pump.reply_came();
            pump.take(topic, list);
            true
        }
        Err(_) => {
            pump.reply_lost(topic);
            false
        }
    }
}

fn claim_is_due(pump: &Pump, topic: &Topic) -> bool {
    pump.claim.is_some() && topic.claim_at.get() <= pump.runtime.now()
}

/// Takes over entries that other consumers left, as many as there is room for.
async fn claim(pump: &Rc<Pump>, topic: &Rc<Topic>) {
    let Some(claim) = pump.claim else { return };
    let next = pump.runtime.now() + claim.every;
    let count = pump.count(topic.free(pump.window));
    let from = topic.claim_from.get();
    let mut command = Command::new(8, 256)
        .arg(b"XAUTOCLAIM")
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(pump.consumer().as_bytes())
        .number(u64::try_from(claim.min_idle.as_millis()).unwrap_or(u64::MAX));
    command.add_pair(from.millis, from.sequence);
    let command = command.arg(b"COUNT").number(count as u64).into_bytes();
    // Never sent twice: entries of a lost reply are found among our pending ones.
    match pump.writer.send(Kind::Write, command).await {
        Ok(Reply::Array(parts)) => {
            let mut parts = parts.into_iter();
            let cursor = match parts.next() {
                Some(Reply::Bulk(id)) => EntryId::parse(&id).unwrap_or(EntryId::FIRST),
                _ => EntryId::FIRST,
            };
            topic.claim_from.set(cursor);
            if cursor == EntryId::FIRST {
                topic.claim_at.set(next);
            }
            pump.reply_came();
            if let Some(Reply::Array(list)) = parts.next() {
                pump.take(topic, entries::entries(list));
            }
        }
        Ok(other) => {
            topic.claim_at.set(next);
            failed(pump, topic, &other.unexpected());
        }
        Err(error) => {
            topic.claim_at.set(pump.runtime.now() + LOST_PAUSE);
            if matches!(error, LinkError::OutcomeUnknown { .. }) {
                pump.reply_lost(topic);
            }
        }
    }
}

/// Redis refused. A missing group is made anew; the rest is told and tried again later. Always false.
fn failed(pump: &Pump, topic: &Topic, text: &str) -> bool {
    if text.starts_with("NOGROUP") {
        topic.group.set(Group::Unknown);
    } else {
        pump.warn(&topic.name, "Redis refused to give pending entries", text);
        let until = pump.runtime.now() + REFUSED_PAUSE;
        topic.group.set(Group::Refused { until });
    }
    false
}

/// Whether what we hold might soon look abandoned.
pub(super) fn refresh_is_due(pump: &Pump) -> bool {
    pump.claim.is_some() && pump.refresh_at.get() <= pump.runtime.now() && pump.holds_any()
}

/// What was just taken or refreshed is fresh for a while.
pub(super) fn begin_refresh_pause(pump: &Pump) {
    if let Some(claim) = pump.claim {
        let pause = (claim.min_idle / 3).max(LEAST_REFRESH);
        pump.refresh_at.set(pump.runtime.now() + pause);
    }
}

/// Sets the idle time of what we hold back to zero, so that nobody claims it.
pub(super) async fn refresh(pump: &Rc<Pump>) {
    begin_refresh_pause(pump);
    for topic in pump.holding() {
        let ids = topic.held.borrow().clone();
        let mut command = Command::new(6 + ids.len(), 256)
            .arg(b"XCLAIM")
            .arg(topic.name.as_bytes())
            .arg(pump.group.as_bytes())
            .arg(pump.consumer().as_bytes())
            .arg(b"0");
        ids.iter().for_each(|id| command.add_pair(id.millis, id.sequence));
        // Claiming is what resets the idle time; only ids come back, and the count of deliveries stays.
        let command = command.arg(b"JUSTID").into_bytes();
        match pump.writer.send(Kind::Read, command).await {
            Ok(Reply::Array(_)) => {}
            Ok(error) if error.is_error("NOGROUP") => topic.group.set(Group::Unknown),
            Ok(other) => pump.warn(&topic.name, "the idle time of entries was not reset", &other.unexpected()),
            // The link has told what happened to it.
            Err(_) => {}
        }
    }
}
