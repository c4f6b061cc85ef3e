//! Reading in order: one consumer of the group at a time has entries of a topic.
//!
//! What a consumer has taken and not acknowledged is its hold on the topic: a script gives entries, or those of a consumer
//! that has gone, only while nobody else has any. So no lock can be left behind.

use super::entries::{self, EntryId};
use super::pump::Pump;
use super::topic::Topic;
use super::{Command, Reply};
use crate::pubsub::Message;
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, LinkError};
use std::rc::Rc;
use std::time::Duration;

/// How long after another was found to have a topic the next look is.
const HELD_REST: Duration = Duration::from_millis(200);

/// `KEYS`: the stream. `ARGV`: group, consumer, count. Gives entries; the id of the last one that was given out, if there
/// are no others; or 1 if another consumer has some.
const TAKE: &str = "local k,g,m=KEYS[1],ARGV[1],ARGV[2]
local p=redis.pcall('XPENDING',k,g)
if p.err then return p end
for _,c in ipairs(p[4] or {}) do if c[1]~=m then return 1 end end
local r=redis.call('XREADGROUP','GROUP',g,m,'COUNT',ARGV[3],'STREAMS',k,'>')
if r then return r end
for _,i in ipairs(redis.call('XINFO','GROUPS',k)) do if i[2]==g then return i[8] end end
return 1";

/// `KEYS`: the stream. `ARGV`: group, consumer, least idle time in ms, count. As `XAUTOCLAIM` from the beginning, unless
/// another consumer has touched one of its entries since.
const CLAIM: &str = "local k,g,m,t=KEYS[1],ARGV[1],ARGV[2],ARGV[3]
local p=redis.pcall('XPENDING',k,g)
if p.err then return p end
for _,c in ipairs(p[4] or {}) do
if c[1]~=m and #redis.call('XPENDING',k,g,'IDLE',t,'-','+',c[2],c[1])<tonumber(c[2]) then return {'0-0',{}} end
end
return redis.call('XAUTOCLAIM',k,g,m,t,'0','COUNT',ARGV[4])";

/// `KEYS`: the stream. `ARGV`: group, consumer, then ids. Sets their idle time to zero if all of them are the consumer's
/// still; how many are.
const REFRESH: &str = "local k,g,m=KEYS[1],ARGV[1],ARGV[2]
for i=3,#ARGV do
local p=redis.pcall('XPENDING',k,g,ARGV[i],ARGV[i],1)
if p.err then return p end
if p[1] and p[1][2]~=m then return 0 end
end
redis.call('XCLAIM',k,g,m,0,unpack(ARGV,3),'JUSTID')
return #ARGV-2";

/// A script over one topic's group, for this consumer; so many arguments follow.
#[inline(never)]
fn script(pump: &Pump, topic: &Topic, text: &str, more: usize) -> Command {
    Command::new(6 + more, text.len() + 256)
        .arg(b"EVAL")
        .arg(text.as_bytes())
        .number(1)
        .arg(topic.name.as_bytes())
        .arg(pump.group.as_bytes())
        .arg(pump.consumer().as_bytes())
}

pub(super) fn claim_command(pump: &Pump, topic: &Topic, idle: u64) -> Vec<u8> {
    let count = pump.count(topic.free(pump.window)) as u64;
    script(pump, topic, CLAIM, 2).number(idle).number(count).into_bytes()
}

pub(super) fn refresh_command(pump: &Pump, topic: &Topic) -> Vec<u8> {
    let ids = topic.held.borrow();
    let mut command = script(pump, topic, REFRESH, ids.len());
    ids.iter().for_each(|id| command.add_pair(id.millis, id.sequence));
    command.into_bytes()
}

/// What a topic had for us.
enum Found {
    Entries,
    /// Nothing after this one.
    Nothing(EntryId),
    Held,
    Failed,
}

