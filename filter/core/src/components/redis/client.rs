//! The way of a command to the server that has to do it.

#[cfg(feature = "redis-nodes")]
use super::nodes::Nodes;
use super::settings::{Login, Servers};
use super::{RedisLink, resp::Reply, resp::Resp};
use crate::components::Site;
use crate::config::Problem;
use crate::host::TcpTarget;
#[cfg(feature = "redis-nodes")]
use crate::runtime::BoxFuture;
use crate::runtime::Runtime;
use crate::runtime::link::{Answer, Kind, Link, LinkError, LinkSettings};
use std::future::Future;
use std::pin::Pin;
#[cfg(feature = "redis-nodes")]
use std::rc::Rc;
use std::task::{Context, Poll};

/// Sends commands to a component's Redis, whichever server has to do them. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Client {
    /// The one server.
    One(RedisLink),
    /// A server of a Redis Cluster that is asked for a slot which it has not taken over yet.
    #[cfg(feature = "redis-nodes")]
    Asking(RedisLink),
    /// The servers, of which each command finds its own.
    #[cfg(feature = "redis-nodes")]
    Nodes(Rc<Nodes>),
}

impl Client {
    /// Sends one command about `key`; it may not stand in the bytes of another. The future gives its reply.
    ///
    /// # Errors
    /// As [`Link::send`]; where there are several servers, also [`LinkError::NotSent`] if none is known for the key.
    pub(crate) fn send(&self, kind: Kind, key: &[u8], bytes: Vec<u8>) -> Sending {
        #[cfg(not(feature = "redis-nodes"))]
        let _ = key;
        match self {
            Self::One(link) => Sending::One(link.send(kind, bytes)),
            #[cfg(feature = "redis-nodes")]
            Self::Asking(link) => Sending::One(link.send_all(kind, [ASKING, bytes.as_slice()].concat(), 2)),
            #[cfg(feature = "redis-nodes")]
            Self::Nodes(nodes) => Sending::Nodes(nodes.send(kind, key, bytes)),
        }
    }

    /// Opens what can be opened before the first command.
    pub(crate) fn open(&self) {
        match self {
            Self::One(link) => link.open(),
            #[cfg(feature = "redis-nodes")]
            Self::Asking(link) => link.open(),
            #[cfg(feature = "redis-nodes")]
            Self::Nodes(nodes) => nodes.open(),
        }
    }

    /// Why no server was ever reached; `None` if one was, or if no attempt has ended yet.
    pub(crate) fn never_up(&self) -> Option<String> {
        match self {
            Self::One(link) => link.never_up(),
            #[cfg(feature = "redis-nodes")]
            Self::Asking(link) => link.never_up(),
            #[cfg(feature = "redis-nodes")]
            Self::Nodes(nodes) => nodes.never_up(),
        }
    }

    /// Ends commands that wait for an answer, once the last clone is dropped.
    pub(crate) fn close(self) {
        #[cfg(feature = "redis-nodes")]
        if let Self::Nodes(nodes) = &self {
            nodes.close();
        }
    }

    /// Keys of the same number can stand in one command.
    pub(crate) fn slot(&self, key: &[u8]) -> u16 {
        #[cfg(feature = "redis-nodes")]
        if let Self::Nodes(nodes) = self {
            return nodes.slot(key);
        }
        let _ = key;
        0
    }
}

/// Tells a server of a Redis Cluster that the next command is for a slot which it is about to take over.
#[cfg(feature = "redis-nodes")]
const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// The reply to a command, once it is there.
pub(crate) enum Sending {
    /// From the one server.
    One(Answer<Reply>),
    /// From whichever server it was.
    #[cfg(feature = "redis-nodes")]
    Nodes(BoxFuture<'static, Result<Reply, LinkError>>),
}

impl Future for Sending {
    type Output = Result<Reply, LinkError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::One(answer) => Pin::new(answer).poll(context),
            #[cfg(feature = "redis-nodes")]
            Self::Nodes(flow) => flow.as_mut().poll(context),
        }
    }
}

/// How a component's servers are reached; makes clients of them.
#[derive(Clone)]
pub(crate) struct Reach {
    runtime: Runtime,
    target: TcpTarget,
    login: Login,
    #[cfg(feature = "redis-nodes")]
    topology: Option<Rc<super::nodes::Topology>>,
}

impl Reach {
    /// For the servers that the settings say.
    ///
    /// # Errors
    /// The configuration has no link.
    #[inline(never)]
    pub(crate) fn new(site: &Site, login: Login, servers: Servers) -> Result<Self, Vec<Problem>> {
        let target = site.target.clone().ok_or_else(|| vec![Problem::no_link()])?;
        let runtime = site.runtime.clone();
        #[cfg(not(feature = "redis-nodes"))]
        let Servers::One = servers;
        Ok(Self {
            #[cfg(feature = "redis-nodes")]
            topology: super::nodes::Topology::of(&runtime, &target, &login, servers),
            runtime,
            target,
            login,
        })
    }

    /// A client with connections of its own, which log in by themselves.
    #[inline(never)]
    pub(crate) fn client(&self, settings: LinkSettings) -> Client {
        #[cfg(feature = "redis-nodes")]
        if let Some(topology) = &self.topology {
            return Client::Nodes(Nodes::new(topology, self.login.clone(), settings));
        }
        Client::One(Link::new(self.runtime.clone(), self.target.clone(), Resp::new(self.login.clone()), settings))
    }
}
