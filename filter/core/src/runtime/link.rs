//! A pipelined connection to a backend: commands go out in order, replies come back in order.
//!
//! It opens on first use, reconnects with back-off and jitter, bounds what waits, and tells every waiter when the
//! connection dies. Protocols are plugged in as a [`Codec`] without sockets.

mod queue;

use super::{Runtime, Signal, TcpEvents};
use crate::host::{LogLevel, Metric, TcpId, TcpTarget, Time};
use queue::{Command, Queue};
use std::cell::RefCell;
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
}

/// A protocol in which replies come in the order of the commands.
pub trait Codec: 'static {
    /// One reply.
    type Reply: 'static;
    /// Reads the first reply from the front of `bytes`, which may hold none, a part of one or many.
    ///
    /// # Errors
    /// A text that says why these bytes are not the protocol; the connection is given up.
    fn decode(&self, bytes: &[u8]) -> Result<Decoded<Self::Reply>, String>;
    /// Commands that go out first on every new connection: authentication, choice of database.
    fn greeting(&self) -> Vec<Vec<u8>>;
    /// Judges the reply to one command of the greeting.
    ///
    /// # Errors
    /// A text without secrets that says why the backend will not serve us.
    fn check_greeting(&self, reply: Self::Reply) -> Result<(), String>;
}

/// What a link may use, and how long it waits.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Commands that may wait or be under way at once.
    pub max_commands: usize,
    /// Bytes that may wait to be sent, in all.
    pub max_bytes: usize,
    /// How long a command may wait for a connection before it is given back unsent.
    pub unsent_timeout: Duration,
    /// How long after being sent a reply may take.
    pub reply_timeout: Duration,
    /// Collect commands while a reply is outstanding. Not for commands that block.
    pub batch: bool,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            max_commands: 10_000,
            max_bytes: 64 * 1024 * 1024,
            unsent_timeout: Duration::from_secs(2),
            reply_timeout: Duration::from_secs(5),
            batch: true,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was asked for yet, or the link was closed.
    Idle,
    /// The next attempt is due at that time.
    Waiting { until: Time },
    /// The connection has been asked for.
    Opening { tcp: TcpId, since: Time },
    /// That many replies to the greeting are still to come.
    Greeting { tcp: TcpId, left: usize, since: Time },
    /// In service.
    Up { tcp: TcpId },
}

impl State {
    fn tcp(self) -> Option<TcpId> {
        match self {
            Self::Idle | Self::Waiting { .. } => None,
            Self::Opening { tcp, .. } | Self::Greeting { tcp, .. } | Self::Up { tcp } => Some(tcp),
        }
    }
}

/// How long a connection and its greeting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// Room for received bytes that is kept between replies.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes from the backend that belong to no reply yet.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    /// How much of the front has been decoded; dropped once per data event.
    used: usize,
    /// Decoding is useless before this many bytes follow `used`.
    needed: usize,
}

impl Received {
    /// The bytes to decode, unless they are known to be too few.
    fn ready(&self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.used..)?;
        (!rest.is_empty() && rest.len() >= self.needed).then_some(rest)
    }

    fn drop_used(&mut self) {
        self.bytes.drain(..self.used.min(self.bytes.len()));
        self.used = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
    }
}

struct Inner<C: Codec> {
    state: State,
    queue: Queue<C::Reply>,
    received: Received,
    backoff: Duration,
    last_error: String,
    keeper: bool,
}

struct Shared<C: Codec> {
    runtime: Runtime,
    target: TcpTarget,
    settings: LinkSettings,
    codec: C,
    inner: RefCell<Inner<C>>,
    /// Wakes the keeper before its time.
    changed: Signal,
}

/// A connection to a backend. Cheap to clone; closed when the last clone goes.
pub struct Link<C: Codec>(Rc<Shared<C>>);

impl<C: Codec> Clone for Link<C> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<C: Codec> Link<C> {
    /// A link that is not open yet.
    pub fn new(runtime: Runtime, target: TcpTarget, codec: C, settings: LinkSettings) -> Self {
        let inner = Inner {
            state: State::Idle,
            queue: Queue::default(),
            received: Received::default(),
            backoff: FIRST_BACKOFF,
            last_error: "not connected yet".to_owned(),
            keeper: false,
        };
        Self(Rc::new(Shared {
            runtime,
            target,
            settings,
            codec,
            inner: RefCell::new(inner),
            changed: Signal::default(),
        }))
    }

    /// Opens the connection if it is not open.
    pub fn open(&self) {
        self.start_keeper();
    }

