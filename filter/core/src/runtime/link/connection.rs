//! One link's connection: opening, greeting, sending, receiving, losing it.

use super::queue::{Command, Matched, Queue};
use super::received::Received;
use super::state::State;
use super::{Codec, Decoded, LinkError, LinkSettings};
use crate::host::{LogLevel, Metric, TcpTarget, Time};
use crate::log_line::Line;
use crate::runtime::{Runtime, Signal, TcpEvents};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long a connection and its greeting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// How often the log is told that a backend cannot be reached.
const TOLD_EVERY: Duration = Duration::from_secs(30);

struct Inner<C: Codec> {
    state: State,
    queue: Queue<C::Reply>,
    received: Received,
    backoff: Duration,
    last_error: String,
    /// How often the backend has accepted us.
    connections: u32,
    /// Since when there is no connection, although one was tried.
    down_since: Option<Time>,
    /// What the log was told of failed attempts since the connection was up, and when.
    told: Option<(&'static str, Time)>,
    keeper: bool,
}

/// What the clones of a link share.
pub(super) struct Connection<C: Codec> {
    runtime: Runtime,
    target: TcpTarget,
    settings: LinkSettings,
    codec: C,
    inner: RefCell<Inner<C>>,
    /// Wakes the keeper before its time.
    changed: Signal,
}

/// Opens, watches and reopens one link for as long as it lives.
async fn keep<C: Codec>(link: Weak<Connection<C>>) {
    loop {
        let Some(shared) = link.upgrade() else { return };
        shared.clone().step();
        let wait = shared.runtime.sleep(shared.next_check());
        let changed = shared.changed.clone();
        drop(shared);
        changed.raised_or(wait).await;
    }
}

impl<C: Codec> Connection<C> {
    /// Not open yet.
    pub(super) fn new(runtime: Runtime, target: TcpTarget, codec: C, settings: LinkSettings) -> Self {
        let inner = Inner {
            state: State::Idle,
            queue: Queue::default(),
            received: Received::default(),
            backoff: FIRST_BACKOFF,
            last_error: "not connected yet".to_owned(),
            connections: 0,
            down_since: None,
            told: None,
            keeper: false,
        };
        Self { runtime, target, settings, codec, inner: RefCell::new(inner), changed: Signal::default() }
    }

    /// Whether the backend has accepted us.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.inner.borrow().state, State::Up { .. })
    }

    /// How many connections there have been.
    #[cfg(feature = "redis")]
    pub(super) fn connections(&self) -> u32 {
        self.inner.borrow().connections
    }

    /// Whether there is no connection although one was tried.
    #[cfg(feature = "redis-nodes")]
    pub(super) fn is_down(&self) -> bool {
        self.inner.borrow().down_since.is_some()
    }

    /// Gives back everything: what was sent may have been done.
    #[cfg(feature = "redis-nodes")]
    #[inline(never)]
    pub(super) fn abandon(&self, reason: &str) {
        self.give_up(reason, Duration::ZERO);
        self.fail_unsent_before(Time::MAX);
    }

    /// How many commands have no reply yet.
    pub(super) fn waiting(&self) -> usize {
        self.inner.borrow().queue.len()
    }

    /// Why the backend was never reached; `None` if it was, or if no attempt has ended yet.
    #[inline(never)]
    pub(super) fn never_up(&self) -> Option<String> {
        let tried = matches!(*self.inner.borrow(), Inner { connections: 0, down_since: Some(_), .. });
        tried.then(|| self.why_unsent())
    }

    /// Whether there was no connection for so long that a failed attempt gives back all that waits.
    fn is_given_up(&self) -> bool {
        let since = self.inner.borrow().down_since.zip(self.settings.fails_after);
        since.is_some_and(|(since, patience)| self.runtime.now() >= since + patience)
    }

    pub(super) fn now(&self) -> Time {
        self.runtime.now()
    }

