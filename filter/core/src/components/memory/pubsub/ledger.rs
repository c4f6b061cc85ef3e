//! The broker's one shared value: who subscribes to what, and the events that somebody has still to take.
//!
//! `format u8 | next event u64 | length u32 of the subscribers | subscribers | events`. A subscriber is an app id
//! and a byte string of topics; its number is its place, for ever. An event is
//! `length u32 | id u64 | count u32 of recipients | recipients | topic | data | names and values of metadata`, a
//! recipient `subscriber u32 | attempts u32 | until u64 | holder u64`. Times are milliseconds since the Unix epoch.

use super::super::wire::{FORMAT, OtherFormat, Reader, patch, put_bytes};
use super::{BROKER_BYTES, EVENTS};
use crate::pubsub::Message;
use std::collections::BTreeMap;

const NEXT_EVENT: usize = 1;
const SUBSCRIBERS_LENGTH: usize = 9;
const SUBSCRIBERS: usize = 13;
/// From an event's beginning to its recipients.
const RECIPIENTS: usize = 16;
const RECIPIENT_BYTES: usize = 24;
/// The number of a recipient that is done with.
const DONE: u32 = u32::MAX;

/// Where an event stands in the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: u64,
    start: usize,
    end: usize,
    recipients: u32,
}

/// One subscriber's copy of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient {
    subscriber: u32,
    /// Deliveries that the application did not take.
    pub(super) attempts: u32,
    /// Nobody takes it before that: the end of a lease or of a back-off.
    pub(super) until: u64,
    /// Who has the lease; 0 for nobody.
    pub(super) holder: u64,
}

/// The broker has no room for an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Events that it holds.
    pub(super) events: usize,
    /// The app that has taken fewest of them.
    pub(super) slowest: String,
}

/// The value as it was read, to be looked at or changed.
#[derive(Debug, Clone)]
pub(super) struct Ledger(Vec<u8>);

impl Ledger {
    /// # Errors
    /// [`OtherFormat`] if it is no broker's value of this release.
    pub(super) fn decode(value: Option<Vec<u8>>) -> Result<Self, OtherFormat> {
        let Some(bytes) = value else {
            let mut bytes = vec![0; SUBSCRIBERS];
            patch(&mut bytes, 0, &[FORMAT]);
            patch(&mut bytes, NEXT_EVENT, &1_u64.to_le_bytes());
            return Ok(Self(bytes));
        };
        let ledger = Self(bytes);
        if ledger.0.first() != Some(&FORMAT) || ledger.first_event() > ledger.0.len() {
            return Err(OtherFormat);
        }
        Ok(ledger)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn reader_at(&self, at: usize) -> Reader<'_> {
        Reader::new(self.0.get(at..).unwrap_or_default())
    }

    fn first_event(&self) -> usize {
        let length = self.reader_at(SUBSCRIBERS_LENGTH).u32();
        SUBSCRIBERS + length.unwrap_or_default() as usize
    }

    /// App ids and encoded topics, in the order of their numbers.
    fn subscribers(&self) -> Vec<(&str, &[u8])> {
        let part = self.0.get(SUBSCRIBERS..self.first_event());
        let mut reader = Reader::new(part.unwrap_or_default());
        let mut all = Vec::new();
        while let (Some(app), Some(topics)) = (reader.text(), reader.bytes()) {
            all.push((app, topics));
        }
        all
    }

    /// The numbers and app ids of a topic's subscribers.
    pub(super) fn subscribers_of(&self, topic: &str) -> Vec<(u32, &str)> {
        (0..)
            .zip(self.subscribers())
            .filter(|(_, (_, topics))| has_topic(topics, topic))
            .map(|(number, (app, _))| (number, app))
            .collect()
    }

    /// The number of an app that has ever subscribed.
    pub(super) fn number_of(&self, app: &str) -> Option<u32> {
        let known = (0..).zip(self.subscribers());
        known.filter(|(_, (id, _))| *id == app).map(|(number, _)| number).next()
    }

    /// Gives an app these topics and no others; its copies of other topics' events go. False if it had them.
    pub(super) fn register(&mut self, app: &str, topics: &[String]) -> bool {
        let mut wanted = Vec::new();
        topics.iter().for_each(|topic| put_bytes(&mut wanted, topic.as_bytes()));
        let mut part = Vec::new();
        let mut known = false;
        for (id, had) in self.subscribers() {
            if id == app && had == wanted {
                return false;
            }
            known |= id == app;
            put_bytes(&mut part, id.as_bytes());
            put_bytes(&mut part, if id == app { &wanted } else { had });
        }
        if !known {
            put_bytes(&mut part, app.as_bytes());
            put_bytes(&mut part, &wanted);
        }
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.splice(SUBSCRIBERS..self.first_event(), part);
        patch(&mut self.0, SUBSCRIBERS_LENGTH, &length.to_le_bytes());
        self.drop_copies(app, &wanted);
        true
    }

    fn drop_copies(&mut self, app: &str, topics: &[u8]) {
        let Some(number) = self.number_of(app) else { return };
        let mut from = None;
        while let Some(event) = self.next_event(from) {
            from = Some(event);
            let topic = self.body(event).text().unwrap_or_default();
            if !has_topic(topics, topic) {
                self.finish(event, number);
            }
        }
        self.compact();
    }

    /// The event after that one, or the first.
    pub(super) fn next_event(&self, after: Option<Place>) -> Option<Place> {
        let start = after.map_or_else(|| self.first_event(), |place| place.end);
        let mut reader = self.reader_at(start);
        let length = reader.u32()?;
        Some(Place { id: reader.u64()?, start, end: start + 4 + length as usize, recipients: reader.u32()? })
    }

