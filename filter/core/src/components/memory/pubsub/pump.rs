//! The pump: the flow of one worker that brings an app's events from shared memory to the application.

use super::ledger::{Ledger, Place};
use super::turn::{Ended, Turn, Turned};
use super::{Seat, WINDOW};
use crate::by_name::in_order;
use crate::host::{LogLevel, SharedVersion};
use crate::log_line::Line;
use crate::pubsub::{Deliver, Delivered, Message};
use crate::runtime::Signal;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A worker looks by itself that often: the one that hears of new events may have gone.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How often a turn is made again before it pauses, because other workers write the value.
const SPINS: u32 = 32;
/// That pause.
const BUSY: Duration = Duration::from_millis(3);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody has subscribed.
    Idle,
    Running,
    /// What is in flight comes to its end, nothing new begins.
    Draining,
}

/// One worker's share of an app's subscription.
pub(super) struct Pump {
    seat: Seat,
    /// This worker's mark in leases; never 0.
    holder: u64,
    phase: Cell<Phase>,
    signal: RefCell<Signal>,
    deliver: RefCell<Option<Rc<dyn Deliver>>>,
    /// Topics that are not in shared memory yet.
    topics: RefCell<Option<Vec<String>>>,
    /// Events that are with the application.
    held: RefCell<Vec<u64>>,
    ended: RefCell<Vec<Ended>>,
    complained: Cell<bool>,
}

impl Pump {
    #[inline(never)]
    pub(super) fn new(seat: Seat) -> Rc<Self> {
        Rc::new(Self {
            holder: u64::from_le_bytes(seat.random()) | 1,
            seat,
            phase: Cell::new(Phase::Idle),
            signal: RefCell::default(),
            deliver: RefCell::default(),
            topics: RefCell::default(),
            held: RefCell::default(),
            ended: RefCell::default(),
            complained: Cell::new(false),
        })
    }

    pub(super) fn subscribe(self: &Rc<Self>, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        if self.phase.get() == Phase::Draining {
            return;
        }
        self.topics.replace(Some(in_order(topics)));
        self.deliver.replace(Some(deliver));
        let signal = self.seat.runtime.listen(&self.seat.channel(&self.seat.app));
        signal.raise();
        self.signal.replace(signal);
        if self.phase.replace(Phase::Running) == Phase::Idle {
            let pump = Rc::clone(self);
            self.seat.runtime.spawn(Box::pin(async move { pump.run().await }));
        }
    }

    pub(super) fn drain(&self) {
        if self.phase.replace(Phase::Draining) == Phase::Running {
            self.signal.borrow().raise();
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.held.borrow().len() + self.ended.borrow().len()
    }

    async fn run(self: Rc<Self>) {
        loop {
            let wait = self.turn();
            if self.phase.get() == Phase::Draining && self.in_flight() == 0 {
                return;
            }
            let signal = self.signal.borrow().clone();
            signal.raised_or(self.seat.runtime.sleep(wait)).await;
        }
    }

    /// Looks at the broker's value once; gives the time until the next look.
    #[inline(never)]
    fn turn(self: &Rc<Self>) -> Duration {
        let key = self.seat.key();
        for _ in 0..SPINS {
            let (value, version) = self.seat.runtime.host().shared_get(&key);
            let Ok(mut ledger) = Ledger::decode(value) else {
                self.complain();
                return LOOK;
            };
            let now = self.now();
            let turned = self.change(&mut ledger, now);
            if turned.changed && self.write(&key, &ledger, version).is_err() {
                continue;
            }
            self.topics.replace(None);
            self.ended.borrow_mut().clear();
            for event in turned.taken {
                self.begin(&ledger, event);
            }
            let next = turned.next.map(|next| Duration::from_millis(next.saturating_sub(now).max(1)));
            return next.map_or(LOOK, |next| next.min(LOOK));
        }
        BUSY
    }

    fn now(&self) -> u64 {
        u64::try_from(self.seat.runtime.host().now().as_millis()).unwrap_or(u64::MAX)
    }

    fn write(&self, key: &str, ledger: &Ledger, seen: SharedVersion) -> Result<(), crate::host::Conflict> {
        self.seat.runtime.host().shared_set(key, ledger.bytes(), seen)
    }

    #[inline(never)]
    fn change(&self, ledger: &mut Ledger, now: u64) -> Turned {
        let app = &self.seat.app;
        let topics = self.topics.borrow();
        let registered = topics.as_ref().is_some_and(|topics| ledger.register(app, topics));
        let held = self.held.borrow();
        let room = match self.phase.get() {
            Phase::Running => WINDOW.saturating_sub(held.len()),
            Phase::Idle | Phase::Draining => 0,
        };
        let (ended, order) = (self.ended.borrow(), self.seat.order);
        let turn = Turn { app, holder: self.holder, now, held: &held, ended: &ended, room, order };
        let mut turned = turn.make(ledger);
        turned.changed |= registered;
        turned
    }

    #[inline(never)]
    fn begin(self: &Rc<Self>, ledger: &Ledger, event: Place) {
        let deliver = self.deliver.borrow().clone();
        let (Some(deliver), Some(message)) = (deliver, ledger.message(event)) else { return };
        self.held.borrow_mut().push(event.id);
        let flow = Rc::clone(self).deliver(event.id, message, deliver);
        self.seat.runtime.spawn(Box::pin(flow));
    }

    async fn deliver(self: Rc<Self>, event: u64, message: Message, deliver: Rc<dyn Deliver>) {
        let outcome: Delivered = deliver.deliver(Rc::new(message)).await;
        let [jitter] = self.seat.random();
        self.held.borrow_mut().retain(|held| *held != event);
        self.ended.borrow_mut().push(Ended { event, outcome, jitter });
        self.signal.borrow().raise();
    }

    fn complain(&self) {
        if !self.complained.replace(true) {
            let what = "events cannot be read";
            let why = "shared memory was written by another release of the module; restart the proxy";
            self.seat.runtime.log(LogLevel::Error, &Line { component: &self.seat.name, about: &[], what, why });
        }
    }
}
