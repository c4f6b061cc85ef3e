//! Reading new entries.

use super::acknowledge::{acknowledge, settle};
use super::entries::{self, Content, Entry};
use super::pump::{LONGEST_BLOCK, Pump};
use super::topic::{Group, Topic};
use super::{Command, Reply, delivery, ordered, refresh};
use crate::pubsub::{Message, Order};
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// How long a topic with room waits for its next look while another has none.
const SHORT_REST: Duration = Duration::from_millis(50);
/// How long after an error of Redis the next read is tried.
const ERROR_REST: Duration = Duration::from_secs(1);

/// What came of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Entries,
    Nothing,
    Failed,
}

/// Reads once, or waits if there is nothing to read for.
#[inline(never)]
pub(super) fn read(pump: Rc<Pump>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let plan = pump.plan();
        if plan.topics.is_empty() {
            return pump.rest(plan.idle).await;
        }
        if pump.order != Order::None {
            return ordered::read(pump, plan.topics, plan.all, plan.idle).await;
        }
        // Never sent twice: entries of a lost reply are found among our pending ones.
        let answer = pump.reader().send(Kind::Write, Pump::key(&plan.topics), pump.read_command(&plan));
        // Not within that expression: it would hold the client, which an interruption has to end.
        let answer = answer.await;
        if let Some(rest) = pump.heard(&plan, answer) {
            pump.rest(rest).await;
        }
    })
}

/// One read to come.
struct Plan {
    /// The topics that may take entries.
    topics: Vec<Rc<Topic>>,
    /// Whether these are all that are wanted.
    all: bool,
    /// How long nothing else is due.
    idle: Duration,
}

impl Pump {
    #[inline(never)]
    fn plan(&self) -> Plan {
        let wanted = self.wanted();
        let idle = self.idle_time(&wanted);
        let count = wanted.len();
        // In order, what was lost on its way goes before what is new.
        let is_next = |topic: &Topic| !topic.is_ordered || topic.recover.get().is_none();
        let has_room = |topic: &Topic| topic.free(self.window) >= self.enough_room();
        let ready = |topic: &Rc<Topic>| topic.may_take() && has_room(topic) && is_next(topic);
        let topics: Vec<Rc<Topic>> = wanted.into_iter().filter(ready).collect();
        Plan { all: topics.len() == count, topics, idle }
    }

    /// Takes what a read gave; how long to rest before the next one, if at all.
    #[inline(never)]
    fn heard(self: &Rc<Self>, plan: &Plan, answer: Result<Reply, LinkError>) -> Option<Duration> {
        let outcome = match answer {
            Ok(Reply::Error(text)) => self.refused(&plan.topics, &text),
            Err(LinkError::OutcomeUnknown { .. }) | Ok(Reply::TooLarge) => {
                plan.topics.iter().for_each(|topic| self.reply_lost(topic));
                Outcome::Nothing
            }
            Ok(reply) => self.take_streams(&plan.topics, reply),
            Err(LinkError::NotSent { .. }) => Outcome::Nothing,
        };
        match outcome {
            Outcome::Nothing if !plan.all => Some(plan.idle.min(SHORT_REST)),
            Outcome::Failed => Some(ERROR_REST),
            Outcome::Nothing | Outcome::Entries => None,
        }
    }

    #[inline(never)]
    fn read_command(&self, plan: &Plan) -> Vec<u8> {
        let topics = &plan.topics;
        let free = topics.iter().map(|topic| topic.free(self.window)).min();
        let count = self.count(free.unwrap_or(1));
        // A blocked read could not be told that another topic has room now, so it blocks only for all of them.
        let block = plan.all.then_some(plan.idle);
        let arguments = 7 + 2 * usize::from(block.is_some()) + 2 * topics.len();
        let mut command = Command::new(arguments, 256)
            .arg(b"XREADGROUP")
            .arg(b"GROUP")
            .arg(self.group.as_bytes())
            .arg(self.consumer().as_bytes())
            .arg(b"COUNT")
            .number(count as u64);
        if let Some(block) = block {
            // Zero would block for ever.
            let millis = block.min(LONGEST_BLOCK).as_millis().max(1);
            command = command.arg(b"BLOCK").number(millis as u64);
        }
        command.add(b"STREAMS");
        topics.iter().for_each(|topic| command.add(topic.name.as_bytes()));
        topics.iter().for_each(|_| command.add(b">"));
        command.into_bytes()
    }

    #[inline(never)]
    pub(super) fn refused(&self, topics: &[Rc<Topic>], text: &str) -> Outcome {
        // One topic may be at fault: each is prepared again, which finds it.
        topics.iter().for_each(|topic| topic.group.set(Group::Unknown));
        // A stream was removed; before or while the read blocked.
        if text.starts_with("NOGROUP") || text.starts_with("UNBLOCKED") {
            return Outcome::Nothing;
        }
        let names = topics.iter().map(|topic| topic.name.as_str());
        self.warn(&names.collect::<Vec<_>>().join(","), "Redis refused the read", text);
        Outcome::Failed
    }

    #[inline(never)]
    fn take_streams(self: &Rc<Self>, topics: &[Rc<Topic>], reply: Reply) -> Outcome {
        let Some(streams) = entries::by_stream(reply) else {
            return self.refused(topics, "the reply is no list of streams");
        };
        self.reply_came();
        let mut outcome = Outcome::Nothing;
        for (name, list) in streams {
            let topic = topics.iter().find(|topic| topic.name.as_bytes() == name.as_slice());
            if let Some(topic) = topic {
                outcome = Outcome::Entries;
                self.take(topic, list);
            }
        }
        outcome
    }

    /// Takes entries that Redis has given to us, except those that are here already.
    #[inline(never)]
    pub(super) fn take(self: &Rc<Self>, topic: &Rc<Topic>, list: Vec<Entry>) {
        if !self.keeps(topic) {
            return;
        }
        if !self.holds_any() {
            refresh::begin_pause(self);
        }
        if topic.held.borrow().is_empty() {
            self.hold_is_fresh(topic);
        }
        for entry in list {
            if topic.hold(entry.id) {
                self.take_one(topic, entry);
            }
        }
    }

    #[inline(never)]
    fn take_one(self: &Rc<Self>, topic: &Rc<Topic>, entry: Entry) {
        let id = entry.id;
        match entry.content {
            Content::Event { data, metadata } => {
                let metadata = entries::metadata(metadata.as_deref()).unwrap_or_else(|| {
                    let what = format!("the metadata of entry {id} is left out");
                    self.warn(&topic.name, &what, "it is no JSON object of strings");
                    Default::default()
                });
                let message = Message { topic: topic.name.clone(), data, metadata };
                let next = match self.order.key(&message) {
                    Some(key) => topic.line_up(id, key, message),
                    None => Some(message),
                };
                if let Some(message) = next {
                    delivery::start(self, topic, id, message);
                }
                return;
            }
            Content::NoEvent => {
                let what = format!("entry {id} is skipped");
                self.warn(&topic.name, &what, "it has no field data");
            }
            Content::Vanished => {}
        }
        if settle(topic, id) {
            let flow = acknowledge(Rc::clone(self), Rc::clone(topic));
            self.runtime.spawn(Box::pin(flow));
        }
    }
}