    /// Sends a command now or when that becomes possible; fails it if too much waits.
    pub(super) fn take(self: &Rc<Self>, command: Command<C::Reply>) {
        let mut inner = self.inner.borrow_mut();
        let (waiting, bytes) = (inner.queue.len(), inner.queue.bytes() + command.size());
        if waiting >= self.settings.max_commands || bytes > self.settings.max_bytes {
            drop(inner);
            self.runtime.host().count(Metric::LinkFull, 1);
            let (backend, size, most) = (&self.target, command.size(), self.settings.max_bytes);
            let reason = if size > most {
                format!("{size} bytes for {backend} are more than one command may have: {most}")
            } else {
                format!("too much waits for {backend}")
            };
            command.fail(LinkError::NotSent { reason });
            return;
        }
        inner.queue.push(command);
        let flush_now = !self.settings.batch || !inner.queue.any_sent();
        drop(inner);
        if !self.is_up() {
            self.start_keeper();
            self.hurry();
        } else if flush_now {
            self.flush();
        }
    }

    /// Lets the next attempt be soon, since the command that waits will be given back if it fails.
    #[inline(never)]
    fn hurry(&self) {
        if !self.is_given_up() {
            return;
        }
        if let State::Waiting { until, soonest } = &mut self.inner.borrow_mut().state {
            *until = (*until).min(*soonest);
        }
        self.changed.raise();
    }

    /// Opens the connection, unless somebody sees to it already.
    pub(super) fn start_keeper(self: &Rc<Self>) {
        if !std::mem::replace(&mut self.inner.borrow_mut().keeper, true) {
            self.runtime.spawn(Box::pin(keep(Rc::downgrade(self))));
        }
    }

    /// Acts on what time brings: connection attempts and deadlines.
    fn step(self: Rc<Self>) {
        let now = self.runtime.now();
        let unsent_limit = now.saturating_sub(self.settings.unsent_timeout);
        let sent_limit = now.saturating_sub(self.settings.reply_timeout);
        let state = self.inner.borrow().state;
        match state {
            State::Idle => self.clone().connect(),
            State::Waiting { until, .. } if until <= now => self.clone().connect(),
            State::Opening { since, .. } | State::Greeting { since, .. } if now >= since + CONNECT_TIMEOUT => {
                self.lost("no connection in time");
            }
            State::Up { .. } if self.inner.borrow().queue.overdue(sent_limit) => {
                self.runtime.host().count(Metric::LinkTimeouts, 1);
                self.lost("no reply in time");
            }
            _ => {}
        }
        self.fail_unsent_before(unsent_limit);
    }

    /// Gives back what has waited since then or longer.
    fn fail_unsent_before(&self, limit: Time) {
        let late = self.inner.borrow_mut().queue.take_unsent_before(limit);
        if !late.is_empty() {
            let reason = self.why_unsent();
            late.into_iter().for_each(|command| command.fail(LinkError::NotSent { reason: reason.clone() }));
        }
    }

    #[inline(never)]
    fn why_unsent(&self) -> String {
        let backend = &self.target;
        if self.is_up() {
            return format!("{backend} was too slow: earlier commands had no reply for too long");
        }
        format!("no connection to {backend}: {}", self.inner.borrow().last_error)
    }

    fn next_check(&self) -> Duration {
        let now = self.runtime.now();
        let inner = self.inner.borrow();
        let mut wait = Duration::from_secs(1);
        if let State::Waiting { until, .. } = inner.state {
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
            Err(error) => self.lost(&error.to_string()),
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
            self.lost(&error.to_string());
        }
    }

    /// The connection has gone or is given up: tells the waiters and the log, plans the next attempt.
    fn lost(&self, reason: &str) {
        if self.is_up() {
            self.give_up(reason, Duration::ZERO);
            self.say(LogLevel::Warn, "connection lost", reason);
        } else {
            self.give_up(reason, Duration::ZERO);
            self.attempt_failed(LogLevel::Warn, "no connection", reason);
        }
    }

    /// Tells the log at that level, unless the same was told a short while ago.
    #[inline(never)]
    fn attempt_failed(&self, level: LogLevel, what: &'static str, why: &str) {
        let now = self.runtime.now();
        let told = self.inner.borrow().told;
        let is_news = told.is_none_or(|(before, at)| before != what || now >= at + TOLD_EVERY);
        if is_news {
            self.inner.borrow_mut().told = Some((what, now));
        }
        self.say(if is_news { level } else { LogLevel::Debug }, what, why);
    }

