//! A pipelined connection to a backend: commands go out in order, replies come back in order.
//!
//! It opens on first use, reconnects with back-off and jitter, bounds what waits, and tells every waiter when the
//! connection dies. Protocols are plugged in as a [`Codec`] without sockets.

mod connection;
mod queue;
mod received;
mod state;

use super::Runtime;
use crate::host::TcpTarget;
use connection::Connection;
use queue::Command;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use queue::{Answer, Kind};

/// What stands at the front of the bytes received.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<R> {
    /// A whole reply.
    Whole {
        /// The reply.
        reply: R,
        /// How many bytes it took, at least one.
        used: usize,
    },
    /// The beginning of one.
    Partial {
        /// Asking again is useless before this many bytes are there, counted from the front.
        needed: usize,
    },
    /// Bytes of a reply that is not kept; the codec knows where in it the next ones stand.
    Skipped {
        /// How many bytes of the front it were, at least one.
        used: usize,
    },
}

/// A protocol in which replies come in the order of the commands.
pub trait Codec: 'static {
    /// One reply.
    type Reply: 'static;
    /// Reads the first reply from the front of `bytes`, which may hold none, a part of one or many.
    ///
    /// # Errors
    /// A text that says why the connection has to be given up, such as bytes that are not the protocol.
    fn decode(&self, bytes: &[u8]) -> Result<Decoded<Self::Reply>, String>;
    /// A new connection begins, with the first byte of a reply. Gives the commands that go out first on it:
    /// authentication, choice of database.
    fn greeting(&self) -> Vec<Vec<u8>>;
    /// Judges the reply to one command of the greeting. Gives what has to be sent before the connection is in service,
    /// beside what was sent already; each command has one reply.
    ///
    /// # Errors
    /// A text without secrets that says why the backend will not serve us.
    fn greet_on(&self, reply: Self::Reply) -> Result<Vec<Vec<u8>>, String>;
}

/// What a link may use, and how long it waits.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Commands that may wait or be under way at once.
    pub max_commands: usize,
    /// Bytes of commands that may wait or be under way at once.
    pub max_bytes: usize,
    /// How long a command may wait for a connection before it is given back unsent.
    pub unsent_timeout: Duration,
    /// How long after being sent a reply may take.
    pub reply_timeout: Duration,
    /// Collect commands while a reply is outstanding. Not for commands that block.
    pub batch: bool,
    /// When there has been no connection for that long, try at once to connect for a command, and give it back if that
    /// fails. Absent for whoever would only ask again.
    pub fails_after: Option<Duration>,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            max_commands: 10_000,
            max_bytes: 64 * 1024 * 1024,
            unsent_timeout: Duration::from_secs(2),
            reply_timeout: Duration::from_secs(5),
            batch: true,
            fails_after: None,
        }
    }
}

/// Why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// It never left: the backend was not asked to do anything.
    NotSent {
        /// What stood in the way.
        reason: String,
    },
    /// It left, and then the connection ended or no reply came. The backend may or may not have done it.
    OutcomeUnknown {
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent { reason } => write!(f, "not sent: {reason}"),
            Self::OutcomeUnknown { reason } => write!(f, "outcome unknown: {reason}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// A connection to a backend. Cheap to clone; closed when the last clone goes.
pub struct Link<C: Codec>(Rc<Connection<C>>);

impl<C: Codec> Clone for Link<C> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<C: Codec> Link<C> {
    /// A link that is not open yet.
    pub fn new(runtime: Runtime, target: TcpTarget, codec: C, settings: LinkSettings) -> Self {
        Self(Rc::new(Connection::new(runtime, target, codec, settings)))
    }

    /// Opens the connection if it is not open.
    pub fn open(&self) {
        self.0.start_keeper();
    }

    /// Whether the backend has accepted us.
    pub fn is_up(&self) -> bool {
        self.0.is_up()
    }

    /// Why the backend was never reached; `None` if it was, or if no attempt has ended yet.
    pub fn never_up(&self) -> Option<String> {
        self.0.never_up()
    }

    /// Whether there is no connection although one was tried.
    #[cfg(feature = "redis-nodes")]
    pub fn is_down(&self) -> bool {
        self.0.is_down()
    }

    /// How many connections there have been. As long as it stays the same, so does the connection.
    #[cfg(feature = "redis")]
    pub fn connections(&self) -> u32 {
        self.0.connections()
    }

    /// Ends the connection: what waits is given back unsent, and what was sent is of unknown outcome. For a link that
    /// will be dropped.
    #[cfg(feature = "redis-nodes")]
    pub fn abandon(&self, reason: &str) {
        self.0.abandon(reason);
    }

    /// How many commands have no reply yet.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Sends one command. The future gives its reply.
    ///
    /// # Errors
    /// [`LinkError::NotSent`] if a bound is reached or no connection comes in time;
    /// [`LinkError::OutcomeUnknown`] if it was sent and no reply came. A [`Kind::Read`] is sent once more
    /// before that.
    pub fn send(&self, kind: Kind, bytes: Vec<u8>) -> Answer<C::Reply> {
        self.send_all(kind, bytes, 1)
    }

    /// Sends several commands that stand one behind the other in `bytes`; the future gives the last one's reply.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send_all(&self, kind: Kind, bytes: Vec<u8>, replies: usize) -> Answer<C::Reply> {
        let (command, answer) = Command::new(kind, bytes, replies, self.0.now());
        self.0.take(command);
        answer
    }
}

#[cfg(test)]
mod tests;
