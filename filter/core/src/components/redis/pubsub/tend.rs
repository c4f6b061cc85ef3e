//! What a topic needs besides reading: its group, entries of lost replies, others' leftovers.
//!
//! Each step is a command and what its answer means, both plain functions: an `async fn` per step would become one
//! large function with the flow that awaits them.

use super::entries::{self, EntryId};
use super::pump::Pump;
use super::topic::{Group, Topic};
use super::{Command, Reply};
use super::{consumer, ordered};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// How long after a refusal a group is made anew.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How long after a lost connection the next try is made.
const LOST_PAUSE: Duration = Duration::from_millis(500);

type Answer = Result<Reply, LinkError>;

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

/// Does what [`is_due`].
#[inline(never)]
pub(super) fn tend(pump: Rc<Pump>, topic: Rc<Topic>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if topic.group.get() != Group::Ready {
            // Making it twice does no harm.
            let answer = pump.writer.send(Kind::Read, topic.name.as_bytes(), group_command(&pump, &topic)).await;
            group_made(&pump, &topic, answer);
        }
        if topic.group.get() == Group::Ready && !topic.swept.replace(true) {
            let answer = pump
                .writer
                .send(Kind::Read, topic.name.as_bytes(), consumer::remove_idle(&pump.group, &topic.name))
                .await;
            consumer::removed(&pump, &topic, answer);
        }
        while let Some(after) = topic.recover.get().filter(|_| pump.has_room(&topic)) {
            let count = pump.count(topic.free(pump.window));
            // On the writer: there the acknowledgements stand in order with it, so an entry whose acknowledgement
            // is not answered is still held when this answer comes. It takes nothing, so it may be sent twice.
            let answer =
                pump.writer.send(Kind::Read, topic.name.as_bytes(), recover_command(&pump, &topic, after, count)).await;
            if !recovered(&pump, &topic, count, answer) {
                return;
            }
        }
        while topic.recover.get().is_none() && claim_is_due(&pump, &topic) && pump.has_room(&topic) {
            // Never sent twice: entries of a lost reply are found among our pending ones.
            let answer = pump.writer.send(Kind::Write, topic.name.as_bytes(), claim_command(&pump, &topic)).await;
            claimed(&pump, &topic, answer);
        }
    })
}

/// Makes the group, from the stream's beginning, and the stream if there is none.
#[inline(never)]
fn group_command(pump: &Pump, topic: &Topic) -> Vec<u8> {
    Command::new(6, 128)
        .arg(b"XGROUP")
        .arg(b"CREATE")
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(b"0")
        .arg(b"MKSTREAM")
        .into_bytes()
}

#[inline(never)]
fn group_made(pump: &Pump, topic: &Topic, answer: Answer) {
    let pause = match answer {
        Ok(Reply::Status(_)) => return topic.group.set(Group::Ready),
        Ok(error) if error.is_error("BUSYGROUP") => return topic.group.set(Group::Ready),
        Ok(other) => {
            pump.warn(&topic.name, "the consumer group cannot be made", &other.unexpected());
            REFUSED_PAUSE
        }
        Err(_) => LOST_PAUSE,
    };
    let until = pump.runtime.now() + pause;
    topic.group.set(Group::Refused { until });
}

/// Reads entries that are ours by Redis' account, a page at a time.
#[inline(never)]
fn recover_command(pump: &Pump, topic: &Topic, after: EntryId, count: usize) -> Vec<u8> {
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
    command.into_bytes()
}

/// False if there is no use in going on now.
#[inline(never)]
fn recovered(pump: &Rc<Pump>, topic: &Rc<Topic>, count: usize, answer: Answer) -> bool {
    let reply = match answer {
        Ok(Reply::Error(text)) => {
            failed(pump, topic, &text);
            return false;
        }
        // Fewer at once may have room. One event that has none stays pending, and holds up its topic: it is told for as
        // long as it is there.
        Ok(Reply::TooLarge) if count > 1 => {
            pump.reply_lost(topic);
            return true;
        }
        Ok(Reply::TooLarge) => {
            failed(pump, topic, &Reply::TooLarge.unexpected());
            return false;
        }
        Ok(reply) => reply,
        Err(_) => {
            pump.reply_lost(topic);
            return false;
        }
    };
    let streams = entries::by_stream(reply).unwrap_or_default();
    let list = streams.into_iter().flat_map(|(_, list)| list).collect::<Vec<_>>();
    let last = list.last().map(|entry| entry.id);
    topic.recover.set(last.filter(|_| list.len() >= count));
    pump.reply_came();
    pump.take(topic, list);
    true
}

fn claim_is_due(pump: &Pump, topic: &Topic) -> bool {
    pump.claim.is_some() && topic.claim_at.get() <= pump.runtime.now()
}

/// Takes over entries that other consumers left, as many as there is room for.
#[inline(never)]
fn claim_command(pump: &Pump, topic: &Topic) -> Vec<u8> {
    let idle = pump.claim.map(|claim| claim.min_idle.as_millis()).unwrap_or_default();
    let idle = u64::try_from(idle).unwrap_or(u64::MAX);
    if topic.is_ordered {
        return ordered::claim_command(pump, topic, idle);
    }
    let from = topic.claim_from.get();
    let mut command = Command::new(8, 256)
        .arg(b"XAUTOCLAIM")
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(pump.consumer().as_bytes())
        .number(idle);
    command.add_pair(from.millis, from.sequence);
    command.arg(b"COUNT").number(pump.count(topic.free(pump.window)) as u64).into_bytes()
}

#[inline(never)]
fn claimed(pump: &Rc<Pump>, topic: &Rc<Topic>, answer: Answer) {
    let now = pump.runtime.now();
    let next = now + pump.claim.map(|claim| claim.every).unwrap_or_default();
    match answer {
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
        Ok(Reply::TooLarge) => pump.reply_lost(topic),
        Ok(other) => {
            topic.claim_at.set(next);
            failed(pump, topic, &other.unexpected());
        }
        Err(error) => {
            topic.claim_at.set(now + LOST_PAUSE);
            if matches!(error, LinkError::OutcomeUnknown { .. }) {
                pump.reply_lost(topic);
            }
        }
    }
}

/// Redis refused. A missing group is made anew; the rest is told and tried again later.
fn failed(pump: &Pump, topic: &Topic, text: &str) {
    if text.starts_with("NOGROUP") {
        topic.group.set(Group::Unknown);
    } else {
        pump.warn(&topic.name, "Redis refused to give pending entries", text);
        let until = pump.runtime.now() + REFUSED_PAUSE;
        topic.group.set(Group::Refused { until });
    }
}
