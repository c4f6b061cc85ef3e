//! The pumps of one broker. In a Redis Cluster one command reads streams of one hash slot only, and a read that blocks
//! holds up its connection: so there the topics of each slot have a pump of their own. Else there is one.

use super::pump::{Parts, Pump};
use crate::pubsub::Deliver;
#[cfg(feature = "redis-nodes")]
use std::cell::RefCell;
use std::rc::Rc;

/// The one pump.
#[cfg(not(feature = "redis-nodes"))]
pub(super) struct Pumps(Rc<Pump>);

#[cfg(not(feature = "redis-nodes"))]
impl Pumps {
    /// It does not run yet.
    pub(super) fn new(parts: Parts) -> Self {
        Self(Pump::new(parts))
    }

    /// Makes these topics the wanted ones.
    pub(super) fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        self.0.subscribe(topics, deliver);
    }

    /// Stops reading for good.
    pub(super) fn drain(&self) {
        self.0.drain();
    }

    /// How many events are with the application.
    pub(super) fn in_flight(&self) -> usize {
        self.0.in_flight()
    }
}

/// The pumps, each for the topics of one slot.
#[cfg(feature = "redis-nodes")]
pub(super) struct Pumps {
    parts: Parts,
    /// With the slot of its topics.
    all: RefCell<Vec<(u16, Rc<Pump>)>>,
}

#[cfg(feature = "redis-nodes")]
impl Pumps {
    /// None yet.
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, all: RefCell::default() }
    }

    /// Makes these topics the wanted ones.
    #[inline(never)]
    pub(super) fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        let topics: Vec<(u16, String)> = topics.into_iter().map(|topic| (self.slot(&topic), topic)).collect();
        for (slot, _) in &topics {
            let _pump = self.of(*slot);
        }
        // Those that have had topics may have none now.
        for (slot, pump) in self.all.borrow().iter() {
            let names = topics.iter().filter(|(of, _)| of == slot).map(|(_, name)| name.clone());
            pump.subscribe(names.collect(), Rc::clone(&deliver));
        }
    }

    fn slot(&self, topic: &str) -> u16 {
        self.parts.writer.slot(topic.as_bytes())
    }

    fn of(&self, slot: u16) -> Rc<Pump> {
        let mut all = self.all.borrow_mut();
        if let Some((_, pump)) = all.iter().find(|(of, _)| *of == slot) {
            return Rc::clone(pump);
        }
        let pump = Pump::new(self.parts.clone());
        all.push((slot, Rc::clone(&pump)));
        pump
    }

    /// Stops reading for good.
    pub(super) fn drain(&self) {
        self.all.borrow().iter().for_each(|(_, pump)| pump.drain());
    }

    /// How many events are with the application.
    pub(super) fn in_flight(&self) -> usize {
        self.all.borrow().iter().map(|(_, pump)| pump.in_flight()).sum()
    }
}
