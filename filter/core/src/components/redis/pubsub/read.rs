//! Reading new entries.

use super::super::{Command, resp::Reply};
use super::acknowledge::{acknowledge, settle};
use super::entries::{self, Content, Entry};
use super::pump::{LONGEST_BLOCK, Pump};
use super::topic::{Group, Topic};
use super::{delivery, tend};
use crate::pubsub::Message;
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// How long a topic with room waits for its next look while another has none.
const SHORT_REST: Duration = Duration::from_millis(50);
/// How long after an error of Redis the next read is tried.
const ERROR_REST: Duration = Duration::from_secs(1);

/// What came of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Entries,
    Nothing,
    Failed,
}

impl Pump {
    /// Reads once, or waits if there is nothing to read for.
    pub(super) async fn read(self: &Rc<Self>) {
        let wanted = self.wanted();
        let idle = self.idle_time(&wanted);
        let ready = wanted
            .iter()
            .filter(|topic| topic.may_take() && topic.free(self.window) >= self.enough_room())
            .cloned()
            .collect::<Vec<_>>();
        if ready.is_empty() {
            return self.rest(idle).await;
        }
        // A blocked read could not be told that another topic has room now, so it blocks only for all of them.
        let all = ready.len() == wanted.len();
        let outcome = self.ask(&ready, all.then_some(idle)).await;
        match outcome {
            Outcome::Nothing if !all => self.rest(idle.min(SHORT_REST)).await,
            Outcome::Failed => self.rest(ERROR_REST).await,
            Outcome::Nothing | Outcome::Entries => {}
        }
    }

    async fn ask(self: &Rc<Self>, topics: &[Rc<Topic>], block: Option<Duration>) -> Outcome {
        let free = topics.iter().map(|topic| topic.free(self.window)).min();
        let command = self.read_command(topics, self.count(free.unwrap_or(1)), block);
        // Never sent twice: entries of a lost reply are found among our pending ones.
        let answer = self.reader().send(Kind::Write, command);
        match answer.await {
            Ok(Reply::Error(text)) => self.refused(topics, &text),
            Ok(reply) => self.take_streams(topics, reply),
            Err(LinkError::NotSent { .. }) => Outcome::Nothing,
            Err(LinkError::OutcomeUnknown { .. }) => {
                topics.iter().for_each(|topic| self.reply_lost(topic));
                Outcome::Nothing
            }
        }
    }

    fn read_command(&self, topics: &[Rc<Topic>], count: usize, block: Option<Duration>) -> Vec<u8> {
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

    fn refused(&self, topics: &[Rc<Topic>], text: &str) -> Outcome {
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
    pub(super) fn take(self: &Rc<Self>, topic: &Rc<Topic>, list: Vec<Entry>) {
        if !self.keeps(topic) {
            return;
        }
        if !self.holds_any() {
            tend::begin_refresh_pause(self);
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
                let flow = delivery::deliver(Rc::clone(self), Rc::clone(topic), id, message);
                self.runtime.spawn(Box::pin(flow));
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
