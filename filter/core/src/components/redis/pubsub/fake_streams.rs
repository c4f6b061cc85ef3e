//! Redis' streams, as far as the pump asks for them.

use super::super::fake_redis::{Asked, Model};
use super::super::resp::Reply;
use super::entries::EntryId;
use crate::host::Time;
use std::collections::BTreeMap;
use std::time::Duration;

type Fields = Vec<Vec<u8>>;

/// An entry that was given to a consumer and not acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub consumer: String,
    pub since: Time,
    pub deliveries: u32,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    last: Option<EntryId>,
    pub pending: BTreeMap<EntryId, Pending>,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub entries: BTreeMap<EntryId, Fields>,
    pub groups: BTreeMap<String, Group>,
}

/// All streams of a server.
#[derive(Debug, Default)]
pub(super) struct Streams(pub BTreeMap<String, Stream>);

impl Streams {
    /// What was given to a group of a stream and not acknowledged.
    pub fn pending(&self, stream: &str, group: &str) -> BTreeMap<EntryId, Pending> {
        let group = self.0.get(stream).and_then(|stream| stream.groups.get(group));
        group.map(|group| group.pending.clone()).unwrap_or_default()
    }

    /// Gives every pending entry of a stream to a consumer of a process that has gone.
    pub fn abandon(&mut self, stream: &str, since: Time) {
        for group in self.0.get_mut(stream).unwrap().groups.values_mut() {
            for pending in group.pending.values_mut() {
                (pending.consumer, pending.since) = ("gone".to_owned(), since);
            }
        }
    }

    fn add(&mut self, asked: &Asked, now: Time) -> Reply {
        let star = asked.words.iter().position(|word| word == b"*").unwrap();
        let stream = self.0.entry(asked.text(1).to_owned()).or_default();
        let millis = u64::try_from(now.as_millis()).unwrap();
        let last = stream.entries.keys().next_back().copied();
        let sequence = last.filter(|id| id.millis == millis).map_or(0, |id| id.sequence + 1);
        let id = EntryId { millis, sequence };
        stream.entries.insert(id, asked.words[star + 1..].to_vec());
        bulk(id.to_string())
    }

    fn group(&mut self, stream: &str, group: &str) -> Result<(&BTreeMap<EntryId, Fields>, &mut Group), Reply> {
        let none = || Reply::Error(format!("NOGROUP No such key '{stream}' or consumer group '{group}'"));
        let stream = self.0.get_mut(stream).ok_or_else(none)?;
        Ok((&stream.entries, stream.groups.get_mut(group).ok_or_else(none)?))
    }

    fn make_group(&mut self, asked: &Asked) -> Reply {
        let stream = self.0.entry(asked.text(2).to_owned()).or_default();
        if stream.groups.contains_key(asked.text(3)) {
            return Reply::Error("BUSYGROUP Consumer Group name already exists".to_owned());
        }
        stream.groups.insert(asked.text(3).to_owned(), Group::default());
        Reply::Status(b"OK".to_vec())
    }

    /// `XREADGROUP GROUP g c COUNT n [BLOCK ms] STREAMS s… id…`
    fn read(&mut self, asked: &Asked, asked_at: Time, now: Time) -> Option<Reply> {
        let count: usize = asked.text(5).parse().unwrap();
        let start = 1 + asked.words.iter().position(|word| word == b"STREAMS").unwrap();
        let streams = (asked.words.len() - start) / 2;
        let mut found = Vec::new();
        for place in start..start + streams {
            let from = asked.text(place + streams);
            match self.read_one(asked.text(place), [asked.text(2), asked.text(3), from], count, now) {
                Err(error) => return Some(error),
                Ok(entries) if entries.is_empty() && from == ">" => {}
                Ok(entries) => found.push(Reply::Array(vec![bulk(asked.text(place)), Reply::Array(entries)])),
            }
        }
        if !found.is_empty() {
            return Some(Reply::Array(found));
        }
        let block = asked.words.iter().position(|word| word == b"BLOCK");
        let until = block.map(|at| asked_at + Duration::from_millis(asked.text(at + 1).parse().unwrap()));
        until.is_none_or(|until| now >= until).then_some(Reply::Nil)
    }