    fn give_up(&self, reason: &str, not_before: Duration) {
        let mut inner = self.inner.borrow_mut();
        let old = inner.state;
        let jitter = self.jitter(inner.backoff);
        let now = self.runtime.now();
        inner.state =
            State::Waiting { until: now + jitter.max(not_before), soonest: now + not_before.max(FIRST_BACKOFF) };
        inner.backoff = (inner.backoff * 2).min(LONGEST_BACKOFF);
        reason.clone_into(&mut inner.last_error);
        inner.down_since = inner.down_since.or(Some(now));
        inner.received = Received::default();
        let orphans = inner.queue.connection_lost(now);
        drop(inner);
        self.changed.raise();
        if let Some(tcp) = old.tcp() {
            self.runtime.tcp_close(tcp);
            self.runtime.host().count(Metric::LinkClosed, 1);
        }
        let unknown = LinkError::OutcomeUnknown { reason: format!("connection to {} lost: {reason}", self.target) };
        orphans.into_iter().for_each(|command| command.fail(unknown.clone()));
        if self.is_given_up() {
            self.fail_unsent_before(now);
        }
    }

    fn say(&self, level: LogLevel, what: &str, why: &str) {
        let backend = self.target.to_string();
        let about = [("backend", backend.as_str())];
        self.runtime.log(level, &Line { component: "link", about: &about, what, why });
    }

    /// Between three quarters and five quarters of `time`.
    fn jitter(&self, time: Duration) -> Duration {
        let mut byte = [0u8; 1];
        self.runtime.host().fill_random(&mut byte);
        let [byte] = byte;
        time * 3 / 4 + time * u32::from(byte) / 512
    }

    fn greeted(&self, reply: C::Reply) {
        let more = match self.codec.greet_on(reply) {
            Ok(more) => more,
            Err(why) => {
                self.give_up(&why, Duration::from_secs(1));
                self.attempt_failed(LogLevel::Error, "refused by the backend", &why);
                return;
            }
        };
        let mut inner = self.inner.borrow_mut();
        let State::Greeting { tcp, left, since } = inner.state else { return };
        let left = (left + more.len()).saturating_sub(1);
        inner.state = if left == 0 { State::Up { tcp } } else { State::Greeting { tcp, left, since } };
        drop(inner);
        if let (false, Err(error)) = (more.is_empty(), self.runtime.host().tcp_send(tcp, &more.concat())) {
            return self.lost(&error.to_string());
        }
        self.on_up();
    }

    fn on_up(&self) {
        if matches!(self.inner.borrow().state, State::Up { .. }) {
            let mut inner = self.inner.borrow_mut();
            inner.backoff = FIRST_BACKOFF;
            inner.connections += 1;
            inner.down_since = None;
            inner.told = None;
            drop(inner);
            self.say(LogLevel::Info, "connected", "");
            self.flush();
        }
    }

    /// Decodes one reply, if it is there.
    fn next_reply(&self) -> Option<C::Reply> {
        let mut inner = self.inner.borrow_mut();
        let why = loop {
            let (reply, used) = match self.codec.decode(inner.received.ready()?) {
                Ok(Decoded::Whole { reply, used }) => (Some(reply), used),
                Ok(Decoded::Skipped { used }) => (None, used),
                Ok(Decoded::Partial { needed }) => {
                    inner.received.wait_for(needed);
                    return None;
                }
                Err(why) => break why,
            };
            inner.received.decoded(used);
            if reply.is_some() {
                return reply;
            }
        };
        drop(inner);
        self.lost(&why);
        None
    }
}

impl<C: Codec> TcpEvents for Connection<C> {
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
            self.lost(&error.to_string());
        }
    }

    fn data(&self, bytes: &[u8]) {
        self.inner.borrow_mut().received.add(bytes);
        while let Some(reply) = self.next_reply() {
            if matches!(self.inner.borrow().state, State::Greeting { .. }) {
                self.greeted(reply);
                continue;
            }
            let matched = self.inner.borrow_mut().queue.answer(reply);
            match matched {
                Matched::Done(deliver) => deliver(),
                Matched::More => {}
                Matched::Unasked => {
                    return self.lost("a reply that nobody asked for");
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
        self.lost(&reason);
    }
}

impl<C: Codec> Drop for Connection<C> {
    fn drop(&mut self) {
        if let Some(tcp) = self.inner.borrow().state.tcp() {
            self.runtime.tcp_close(tcp);
        }
    }
}
