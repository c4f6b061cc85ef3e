//! One look of a worker at the broker's value: what has ended is written down, what is ready is taken.

use super::LEASE;
use super::ledger::{Ledger, Place};
use crate::pubsub::{Delivered, Order};

/// The first pause after a delivery that the application did not take, in milliseconds; it doubles each time.
const FIRST_PAUSE: u64 = 100;
/// The longest pause, in milliseconds, before its jitter.
const LONGEST_PAUSE: u64 = 10_000;

/// A delivery that has ended and is not written down yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) event: u64,
    pub(super) outcome: Delivered,
    /// Random; lengthens or shortens the pause by up to a quarter.
    pub(super) jitter: u8,
}

/// What a worker knows when it looks.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) app: &'a str,
    /// This worker's mark in leases.
    pub(super) holder: u64,
    /// Milliseconds since the Unix epoch.
    pub(super) now: u64,
    /// Events that are with the application.
    pub(super) held: &'a [u64],
    pub(super) ended: &'a [Ended],
    /// How many events may be taken.
    pub(super) room: usize,
    pub(super) order: Order,
}

/// What a worker has found.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// The value must be written.
    pub(super) changed: bool,
    /// The events to deliver, once it is written.
    pub(super) taken: Vec<Place>,
    /// When the next event becomes ready.
    pub(super) next: Option<u64>,
}

impl Turn<'_> {
    /// Makes the turn.
    pub(super) fn make(&self, ledger: &mut Ledger) -> Turned {
        let mut turned = Turned::default();
        if let Some(subscriber) = ledger.number_of(self.app) {
            self.write_down(ledger, subscriber, &mut turned);
            self.take(ledger, subscriber, &mut turned);
        }
        turned
    }

    fn write_down(&self, ledger: &mut Ledger, subscriber: u32, turned: &mut Turned) {
        if self.ended.is_empty() && self.held.is_empty() {
            return;
        }
        let mut settled = false;
        let mut from = None;
        while let Some(event) = ledger.next_event(from) {
            from = Some(event);
            let ended = self.ended.iter().find(|ended| ended.event == event.id);
            match ended {
                Some(Ended { outcome: Delivered::Settled, .. }) => {
                    ledger.finish(event, subscriber);
                    settled = true;
                }
                Some(ended) => turned.changed |= self.put_back(ledger, event, subscriber, ended.jitter),
                None => turned.changed |= self.prolong(ledger, event, subscriber),
            }
        }
        if settled {
            ledger.compact();
            turned.changed = true;
        }
    }

    fn put_back(&self, ledger: &mut Ledger, event: Place, subscriber: u32, jitter: u8) -> bool {
        let Some(mut copy) = ledger.copy(event, subscriber).filter(|copy| copy.holder == self.holder) else {
            return false;
        };
        copy.until = self.now + pause(copy.attempts, jitter);
        copy.attempts = copy.attempts.saturating_add(1);
        copy.holder = 0;
        ledger.set_copy(event, copy);
        true
    }

    /// A worker that lives keeps its leases.
    fn prolong(&self, ledger: &mut Ledger, event: Place, subscriber: u32) -> bool {
        let wanted = |event: &Place| self.held.contains(&event.id);
        let Some(mut copy) = Some(event).filter(wanted).and_then(|event| ledger.copy(event, subscriber)) else {
            return false;
        };
        if copy.holder != self.holder || copy.until > self.now + LEASE / 2 {
            return false;
        }
        copy.until = self.now + LEASE;
        ledger.set_copy(event, copy);
        true
    }

    /// What an event shares with those that it must not overtake.
    #[inline(never)]
    fn line(&self, ledger: &Ledger, event: Place) -> Option<(String, String)> {
        if self.order == Order::None {
            return None;
        }
        let message = ledger.message(event)?;
        self.order.key(&message).map(|key| (message.topic, key))
    }

    fn take(&self, ledger: &mut Ledger, subscriber: u32, turned: &mut Turned) {
        let mut from = None;
        // Topics and keys of events that are not done with: those after them wait.
        let mut open = Vec::new();
        while let Some(event) = ledger.next_event(from) {
            from = Some(event);
            let Some(mut copy) = ledger.copy(event, subscriber) else { continue };
            let line = self.line(ledger, event);
            let waits = line.as_ref().is_some_and(|line| open.contains(line));
            open.extend(line);
            if waits || self.held.contains(&event.id) {
                continue;
            }
            if copy.until > self.now {
                turned.next = Some(turned.next.map_or(copy.until, |next| next.min(copy.until)));
            } else if turned.taken.len() < self.room {
                copy.until = self.now + LEASE;
                copy.holder = self.holder;
                ledger.set_copy(event, copy);
                turned.taken.push(event);
                turned.changed = true;
            }
        }
    }
}

/// How long an event rests after that many failed deliveries before this one, in milliseconds.
fn pause(attempts: u32, jitter: u8) -> u64 {
    let pause = (FIRST_PAUSE << attempts.min(7)).min(LONGEST_PAUSE);
    pause * (192 + u64::from(jitter) / 2) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_a_tenth_of_a_second_to_ten_seconds_give_or_take_a_quarter() {
        for (attempts, middle) in [(0, 100), (1, 200), (6, 6400), (7, 10_000), (u32::MAX, 10_000)] {
            assert_eq!(pause(attempts, 0), middle * 3 / 4);
            assert_eq!(pause(attempts, 128), middle);
            assert!(pause(attempts, 255) > middle * 6 / 5 && pause(attempts, 255) < middle * 5 / 4);
        }
    }
}
