//! One topic as the pump sees it: what is in flight and what has to be done next.

use super::entries::EntryId;
use super::ordered::InLine;
use crate::host::Time;
use crate::pubsub::Deliver;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How far a topic's stream is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// It may not exist.
    Unknown,
    /// Making it failed; not before that time again.
    Refused { until: Time },
    /// It exists.
    Ready,
}

pub(super) struct Topic {
    pub name: String,
    /// Whether new entries are wanted.
    pub wanted: Cell<bool>,
    pub group: Cell<Group>,
    /// Whether consumers of earlier processes were looked for.
    pub swept: Cell<bool>,
    /// Entries that Redis gave to us in a reply which did not arrive are looked for after this one.
    pub recover: Cell<Option<EntryId>>,
    /// When others' leftovers are looked for next.
    pub claim_at: Cell<Time>,
    /// Where that look begins, if the last one ended for want of room.
    pub claim_from: Cell<EntryId>,
    /// Entries in memory: with the application, in back-off, or settled and not acknowledged.
    pub held: RefCell<Vec<EntryId>>,
    /// How many of them are in back-off.
    pub waiting: Cell<usize>,
    /// Settled entries that Redis was not told of.
    pub settled: RefCell<Vec<EntryId>>,
    /// Whether an acknowledgement is under way.
    pub acknowledging: Cell<bool>,
    pub deliver: RefCell<Rc<dyn Deliver>>,
    /// Whether some entries wait for others.
    pub is_ordered: bool,
    /// Those that do, and those that they wait for, in order.
    pub line: RefCell<Vec<InLine>>,
    /// Ordered: whether another consumer may have what is held. Nothing more of it is begun.
    pub lost: Cell<bool>,
    /// Ordered: until when no other consumer takes what is held.
    pub sure_until: Cell<Time>,
}

impl Topic {
    pub(super) fn new(name: String, deliver: Rc<dyn Deliver>, now: Time, is_ordered: bool) -> Rc<Self> {
        Rc::new(Self {
            name,
            wanted: Cell::new(true),
            group: Cell::new(Group::Unknown),
            swept: Cell::new(false),
            // A topic that was left may have entries of ours from before.
            recover: Cell::new(Some(EntryId::FIRST)),
            claim_at: Cell::new(now),
            claim_from: Cell::new(EntryId::FIRST),
            held: RefCell::default(),
            waiting: Cell::new(0),
            settled: RefCell::default(),
            acknowledging: Cell::new(false),
            deliver: RefCell::new(deliver),
            is_ordered,
            line: RefCell::default(),
            lost: Cell::new(false),
            sure_until: Cell::new(Time::MAX),
        })
    }

    /// Takes an entry into memory; false if it is there already.
    pub(super) fn hold(&self, id: EntryId) -> bool {
        let mut held = self.held.borrow_mut();
        let is_new = !held.contains(&id);
        if is_new {
            held.push(id);
        }
        is_new
    }

    pub(super) fn release(&self, ids: &[EntryId]) {
        self.held.borrow_mut().retain(|id| !ids.contains(id));
    }

    /// Places in the window.
    pub(super) fn free(&self, window: usize) -> usize {
        window.saturating_sub(self.held.borrow().len())
    }

    /// Entries that are with the application or settled and not acknowledged.
    pub(super) fn in_flight(&self) -> usize {
        self.held.borrow().len().saturating_sub(self.waiting.get())
    }

    /// Whether new entries may be taken now. While one is in back-off none are: they would pile up here, out of
    /// reach of other workers. In order no other worker could have them.
    pub(super) fn may_take(&self) -> bool {
        let is_free = if self.is_ordered { !self.lost.get() } else { self.waiting.get() == 0 };
        self.wanted.get() && self.group.get() == Group::Ready && is_free
    }

    /// Whether it is wanted or holds entries still.
    pub(super) fn is_of_use(&self) -> bool {
        self.wanted.get() || !self.held.borrow().is_empty()
    }
}