/// Takes what there is of these topics, else waits for something new, or until something else is due. `all`: whether
/// no other topic is wanted.
#[inline(never)]
pub(super) fn read(pump: Rc<Pump>, topics: Vec<Rc<Topic>>, all: bool, idle: Duration) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut ends = Vec::new();
        let mut rest = if all { Duration::ZERO } else { HELD_REST };
        for topic in &topics {
            let count = pump.count(topic.free(pump.window)) as u64;
            let command = script(&pump, topic, TAKE, 1).number(count).into_bytes();
            // Never sent twice: entries of a lost reply are found among our pending ones.
            let answer = pump.writer.send(Kind::Write, topic.name.as_bytes(), command).await;
            match heard(&pump, topic, answer) {
                Found::Entries => return,
                Found::Nothing(last) => ends.push((Rc::clone(topic), last)),
                Found::Held | Found::Failed => rest = HELD_REST,
            }
        }
        if !rest.is_zero() {
            return pump.rest(rest.min(idle)).await;
        }
        let answer = pump.reader().send(Kind::Read, Pump::key(&topics), news_command(&ends, idle));
        // Not within that expression: it would hold the link, which an interruption has to end.
        if let Ok(Reply::Error(_)) = answer.await {
            pump.rest(HELD_REST).await;
        }
    })
}

#[inline(never)]
fn heard(pump: &Rc<Pump>, topic: &Rc<Topic>, answer: Result<Reply, LinkError>) -> Found {
    match answer {
        Ok(Reply::Bulk(id)) => EntryId::parse(&id).map_or(Found::Failed, Found::Nothing),
        Ok(Reply::Integer(_)) => Found::Held,
        Ok(Reply::Error(text)) => {
            pump.refused(std::slice::from_ref(topic), &text);
            Found::Failed
        }
        Ok(Reply::TooLarge) | Err(LinkError::OutcomeUnknown { .. }) => {
            pump.reply_lost(topic);
            Found::Failed
        }
        Ok(reply) => {
            pump.reply_came();
            let streams = entries::by_stream(reply).unwrap_or_default();
            pump.take(topic, streams.into_iter().flat_map(|(_, list)| list).collect());
            Found::Entries
        }
        Err(LinkError::NotSent { .. }) => Found::Failed,
    }
}

/// Waits for an entry after those that are known. It is taken by the script afterwards.
#[inline(never)]
fn news_command(ends: &[(Rc<Topic>, EntryId)], idle: Duration) -> Vec<u8> {
    let millis = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut command = Command::new(6 + 2 * ends.len(), 256)
        .arg(b"XREAD")
        .arg(b"COUNT")
        .number(1)
        .arg(b"BLOCK")
        .number(millis)
        .arg(b"STREAMS");
    ends.iter().for_each(|(topic, _)| command.add(topic.name.as_bytes()));
    ends.iter().for_each(|(_, last)| command.add_pair(last.millis, last.sequence));
    command.into_bytes()
}

/// An entry with a key. It waits while an earlier one of that key is held.
pub(super) struct InLine {
    id: EntryId,
    key: String,
    waits: Option<Message>,
}

impl Topic {
    /// The event back, if it may be delivered now; else it is kept for its turn.
    #[inline(never)]
    pub(super) fn line_up(&self, id: EntryId, key: String, message: Message) -> Option<Message> {
        let mut line = self.line.borrow_mut();
        let is_first = !line.iter().any(|other| other.key == key);
        let (waits, now) = if is_first { (None, Some(message)) } else { (Some(message), None) };
        line.push(InLine { id, key, waits });
        now
    }

    /// The event whose turn it is when this one has gone.
    #[inline(never)]
    pub(super) fn next_in_line(&self, gone: EntryId) -> Option<(EntryId, Message)> {
        let mut line = self.line.borrow_mut();
        let at = line.iter().position(|one| one.id == gone)?;
        let key = line.remove(at).key;
        let next = line.iter_mut().find(|one| one.key == key)?;
        next.waits.take().map(|message| (next.id, message))
    }
}