    /// Whether the backend has accepted us.
    pub fn is_up(&self) -> bool {
        matches!(self.0.inner.borrow().state, State::Up { .. })
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
        let shared = &self.0;
        let settings = &shared.settings;
        let (command, answer) = Command::new(kind, bytes, replies, shared.runtime.now());
        let mut inner = shared.inner.borrow_mut();
        if inner.queue.len() >= settings.max_commands || inner.queue.bytes() + command.size() > settings.max_bytes {
            shared.runtime.host().count(Metric::LinkFull, 1);
            command.fail(LinkError::NotSent { reason: format!("too much waits for {}", shared.target.backend) });
            return answer;
        }
        inner.queue.push(command);
        let flush_now = !settings.batch || !inner.queue.any_sent();
        drop(inner);
        if self.is_up() {
            if flush_now {
                shared.flush();
            }
        } else {
            self.start_keeper();
        }
        answer
    }

    fn start_keeper(&self) {
        let mut inner = self.0.inner.borrow_mut();
        if !inner.keeper {
            inner.keeper = true;
            drop(inner);
            self.0.runtime.spawn(Box::pin(keep(Rc::downgrade(&self.0))));
        }
    }

    /// Ends the connection. What waits is told; the next command opens it again.
    pub fn close(&self) {
        self.0.lost("closed by the filter", Duration::ZERO);
    }
}

/// Opens, watches and reopens one link for as long as it lives.
async fn keep<C: Codec>(link: std::rc::Weak<Shared<C>>) {
    loop {
        let Some(shared) = link.upgrade() else { return };
        shared.clone().step();
        let wait = shared.runtime.sleep(shared.next_check());
        let changed = shared.changed.clone();
        drop(shared);
        changed.raised_or(wait).await;
    }
}

impl<C: Codec> Shared<C> {
    /// Acts on what time brings: connection attempts and deadlines.
    fn step(self: Rc<Self>) {
        let now = self.runtime.now();
        let unsent_limit = now.saturating_sub(self.settings.unsent_timeout);
        let sent_limit = now.saturating_sub(self.settings.reply_timeout);
        let state = self.inner.borrow().state;
        match state {
            State::Idle => self.clone().connect(),
            State::Waiting { until } if until <= now => self.clone().connect(),
            State::Opening { since, .. } | State::Greeting { since, .. } if now >= since + CONNECT_TIMEOUT => {
                self.lost("no connection in time", Duration::ZERO);
            }
            State::Up { .. } if self.inner.borrow().queue.overdue(sent_limit) => {
                self.runtime.host().count(Metric::LinkTimeouts, 1);
                self.lost("no reply in time", Duration::ZERO);
            }
            _ => {}
        }
        let late = self.inner.borrow_mut().queue.take_unsent_before(unsent_limit);
        if !late.is_empty() {
            let reason = self.inner.borrow().last_error.clone();
            let reason = format!("no connection to {}: {reason}", self.target.backend);
            late.into_iter().for_each(|command| command.fail(LinkError::NotSent { reason: reason.clone() }));
        }
    }

    fn next_check(&self) -> Duration {
        let now = self.runtime.now();
        let inner = self.inner.borrow();
        let mut wait = Duration::from_secs(1);
        if let State::Waiting { until } = inner.state {
            wait = wait.min(until.saturating_sub(now));
        }
        if let Some(since) = inner.queue.oldest_unsent() {
            wait = wait.min((since + self.settings.unsent_timeout).saturating_sub(now));
        }
        wait.max(Duration::from_millis(1))
    }

    fn connect(self: Rc<Self>) {
        let events: Rc<dyn TcpEvents> = self.clone();
        match self.runtime.tcp_open(&self.target, &events) {
            Ok(tcp) => self.inner.borrow_mut().state = State::Opening { tcp, since: self.runtime.now() },
            Err(error) => self.lost(&error.to_string(), Duration::ZERO),
        }
    }

    /// Sends everything that waits, as one write.
    fn flush(&self) {
        let (tcp, bytes, count) = {
            let mut inner = self.inner.borrow_mut();
            let State::Up { tcp } = inner.state else {
                return;
            };
            let (bytes, count) = inner.queue.take_out(self.runtime.now());
            (tcp, bytes, count)
        };
        if count == 0 {
            return;
        }
        self.runtime.host().count(Metric::LinkCommands, u32::try_from(count).unwrap_or(u32::MAX));
        if let Err(error) = self.runtime.host().tcp_send(tcp, &bytes) {
            self.lost(&error.to_string(), Duration::ZERO);
        }
    }