    fn read_one(
        &mut self,
        stream: &str,
        [group, consumer, from]: [&str; 3],
        count: usize,
        now: Time,
    ) -> Result<Vec<Reply>, Reply> {
        let (entries, group) = self.group(stream, group)?;
        if let Some(after) = EntryId::parse(from.as_bytes()) {
            let ours = group.pending.iter().filter(|(id, pending)| **id > after && pending.consumer == consumer);
            return Ok(ours.take(count).map(|(id, _)| entry(*id, entries.get(id))).collect());
        }
        let fresh: Vec<EntryId> = entries.keys().filter(|id| Some(**id) > group.last).take(count).copied().collect();
        for id in &fresh {
            let pending = Pending { consumer: consumer.to_owned(), since: now, deliveries: 1 };
            group.pending.insert(*id, pending);
            group.last = Some(*id);
        }
        Ok(fresh.iter().map(|id| entry(*id, entries.get(id))).collect())
    }

    fn acknowledge(&mut self, asked: &Asked) -> Reply {
        let Ok((_, group)) = self.group(asked.text(1), asked.text(2)) else { return Reply::Integer(0) };
        let ids = asked.words[3..].iter().map(|word| EntryId::parse(word).unwrap());
        let gone = ids.filter(|id| group.pending.remove(id).is_some()).count();
        Reply::Integer(gone.try_into().unwrap())
    }

    /// `XAUTOCLAIM s g c idle start COUNT n`
    fn take_over(&mut self, asked: &Asked, now: Time) -> Reply {
        let idle = Duration::from_millis(asked.text(4).parse().unwrap());
        let (start, count) = (EntryId::parse(&asked.words[5]).unwrap(), asked.text(7).parse().unwrap());
        let (entries, group) = match self.group(asked.text(1), asked.text(2)) {
            Ok(found) => found,
            Err(error) => return error,
        };
        let old = group.pending.iter_mut().filter(|(id, pending)| **id >= start && now >= pending.since + idle);
        let mut taken = Vec::new();
        for (id, pending) in old.take(count) {
            (pending.consumer, pending.since) = (asked.text(3).to_owned(), now);
            pending.deliveries += 1;
            taken.push(*id);
        }
        let gone: Vec<EntryId> = taken.iter().filter(|id| !entries.contains_key(id)).copied().collect();
        gone.iter().for_each(|id| drop(group.pending.remove(id)));
        let next = taken.last().filter(|_| taken.len() == count);
        let cursor = next.map_or(EntryId::FIRST, |id| EntryId { sequence: id.sequence + 1, ..*id });
        let list = taken.iter().filter(|id| !gone.contains(id)).map(|id| entry(*id, entries.get(id)));
        let gone = gone.iter().map(|id| bulk(id.to_string())).collect();
        Reply::Array(vec![bulk(cursor.to_string()), Reply::Array(list.collect()), Reply::Array(gone)])
    }

    /// `XCLAIM s g c 0 id… JUSTID`
    fn refresh(&mut self, asked: &Asked, now: Time) -> Reply {
        let (_, group) = match self.group(asked.text(1), asked.text(2)) {
            Ok(found) => found,
            Err(error) => return error,
        };
        let ids = asked.words[5..asked.words.len() - 1].iter().map(|word| EntryId::parse(word).unwrap());
        let mut claimed = Vec::new();
        for id in ids {
            if let Some(pending) = group.pending.get_mut(&id) {
                (pending.consumer, pending.since) = (asked.text(3).to_owned(), now);
                claimed.push(bulk(id.to_string()));
            }
        }
        Reply::Array(claimed)
    }
}

impl Model for Streams {
    fn answer(&mut self, asked: &Asked, asked_at: Time, now: Time) -> Option<Reply> {
        Some(match asked.name.as_str() {
            "XADD" => self.add(asked, now),
            "XGROUP" => self.make_group(asked),
            "XREADGROUP" => return self.read(asked, asked_at, now),
            "XACK" => self.acknowledge(asked),
            "XAUTOCLAIM" => self.take_over(asked, now),
            "XCLAIM" => self.refresh(asked, now),
            "EVAL" => Reply::Integer(0),
            other => panic!("the streams do not know {other}"),
        })
    }
}

fn bulk(text: impl AsRef<str>) -> Reply {
    Reply::Bulk(text.as_ref().as_bytes().to_vec())
}

fn entry(id: EntryId, fields: Option<&Fields>) -> Reply {
    let fields = fields.map_or(Reply::Nil, |fields| Reply::Array(fields.iter().cloned().map(Reply::Bulk).collect()));
    Reply::Array(vec![bulk(id.to_string()), fields])
}
