//! Which server does what, as the servers themselves or their Sentinels say, looked at again and again.

use super::super::resp::{Reply, Resp};
use super::super::settings::{Login, Servers};
use super::super::{Command, RedisLink};
use super::map::{Map, Node};
use super::{Nodes, address};
use crate::host::{LogLevel, TcpTarget, Time};
use crate::log_line::Line;
use crate::runtime::link::{Kind, Link, LinkError, LinkSettings};
use crate::runtime::{BoxFuture, Runtime, Sender, Signal, channel};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How often it is looked whether all is well.
const BEAT: Duration = Duration::from_secs(1);
/// How often a Redis Cluster is asked while all is well. A Sentinel is asked at every beat: a master that was replaced may
/// still take our writes, and they would be lost.
const CALM: Duration = Duration::from_secs(30);
/// How often it is asked while something is not.
const HURRY: Duration = Duration::from_millis(250);
/// The shortest time between two questions.
const LEAST: Duration = Duration::from_millis(50);
/// How long it is hurried after the last sign of trouble.
const TROUBLE: Duration = Duration::from_secs(5);
/// How long one server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

enum Source {
    /// The nodes of a Redis Cluster know each other.
    Cluster,
    /// Sentinels know the master of that name.
    Sentinel { master: String },
}

/// What one component knows of its servers.
pub(crate) struct Topology {
    pub(super) runtime: Runtime,
    target: TcpTarget,
    source: Source,
    /// Where it is asked first.
    seeds: Vec<Node>,
    /// For those that are asked.
    login: Login,
    map: RefCell<Option<Map>>,
    /// What came of the last question that failed.
    failure: RefCell<Option<String>>,
    /// Those who were asked.
    oracles: RefCell<Vec<(Node, RedisLink)>>,
    /// How often somebody else was to be asked.
    turns: Cell<usize>,
    asked_at: Cell<Time>,
    hurried_until: Cell<Time>,
    /// Wakes the watch.
    changed: Signal,
    is_watched: Cell<bool>,
    waiting: RefCell<Vec<Sender<()>>>,
    users: RefCell<Vec<Weak<Nodes>>>,
}

impl Topology {
    /// For a component with several servers; `None` for one with a single one.
    #[inline(never)]
    pub(crate) fn of(runtime: &Runtime, target: &TcpTarget, login: &Login, servers: Servers) -> Option<Rc<Self>> {
        let (source, seeds, login) = match servers {
            Servers::One => return None,
            Servers::Cluster { seeds } => (Source::Cluster, seeds, login.clone()),
            Servers::Sentinel { sentinels, master, login } => (Source::Sentinel { master }, sentinels, login),
        };
        Some(Rc::new(Self {
            runtime: runtime.clone(),
            target: target.clone(),
            source,
            seeds: seeds.into_iter().map(Node::from).collect(),
            login,
            map: RefCell::default(),
            failure: RefCell::default(),
            oracles: RefCell::default(),
            turns: Cell::new(0),
            asked_at: Cell::new(Duration::ZERO),
            hurried_until: Cell::new(Duration::ZERO),
            changed: Signal::default(),
            is_watched: Cell::new(false),
            waiting: RefCell::default(),
            users: RefCell::default(),
        }))
    }

    pub(super) fn add(&self, nodes: &Rc<Nodes>) {
        let mut users = self.users.borrow_mut();
        users.retain(|user| user.strong_count() > 0);
        users.push(Rc::downgrade(nodes));
    }

    /// Whether keys have slots.
    pub(super) fn has_slots(&self) -> bool {
        matches!(self.source, Source::Cluster)
    }

    pub(super) fn target_of(&self, node: &Node) -> TcpTarget {
        TcpTarget { node: Some(node.to_string()), ..self.target.clone() }
    }

    /// The server that has a slot, as far as is known.
    pub(super) fn node(&self, slot: u16) -> Option<Node> {
        self.map.borrow().as_ref().and_then(|map| map.node(slot))
    }

    /// Why no server is known for a slot.
    #[inline(never)]
    pub(super) fn why_unknown(&self, slot: u16) -> String {
        if self.map.borrow().is_some() {
            return format!("no node of the Redis Cluster {} serves the hash slot {slot}", self.target.backend);
        }
        self.failure.borrow().clone().unwrap_or_else(|| format!("no server of {} is known yet", self.target.backend))
    }

    /// Why the servers were never known; `None` if they were, or if nobody was asked yet.
    pub(super) fn never_known(&self) -> Option<String> {
        if self.map.borrow().is_some() { None } else { self.failure.borrow().clone() }
    }

    /// Begins to learn.
    pub(super) fn open(self: &Rc<Self>) {
        if !self.is_watched.replace(true) {
            self.runtime.spawn(Box::pin(watch(Rc::downgrade(self))));
        }
    }

    /// Something is not as it was known: looks soon, and often for a while.
    pub(super) fn look(self: &Rc<Self>) {
        self.hurried_until.set(self.runtime.now() + TROUBLE);
        self.open();
        self.changed.raise();
    }

    /// Looks soon; ends when somebody has answered or failed to.
    pub(super) async fn news(self: &Rc<Self>) {
        let (sender, receiver) = channel();
        self.waiting.borrow_mut().push(sender);
        self.look();
        receiver.await;
    }