    /// The connection has gone or is given up: tells the waiters, plans the next attempt.
    fn lost(&self, reason: &str, not_before: Duration) {
        let mut inner = self.inner.borrow_mut();
        let old = inner.state;
        let jitter = self.jitter(inner.backoff);
        inner.state = State::Waiting { until: self.runtime.now() + jitter.max(not_before) };
        inner.backoff = (inner.backoff * 2).min(LONGEST_BACKOFF);
        reason.clone_into(&mut inner.last_error);
        inner.received = Received::default();
        let orphans = inner.queue.connection_lost();
        drop(inner);
        self.changed.raise();
        if let Some(tcp) = old.tcp() {
            self.runtime.tcp_close(tcp);
            self.runtime.host().count(Metric::LinkClosed, 1);
        }
        let unknown =
            LinkError::OutcomeUnknown { reason: format!("connection to {} lost: {reason}", self.target.backend) };
        orphans.into_iter().for_each(|command| command.fail(unknown.clone()));
        let level = if matches!(old, State::Up { .. }) { LogLevel::Warn } else { LogLevel::Debug };
        self.runtime.log(
            level,
            format_args!("component=link backend={} what=\"connection lost\" why={reason:?}", self.target.backend),
        );
    }

    /// Between three quarters and five quarters of `time`.
    fn jitter(&self, time: Duration) -> Duration {
        let mut byte = [0u8; 1];
        self.runtime.host().fill_random(&mut byte);
        let [byte] = byte;
        time * 3 / 4 + time * u32::from(byte) / 512
    }

    fn greeted(&self, reply: C::Reply) {
        if let Err(why) = self.codec.check_greeting(reply) {
            self.runtime.log(
                LogLevel::Error,
                format_args!(
                    "component=link backend={} what=\"refused by the backend\" why={why:?}",
                    self.target.backend
                ),
            );
            self.lost(&why, Duration::from_secs(1));
            return;
        }
        let mut inner = self.inner.borrow_mut();
        if let State::Greeting { tcp, left, since } = inner.state {
            inner.state = if left <= 1 { State::Up { tcp } } else { State::Greeting { tcp, left: left - 1, since } };
        }
        drop(inner);
        self.on_up();
    }

    fn on_up(&self) {
        if matches!(self.inner.borrow().state, State::Up { .. }) {
            self.inner.borrow_mut().backoff = FIRST_BACKOFF;
            self.runtime
                .log(LogLevel::Info, format_args!("component=link backend={} what=\"connected\"", self.target.backend));
            self.flush();
        }
    }

    /// Decodes one reply, if it is there.
    fn next_reply(&self) -> Option<C::Reply> {
        let mut inner = self.inner.borrow_mut();
        let why = match self.codec.decode(inner.received.ready()?) {
            Ok(Decoded::Whole { reply, used }) => {
                inner.received.used += used;
                inner.received.needed = 0;
                return Some(reply);
            }
            Ok(Decoded::Partial { needed }) => {
                inner.received.needed = needed;
                return None;
            }
            Err(why) => why,
        };
        drop(inner);
        self.lost(&format!("bytes that are not the protocol: {why}"), Duration::ZERO);
        None
    }
}

impl<C: Codec> TcpEvents for Shared<C> {
    fn opened(&self) {
        self.runtime.host().count(Metric::LinkOpened, 1);
        let greeting = self.codec.greeting();
        let mut inner = self.inner.borrow_mut();
        let State::Opening { tcp, since } = inner.state else {
            return;
        };
        if greeting.is_empty() {
            inner.state = State::Up { tcp };
            drop(inner);
            self.on_up();
            return;
        }
        inner.state = State::Greeting { tcp, left: greeting.len(), since };
        drop(inner);
        if let Err(error) = self.runtime.host().tcp_send(tcp, &greeting.concat()) {
            self.lost(&error.to_string(), Duration::ZERO);
        }
    }

    fn data(&self, bytes: &[u8]) {
        self.inner.borrow_mut().received.bytes.extend_from_slice(bytes);
        while let Some(reply) = self.next_reply() {
            if matches!(self.inner.borrow().state, State::Greeting { .. }) {
                self.greeted(reply);
                continue;
            }
            let matched = self.inner.borrow_mut().queue.answer(reply);
            match matched {
                queue::Matched::Done(deliver) => deliver(),
                queue::Matched::More => {}
                queue::Matched::Unasked => {
                    return self.lost("a reply that nobody asked for", Duration::ZERO);
                }
            }
        }
        self.inner.borrow_mut().received.drop_used();
        self.flush();
    }

    fn closed(&self, status: u32) {
        let was_opening = matches!(self.inner.borrow().state, State::Opening { .. });
        let reason = if was_opening {
            "the proxy could not connect; look at host, port and TLS of that cluster".to_owned()
        } else {
            format!("closed with status {status}")
        };
        self.lost(&reason, Duration::ZERO);
    }
}

impl<C: Codec> Drop for Shared<C> {
    fn drop(&mut self) {
        if let Some(tcp) = self.inner.borrow().state.tcp() {
            self.runtime.tcp_close(tcp);
        }
    }
}

#[cfg(test)]
mod tests;
