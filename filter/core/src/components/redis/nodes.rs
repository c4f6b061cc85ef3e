//! Several servers: the nodes of a Redis Cluster, or the master that Sentinels name. Each command finds the server that
//! has to do it.
//!
//! The filter does it, and not Envoy's Redis proxy: that one has neither scripts over several keys nor transactions nor
//! blocking reads of streams, which state and events are made of, and it knows nothing of Sentinel. Envoy does the
//! connections: a link asks for a server by its address ([`TcpTarget::node`](crate::host::TcpTarget::node)), since addresses
//! are learned while it runs, and a cluster of the kind "dynamic forward proxy" leads there, by name or number, with TLS.
//! Each worker learns for itself: there is nothing that workers would have to agree about.

mod address;
mod course;
mod map;
mod refusal;
mod slot;
mod topology;

use super::RedisLink;
use super::client::Client;
use super::resp::{Reply, Resp};
use super::settings::Login;
use crate::runtime::BoxFuture;
use crate::runtime::link::{Kind, Link, LinkError, LinkSettings};
pub(crate) use course::Course;
use map::Node;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
pub(crate) use topology::Topology;

/// Connections to the servers, each opened when it is first needed.
pub(crate) struct Nodes {
    topology: Rc<Topology>,
    login: Login,
    settings: LinkSettings,
    links: RefCell<Vec<(Node, RedisLink)>>,
    closed: Cell<bool>,
}

impl Nodes {
    /// No connections yet.
    #[inline(never)]
    pub(crate) fn new(topology: &Rc<Topology>, login: Login, settings: LinkSettings) -> Rc<Self> {
        let nodes = Rc::new(Self {
            topology: Rc::clone(topology),
            login,
            settings,
            links: RefCell::default(),
            closed: Cell::new(false),
        });
        topology.add(&nodes);
        nodes
    }

    /// Sends one command to the server that has the key.
    ///
    /// # Errors
    /// As [`Link::send`]; also [`LinkError::NotSent`] if no server is known for the key in time.
    pub(super) fn send(
        self: &Rc<Self>,
        kind: Kind,
        key: &[u8],
        bytes: Vec<u8>,
    ) -> BoxFuture<'static, Result<Reply, LinkError>> {
        Box::pin(send(Rc::clone(self), kind, self.slot(key), bytes))
    }

    /// Learns where the servers are.
    pub(super) fn open(&self) {
        self.topology.open();
    }

    /// Why no server was ever reached; `None` if one was, or if no attempt has ended yet.
    pub(super) fn never_up(&self) -> Option<String> {
        self.topology.never_known().or_else(|| {
            let links = self.links.borrow();
            let reasons = links.iter().map(|(_, link)| link.never_up()).collect::<Option<Vec<_>>>()?;
            reasons.into_iter().next()
        })
    }

    /// Ends what waits for an answer; nothing can be sent any more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let links = self.links.take();
        links.iter().for_each(|(_, link)| link.abandon("the client was closed"));
    }

    /// The slot of a key; with Sentinel it says nothing.
    pub(super) fn slot(&self, key: &[u8]) -> u16 {
        if self.topology.has_slots() { slot::of(key) } else { 0 }
    }

    /// The way to one server.
    fn client(&self, node: &Node, asks: bool) -> Client {
        let link = self.link(node);
        if link.is_down() {
            self.topology.look();
        }
        if asks { Client::Asking(link) } else { Client::One(link) }
    }

    #[inline(never)]
    fn link(&self, node: &Node) -> RedisLink {
        let mut links = self.links.borrow_mut();
        if let Some((_, link)) = links.iter().find(|(known, _)| known == node) {
            return link.clone();
        }
        let codec = Resp::of(self.login.clone(), !self.topology.has_slots());
        let link =
            Link::new(self.topology.runtime.clone(), self.topology.target_of(node), codec, self.settings.clone());
        if !self.closed.get() {
            links.push((Rc::clone(node), link.clone()));
        }
        link
    }

    /// Whether a server that was connected, or should be, is not.
    fn any_down(&self) -> bool {
        self.links.borrow().iter().any(|(_, link)| link.is_down())
    }

    /// The servers have changed. What waits for one that has gone is given back, so that it finds another. A connection
    /// that is up stays: the servers do not learn of each other at the same moment.
    #[inline(never)]
    fn keep(&self, nodes: &[Node]) {
        let is_gone = |(node, link): &(Node, RedisLink)| !nodes.contains(node) && link.is_down();
        let gone: Vec<_> = self.links.borrow_mut().extract_if(.., |it| is_gone(it)).collect();
        gone.iter().for_each(|(_, link)| link.abandon("it does not serve any more"));
        if let ([node], false) = (nodes, self.topology.has_slots()) {
            self.link(node).open();
        }
    }
}

/// Sends a command until a server has done it or said what is wrong with it.
async fn send(nodes: Rc<Nodes>, kind: Kind, slot: u16, bytes: Vec<u8>) -> Result<Reply, LinkError> {
    let mut course = Course::new(nodes, slot);
    loop {
        let client = course.onward().await.map_err(|reason| LinkError::NotSent { reason })?;
        match client.send(kind, b"", bytes.clone()).await {
            Ok(Reply::Error(text)) if course.follows(&text).await => {}
            Err(LinkError::NotSent { .. }) if course.leads_elsewhere().await => {}
            Err(error) => {
                // A server that hangs takes connections still.
                course.doubts();
                return Err(error);
            }
            reply => return reply,
        }
    }
}

#[cfg(test)]
mod tests;
