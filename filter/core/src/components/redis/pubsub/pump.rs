//! The pump: carries entries from Redis to the application and acknowledges those that were settled.
//!
//! One flow reads, prepares and looks after what is held; each delivery is a flow of its own. Two links: one for
//! reads that block, the writer for everything else, since whatever stands behind a blocked read waits.

use super::super::settings::{Claim, PubsubSettings};
use super::super::{Client, Reach};
use super::entries::EntryId;
use super::topic::{Group, Topic};
use super::{consumer, delivery, read, refresh, tend};
use crate::host::{LogLevel, Time};
use crate::log_line::Line;
use crate::pubsub::{Deliver, Order};
use crate::runtime::link::LinkSettings;
use crate::runtime::{Runtime, Signal};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The longest time a read may block.
pub(super) const LONGEST_BLOCK: Duration = Duration::from_secs(5);
/// How many entries one command may ask for when all is well; the window bounds it further.
const MAX_COUNT: usize = 1000;

/// What a pump is made from.
#[cfg_attr(feature = "redis-nodes", derive(Clone))]
pub(super) struct Parts {
    pub runtime: Runtime,
    pub component: String,
    pub app_id: String,
    pub writer: Client,
    pub reach: Reach,
    pub settings: PubsubSettings,
}

pub(super) struct Pump {
    pub runtime: Runtime,
    pub writer: Client,
    component: String,
    app_id: String,
    reach: Reach,
    /// The consumer group.
    pub group: String,
    /// Our name in it; taken when it is first needed.
    consumer: OnceCell<String>,
    /// Entries of one topic that may be held at once.
    pub window: usize,
    /// Which of them wait for each other.
    pub order: Order,
    pub claim: Option<Claim>,
    reader: RefCell<Option<Client>>,
    topics: RefCell<Vec<Rc<Topic>>>,
    /// Wakes the flow when there is room, or something else to do.
    pub changed: Signal,
    running: Cell<bool>,
    draining: Cell<bool>,
    /// How many entries a command may ask for. One after a lost reply, which may have been too large; then doubling.
    limit: Cell<usize>,
    /// When Redis is told next that we still work on what we hold.
    pub refresh_at: Cell<Time>,
}

impl Pump {
    #[inline(never)]
    pub(super) fn new(parts: Parts) -> Rc<Self> {
        let settings = parts.settings;
        Rc::new(Self {
            runtime: parts.runtime,
            writer: parts.writer,
            component: parts.component,
            group: settings.consumer_id.unwrap_or_else(|| parts.app_id.clone()),
            app_id: parts.app_id,
            reach: parts.reach,
            consumer: OnceCell::new(),
            window: settings.window,
            order: settings.order,
            claim: settings.claim,
            reader: RefCell::default(),
            topics: RefCell::default(),
            changed: Signal::default(),
            running: Cell::new(false),
            draining: Cell::new(false),
            limit: Cell::new(MAX_COUNT),
            refresh_at: Cell::new(Duration::ZERO),
        })
    }

    /// Makes these topics the wanted ones.
    pub(super) fn subscribe(self: &Rc<Self>, names: Vec<String>, deliver: Rc<dyn Deliver>) {
        if self.draining.get() {
            return;
        }
        let changed = self.want(names, &deliver);
        if changed {
            // A read that blocks knows the old topics only.
            self.interrupt();
            self.changed.raise();
        }
        if !self.wanted().is_empty() && !self.running.replace(true) {
            self.runtime.spawn(Box::pin(run(Rc::clone(self))));
        }
    }

    /// Marks what is wanted; tells whether that differs from before.
    fn want(&self, names: Vec<String>, deliver: &Rc<dyn Deliver>) -> bool {
        let mut topics = self.topics.borrow_mut();
        let mut changed = false;
        for topic in topics.iter() {
            let wanted = names.contains(&topic.name);
            if topic.wanted.replace(wanted) != wanted {
                changed = true;
                // Entries that were given up while it was not wanted.
                topic.recover.set(Some(EntryId::FIRST));
            }
            if wanted {
                *topic.deliver.borrow_mut() = Rc::clone(deliver);
            }
        }
        for name in names {
            if !topics.iter().any(|topic| topic.name == name) {
                changed = true;
                topics.push(Topic::new(name, Rc::clone(deliver), self.runtime.now(), self.order != Order::None));
            }
        }
        topics.retain(|topic| topic.is_of_use());
        changed
    }

