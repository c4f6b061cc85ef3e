//! The way of one command from server to server, until one of them does it.

use super::super::client::Client;
use super::Nodes;
use super::map::Node;
use super::refusal::Refusal;
use crate::host::Time;
use std::rc::Rc;
use std::time::Duration;

/// How long a command is followed from server to server; a link's own patience with one of them comes on top.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it goes on to another server without a pause.
const FREE_HOPS: u32 = 3;
/// How long it waits for what passes.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a command goes next.
pub(crate) struct Course {
    nodes: Rc<Nodes>,
    slot: u16,
    end: Time,
    hops: u32,
    /// Where it went last.
    asked: Option<Node>,
    /// Where it was sent on to, and whether it has to be asked for.
    ahead: Option<(Node, bool)>,
}

impl Course {
    /// For a command about that slot.
    pub(crate) fn new(nodes: Rc<Nodes>, slot: u16) -> Self {
        let end = nodes.topology.runtime.now() + PATIENCE;
        Self { nodes, slot, end, hops: 0, asked: None, ahead: None }
    }

    /// The way to the next server.
    ///
    /// # Errors
    /// Says why none is known.
    pub(crate) async fn onward(&mut self) -> Result<Client, String> {
        let (node, asks) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => (self.owner().await?, false),
        };
        self.asked = Some(Rc::clone(&node));
        Ok(self.nodes.client(&node, asks))
    }

    async fn owner(&self) -> Result<Node, String> {
        let topology = &self.nodes.topology;
        loop {
            if let Some(node) = topology.node(self.slot) {
                return Ok(node);
            }
            if self.is_over() {
                return Err(topology.why_unknown(self.slot));
            }
            topology.news().await;
        }
    }

    fn is_over(&self) -> bool {
        self.nodes.closed.get() || self.nodes.topology.runtime.now() >= self.end
    }

    /// Whether the command, which the server refused in these words, is to be sent once more.
    pub(crate) async fn follows(&mut self, text: &str) -> bool {
        let asked = self.asked.as_deref().unwrap_or_default();
        let Some(refusal) = Refusal::read(text, asked) else { return false };
        if self.is_over() {
            return false;
        }
        self.hops += 1;
        let rests = match refusal {
            Refusal::Moved(node) => {
                self.nodes.topology.look();
                self.ahead = Some((node.into(), false));
                self.hops > FREE_HOPS
            }
            Refusal::Ask(node) => {
                self.ahead = Some((node.into(), true));
                self.hops > FREE_HOPS
            }
            Refusal::NotNow => {
                self.nodes.topology.look();
                true
            }
        };
        if rests {
            self.nodes.topology.runtime.sleep(PAUSE).await;
        }
        true
    }

    /// The server did not answer: lets it be looked whether it still has what it had.
    pub(crate) fn doubts(&self) {
        self.nodes.topology.look();
    }

    /// Whether the command, which could not be sent, has another server by now.
    pub(crate) async fn leads_elsewhere(&self) -> bool {
        let topology = &self.nodes.topology;
        if !self.is_over() && topology.node(self.slot) == self.asked {
            topology.news().await;
        }
        !self.nodes.closed.get() && self.hops_left() && topology.node(self.slot) != self.asked
    }

    /// A command is given back by links at most so often.
    fn hops_left(&self) -> bool {
        self.nodes.topology.runtime.now() < self.end + PATIENCE
    }
}
