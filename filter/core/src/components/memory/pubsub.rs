//! `pubsub.in-memory`: a broker in the memory that an Envoy's workers share.
//!
//! Every app that subscribes to a topic gets its own copy of each event, once per app however many workers it has.
//! A worker takes an event by a lease, which it keeps as long as it lives; the lease of one that has gone runs out
//! and another worker delivers the event again. An event of a topic that nobody subscribes to is not kept. One
//! broker of a name is common to all applications of the proxy and holds at most [`EVENTS`] events and
//! [`BROKER_BYTES`]. Topics with `*` are ordinary names.

mod ledger;
mod pump;
mod turn;

use crate::components::Site;
use crate::components::reader::{Known, Reader};
use crate::config::{Component, Problem};
use crate::pubsub::{Broker, BrokerError, Deliver, Message, Order};
use crate::runtime::{BoxFuture, Runtime};
use ledger::{Full, Ledger};
use pump::Pump;
use std::rc::Rc;
use std::time::Duration;

/// Events that a broker holds at most, all topics together.
pub const EVENTS: usize = 1000;

/// Bytes that a broker's events take at most, topics and metadata included.
pub const BROKER_BYTES: usize = 32 * 1024 * 1024;

/// Events that one worker gives to its application at the same time.
pub const WINDOW: usize = 16;

/// How long the event of a worker that has gone stays away from the others, in milliseconds.
const LEASE: u64 = 10_000;

/// How often a publish that meets others is tried again, a few milliseconds apart.
const ROUNDS: u32 = 100;
/// How often it is begun again before it pauses.
const SPINS: u32 = 16;

/// All but the first are the publish/subscribe block's.
const KNOWN: Known<'_> = Known {
    names: &[&[
        "concurrencyMode",
        "deliveryTimeout",
        "allowedTopics",
        "protectedTopics",
        "publishingScopes",
        "subscriptionScopes",
    ]],
    of_the_cluster: &[],
};

/// Builds the broker.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn Broker>, Vec<Problem>> {
    let mut reader = Reader::new(component, &KNOWN);
    let order = reader.order();
    let order = reader.finish(order)?;
    let (name, app) = (component.name.clone(), site.app_id.clone());
    let seat = Seat { runtime: site.runtime.clone(), name, app, order };
    Ok(Rc::new(InMemory { pump: Pump::new(seat.clone()), seat }))
}

/// Where a broker is, seen by one app's worker.
#[derive(Clone)]
struct Seat {
    runtime: Runtime,
    name: String,
    app: String,
    order: Order,
}

impl Seat {
    fn key(&self) -> String {
        ["weft/mem/pubsub/", &self.name].concat()
    }

    /// Where new events for an app are told.
    fn channel(&self, app: &str) -> String {
        ["weft/mem/pubsub/", &self.name, "/", app].concat()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.runtime.host().fill_random(&mut bytes);
        bytes
    }

    fn failed(&self, why: &str) -> BrokerError {
        BrokerError::Failed { reason: format!("pubsub {:?} {why}", self.name) }
    }

    /// Tries to publish; false if others were in the way.
    #[inline(never)]
    fn publish(&self, message: &Message) -> Result<bool, BrokerError> {
        let key = self.key();
        let host = self.runtime.host();
        for _ in 0..SPINS {
            let (value, version) = host.shared_get(&key);
            let mut ledger = Ledger::decode(value).map_err(|other| self.failed(&other.reason("cannot be used")))?;
            let (numbers, apps): (Vec<u32>, Vec<&str>) = ledger.subscribers_of(&message.topic).into_iter().unzip();
            if numbers.is_empty() {
                return Ok(true);
            }
            let channels: Vec<String> = apps.into_iter().map(|app| self.channel(app)).collect();
            ledger.append(message, &numbers).map_err(|full| self.full(&full))?;
            if host.shared_set(&key, ledger.bytes(), version).is_ok() {
                channels.iter().for_each(|channel| self.runtime.notify(channel));
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline(never)]
    fn full(&self, full: &Full) -> BrokerError {
        self.failed(&format!(
            "is full: it holds {} events and may hold {EVENTS} and {} MiB; nothing was published. App {:?} has most \
             of them to take: make it catch up, or use pubsub.redis",
            full.events,
            BROKER_BYTES / (1024 * 1024),
            full.slowest
        ))
    }
}

struct InMemory {
    seat: Seat,
    pump: Rc<Pump>,
}

impl Broker for InMemory {
    fn capabilities(&self) -> &'static [&'static str] {
        &[]
    }

    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), BrokerError>> {
        let seat = self.seat.clone();
        Box::pin(async move {
            for round in 0..ROUNDS {
                if seat.publish(&message)? {
                    return Ok(());
                }
                // The pause differs from worker to worker.
                let [random] = seat.random();
                let pause = 1 + u64::from(random) % (2 + u64::from(round) / 4);
                seat.runtime.sleep(Duration::from_millis(pause)).await;
            }
            Err(seat.failed("is too busy: other workers changed it all the time, and nothing was published"))
        })
    }

    fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        self.pump.subscribe(topics, deliver);
    }

    fn drain(&self) {
        self.pump.drain();
    }

    fn in_flight(&self) -> usize {
        self.pump.in_flight()
    }

    fn window(&self) -> usize {
        if self.seat.order == Order::Topic { 1 } else { WINDOW }
    }
}

#[cfg(test)]
mod tests;