    /// Stops reading for good. What is with the application may end.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.interrupt();
        self.changed.raise();
    }

    pub(super) fn in_flight(&self) -> usize {
        let topics = self.topics.borrow();
        topics.iter().map(|topic| topic.in_flight()).sum()
    }

    /// Ends a read that blocks. If entries were on their way, they are found again among our pending ones.
    fn interrupt(&self) {
        let reader = self.reader.borrow_mut().take();
        if let Some(reader) = reader {
            reader.close();
        }
    }

    /// The topics that new entries are wanted of.
    pub(super) fn wanted(&self) -> Vec<Rc<Topic>> {
        if self.draining.get() {
            return Vec::new();
        }
        let topics = self.topics.borrow();
        topics.iter().filter(|topic| topic.wanted.get()).cloned().collect()
    }

    /// The topics with entries in memory.
    pub(super) fn holding(&self) -> Vec<Rc<Topic>> {
        let topics = self.topics.borrow();
        topics.iter().filter(|topic| !topic.held.borrow().is_empty()).cloned().collect()
    }

    /// Whether any topic has entries in memory.
    pub(super) fn holds_any(&self) -> bool {
        let topics = self.topics.borrow();
        topics.iter().any(|topic| !topic.held.borrow().is_empty())
    }

    /// Whether an entry of the topic stays here if the application did not take it.
    pub(super) fn keeps(&self, topic: &Topic) -> bool {
        topic.wanted.get() && !self.draining.get() && !topic.lost.get()
    }

    fn has_work(&self) -> bool {
        self.topics.borrow_mut().retain(|topic| topic.is_of_use());
        !self.wanted().is_empty() || self.in_flight() > 0
    }

    /// From how many free places on more is asked for: fewer would make many small reads.
    pub(super) fn enough_room(&self) -> usize {
        (self.window / 2).max(1)
    }

    /// Entries leave the memory; those that waited for them in order have their turn.
    #[inline(never)]
    pub(super) fn release(self: &Rc<Self>, topic: &Rc<Topic>, ids: &[EntryId]) {
        topic.release(ids);
        for id in ids {
            let mut gone = *id;
            while let Some((next, message)) = topic.next_in_line(gone) {
                if self.keeps(topic) {
                    delivery::start(self, topic, next, message);
                    break;
                }
                topic.release(&[next]);
                gone = next;
            }
        }
        if topic.held.borrow().is_empty() && topic.lost.replace(false) {
            topic.recover.set(Some(EntryId::FIRST));
        }
        self.released(topic);
    }

    fn released(&self, topic: &Topic) {
        if !self.keeps(topic) || topic.free(self.window) >= self.enough_room() {
            self.changed.raise();
        }
    }

    pub(super) fn consumer(&self) -> &str {
        self.consumer.get_or_init(|| {
            let host = self.runtime.host();
            consumer::new_name(host, &self.group, &self.app_id, &self.component)
        })
    }

    /// For reads that block, opened when it is first needed.
    pub(super) fn reader(&self) -> Client {
        let mut reader = self.reader.borrow_mut();
        let client = reader.get_or_insert_with(|| {
            let settings = LinkSettings { reply_timeout: LONGEST_BLOCK * 2, batch: false, ..LinkSettings::default() };
            self.reach.client(settings)
        });
        client.clone()
    }

    /// Where a command goes that is about several topics of this pump: to where one of them is.
    pub(super) fn key(topics: &[Rc<Topic>]) -> &[u8] {
        topics.first().map(|topic| topic.name.as_bytes()).unwrap_or_default()
    }

    /// How many entries a command may ask for.
    pub(super) fn count(&self, free: usize) -> usize {
        free.min(self.limit.get())
    }

    /// A reply with entries has come.
    pub(super) fn reply_came(&self) {
        self.limit.set((self.limit.get() * 2).min(MAX_COUNT));
    }

    /// A reply with entries may be lost: they are ours now, and nobody here knows them.
    pub(super) fn reply_lost(&self, topic: &Topic) {
        self.limit.set(1);
        topic.recover.set(Some(EntryId::FIRST));
    }

    /// How long nothing is due.
    pub(super) fn idle_time(&self, wanted: &[Rc<Topic>]) -> Duration {
        let now = self.runtime.now();
        let refresh = match self.claim {
            Some(_) if self.holds_any() => self.refresh_at.get(),
            _ => Time::MAX,
        };
        let next = wanted
            .iter()
            .map(|topic| match topic.group.get() {
                Group::Unknown => now,
                Group::Refused { until } => until,
                Group::Ready if !self.has_room(topic) => Time::MAX,
                Group::Ready if topic.recover.get().is_some() => now,
                Group::Ready if self.claim.is_some() => topic.claim_at.get(),
                Group::Ready => Time::MAX,
            })
            .fold(refresh, Time::min);
        let least = Duration::from_millis(10);
        next.saturating_sub(now).clamp(least, LONGEST_BLOCK)
    }

    /// Whether at least one entry of the topic may be taken.
    pub(super) fn has_room(&self, topic: &Topic) -> bool {
        self.keeps(topic) && topic.may_take() && topic.free(self.window) > 0
    }

    /// Waits for room, but not longer than that.
    pub(super) async fn rest(&self, time: Duration) {
        let sleep = self.runtime.sleep(time);
        self.changed.clone().raised_or(sleep).await;
    }

    pub(super) fn warn(&self, topic: &str, what: &str, why: &str) {
        self.runtime.log(LogLevel::Warn, &Line { component: &self.component, about: &[("topic", topic)], what, why });
    }
}

async fn run(pump: Rc<Pump>) {
    while pump.has_work() {
        if refresh::is_due(&pump) {
            refresh::refresh(Rc::clone(&pump)).await;
        }
        for topic in pump.wanted() {
            if tend::is_due(&pump, &topic) {
                tend::tend(Rc::clone(&pump), topic).await;
            }
        }
        read::read(Rc::clone(&pump)).await;
    }
    pump.interrupt();
    pump.running.set(false);
}