    /// Topic, data and metadata of an event.
    fn body(&self, event: Place) -> Reader<'_> {
        let start = event.start + RECIPIENTS + RECIPIENT_BYTES * event.recipients as usize;
        Reader::new(self.0.get(start..event.end).unwrap_or_default())
    }

    /// An event as it was published.
    pub(super) fn message(&self, event: Place) -> Option<Message> {
        let mut reader = self.body(event);
        let topic = reader.text()?.to_owned();
        let data = reader.bytes()?.to_vec();
        let mut metadata = BTreeMap::new();
        while let (Some(name), Some(value)) = (reader.text(), reader.text()) {
            metadata.insert(name.to_owned(), value.to_owned());
        }
        Some(Message { topic, data, metadata })
    }

    fn recipients(&self, event: Place) -> impl Iterator<Item = (usize, Recipient)> {
        (0..event.recipients as usize).filter_map(move |number| {
            let at = event.start + RECIPIENTS + RECIPIENT_BYTES * number;
            let mut reader = self.reader_at(at);
            let recipient = Recipient {
                subscriber: reader.u32()?,
                attempts: reader.u32()?,
                until: reader.u64()?,
                holder: reader.u64()?,
            };
            Some((at, recipient))
        })
    }

    /// A subscriber's copy of an event, if it is to have one and is not done with it.
    pub(super) fn copy(&self, event: Place, subscriber: u32) -> Option<Recipient> {
        let mut all = self.recipients(event).map(|(_, recipient)| recipient);
        all.find(|recipient| recipient.subscriber == subscriber)
    }

    /// Writes what [`Self::copy`] gave, changed.
    pub(super) fn set_copy(&mut self, event: Place, copy: Recipient) {
        let at = self.recipients(event).find(|(_, old)| old.subscriber == copy.subscriber);
        if let Some((at, _)) = at {
            patch(&mut self.0, at + 4, &copy.attempts.to_le_bytes());
            patch(&mut self.0, at + 8, &copy.until.to_le_bytes());
            patch(&mut self.0, at + 16, &copy.holder.to_le_bytes());
        }
    }

    /// Makes a subscriber be done with an event. [`Self::compact`] then removes it if all are.
    pub(super) fn finish(&mut self, event: Place, subscriber: u32) {
        let at = self.recipients(event).find(|(_, copy)| copy.subscriber == subscriber);
        if let Some((at, _)) = at {
            patch(&mut self.0, at, &DONE.to_le_bytes());
        }
    }

    /// Removes the events that all recipients are done with. Places are not valid any more.
    pub(super) fn compact(&mut self) {
        let mut kept = Vec::with_capacity(self.0.len());
        kept.extend_from_slice(self.0.get(..self.first_event()).unwrap_or_default());
        let mut from = None;
        while let Some(event) = self.next_event(from) {
            from = Some(event);
            if self.recipients(event).any(|(_, copy)| copy.subscriber != DONE) {
                kept.extend_from_slice(self.0.get(event.start..event.end).unwrap_or_default());
            }
        }
        self.0 = kept;
    }

    /// Adds an event with a copy for each subscriber.
    ///
    /// # Errors
    /// [`Full`] beyond [`EVENTS`] or [`BROKER_BYTES`]; nothing has changed.
    pub(super) fn append(&mut self, message: &Message, subscribers: &[u32]) -> Result<(), Full> {
        let id = self.reader_at(NEXT_EVENT).u64().unwrap_or_default();
        let metadata: usize = message.metadata.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        let size =
            RECIPIENTS + RECIPIENT_BYTES * subscribers.len() + 8 + message.topic.len() + message.data.len() + metadata;
        let events = self.count();
        if events >= EVENTS || self.0.len() + size > BROKER_BYTES {
            return Err(Full { events, slowest: self.slowest() });
        }
        self.0.reserve(size);
        self.0.extend_from_slice(&u32::try_from(size - 4).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(&id.to_le_bytes());
        self.0.extend_from_slice(&u32::try_from(subscribers.len()).unwrap_or(u32::MAX).to_le_bytes());
        for subscriber in subscribers {
            self.0.extend_from_slice(&subscriber.to_le_bytes());
            self.0.extend_from_slice(&[0; RECIPIENT_BYTES - 4]);
        }
        put_bytes(&mut self.0, message.topic.as_bytes());
        put_bytes(&mut self.0, &message.data);
        for (name, value) in &message.metadata {
            put_bytes(&mut self.0, name.as_bytes());
            put_bytes(&mut self.0, value.as_bytes());
        }
        patch(&mut self.0, NEXT_EVENT, &id.wrapping_add(1).to_le_bytes());
        Ok(())
    }

    /// How many events there are.
    pub(super) fn count(&self) -> usize {
        std::iter::successors(self.next_event(None), |event| self.next_event(Some(*event))).count()
    }

    fn slowest(&self) -> String {
        let mut open: Vec<(usize, &str)> = self.subscribers().iter().map(|(app, _)| (0, *app)).collect();
        let mut from = None;
        while let Some(event) = self.next_event(from) {
            from = Some(event);
            for (_, copy) in self.recipients(event) {
                if let Some((count, _)) = open.get_mut(copy.subscriber as usize) {
                    *count += 1;
                }
            }
        }
        open.iter().max().map(|(_, app)| (*app).to_owned()).unwrap_or_default()
    }
}

fn has_topic(topics: &[u8], topic: &str) -> bool {
    let mut reader = Reader::new(topics);
    std::iter::from_fn(|| reader.bytes()).any(|name| name == topic.as_bytes())
}

#[cfg(test)]
mod tests;