    fn users(&self) -> Vec<Rc<Nodes>> {
        self.users.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    fn is_hurried(&self) -> bool {
        self.runtime.now() < self.hurried_until.get()
    }

    /// How long nobody may be asked again yet.
    fn rest(&self) -> Duration {
        (self.asked_at.get() + LEAST).saturating_sub(self.runtime.now())
    }

    /// Whether somebody is to be asked at this beat.
    #[inline(never)]
    fn is_due(&self) -> bool {
        let calm = if self.has_slots() { CALM } else { BEAT };
        self.is_hurried()
            || self.map.borrow().is_none()
            || self.runtime.now() >= self.asked_at.get() + calm
            || self.users().iter().any(|nodes| nodes.any_down())
    }

    /// Those who may be asked, beginning with the one whose turn it is.
    #[inline(never)]
    fn turn(&self) -> Vec<Node> {
        let mut all = match (&self.source, &*self.map.borrow()) {
            (Source::Cluster, Some(map)) => map.nodes(),
            _ => Vec::new(),
        };
        all.extend(self.seeds.iter().filter(|seed| !all.contains(seed)).cloned().collect::<Vec<_>>());
        let count = all.len().max(1);
        all.rotate_left(self.turns.get() % count);
        all
    }

    #[inline(never)]
    fn link_to(&self, node: &Node) -> RedisLink {
        let mut oracles = self.oracles.borrow_mut();
        if let Some((_, link)) = oracles.iter().find(|(known, _)| known == node) {
            return link.clone();
        }
        let settings = LinkSettings {
            unsent_timeout: PATIENCE,
            reply_timeout: PATIENCE,
            fails_after: Some(Duration::ZERO),
            ..LinkSettings::default()
        };
        let codec = Resp::of(self.login.clone(), false);
        let link = Link::new(self.runtime.clone(), self.target_of(node), codec, settings);
        oracles.push((Rc::clone(node), link.clone()));
        link
    }

    #[inline(never)]
    fn question(&self) -> Vec<u8> {
        match &self.source {
            Source::Cluster => Command::new(2, 32).arg(b"CLUSTER").arg(b"SLOTS").into_bytes(),
            Source::Sentinel { master } => {
                Command::new(3, 64).arg(b"SENTINEL").arg(b"GET-MASTER-ADDR-BY-NAME").arg(master.as_bytes()).into_bytes()
            }
        }
    }

    /// Takes an answer in; false if it is of no use.
    #[inline(never)]
    fn heard(&self, node: &Node, answer: Result<Reply, LinkError>) -> bool {
        self.asked_at.set(self.runtime.now());
        let reply = answer.map_err(|error| match error {
            LinkError::NotSent { reason } | LinkError::OutcomeUnknown { reason } => reason,
        });
        match reply.and_then(|reply| self.read(reply, node)) {
            Ok(map) => {
                self.learn(map);
                if !self.is_hurried() {
                    // One will do while all is well.
                    self.oracles.borrow_mut().retain(|(known, _)| known == node);
                }
                true
            }
            Err(why) => {
                self.failure.replace(Some(why));
                self.turns.set(self.turns.get().wrapping_add(1));
                false
            }
        }
    }

    /// The servers from an answer of `node`.
    ///
    /// # Errors
    /// Says why they are not in it.
    #[inline(never)]
    fn read(&self, reply: Reply, node: &Node) -> Result<Map, String> {
        match (&self.source, reply) {
            (_, Reply::Error(text)) => Err(format!("{node} did not say where the servers are: {text}")),
            (Source::Cluster, reply) => {
                Map::read(reply, node).ok_or_else(|| format!("{node} answered CLUSTER SLOTS with something else"))
            }
            (Source::Sentinel { .. }, Reply::Array(parts)) => match parts.as_slice() {
                [Reply::Bulk(host), Reply::Bulk(port)] => {
                    let (host, port) = (String::from_utf8_lossy(host), String::from_utf8_lossy(port));
                    Ok(Map::whole(&address::write(&host, &port, node)))
                }
                _ => Err(format!("the Sentinel {node} named no master's address")),
            },
            (Source::Sentinel { master }, _) => {
                Err(format!("the Sentinel {node} knows no master named {master:?}; check sentinelMasterName"))
            }
        }
    }

    fn learn(&self, map: Map) {
        if self.map.borrow().as_ref() == Some(&map) {
            // Whoever has not heard of a change yet is not asked about it again.
            if self.is_hurried() {
                self.turns.set(self.turns.get().wrapping_add(1));
            }
            return;
        }
        let nodes = map.nodes();
        self.map.replace(Some(map));
        self.failure.replace(None);
        self.users().iter().for_each(|user| user.keep(&nodes));
        let about = [("backend", self.target.backend.as_str())];
        self.runtime.log(
            LogLevel::Info,
            &Line { component: "redis", about: &about, what: "servers found", why: &nodes.join(" ") },
        );
    }

    fn tell(&self) {
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(|waiter| waiter.send(()));
    }
}

/// Looks for as long as the topology lives.
async fn watch(topology: Weak<Topology>) {
    loop {
        let Some(it) = topology.upgrade() else { return };
        let (is_due, rest) = (it.is_due(), it.rest());
        if is_due && !rest.is_zero() {
            let rest = it.runtime.sleep(rest);
            drop(it);
            rest.await;
            continue;
        }
        if is_due {
            ask(Rc::clone(&it)).await;
        }
        let next = it.runtime.sleep(if it.is_hurried() { HURRY } else { BEAT });
        let changed = it.changed.clone();
        drop(it);
        changed.raised_or(next).await;
    }
}

/// Asks one after the other until one knows.
#[inline(never)]
fn ask(topology: Rc<Topology>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        for node in topology.turn() {
            let answer = topology.link_to(&node).send(Kind::Read, topology.question());
            let known = topology.heard(&node, answer.await);
            topology.tell();
            if known {
                return;
            }
        }
    })
}
