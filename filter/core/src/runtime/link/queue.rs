//! The commands of one link: those that wait to be sent, then those that wait for a reply.

use super::LinkError;
use crate::host::Time;
use crate::runtime::oneshot::{Receiver, Sender, channel};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Whether a command may safely be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: sent once more if the connection dies under it.
    Read,
    /// May change something: never sent twice.
    Write,
}

type Outcome<R> = Result<R, LinkError>;

/// The reply to a command, once it is there.
pub struct Answer<R>(Receiver<Outcome<R>>);

impl<R> Future for Answer<R> {
    type Output = Outcome<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<R>> {
        Pin::new(&mut self.0).poll(context).map(|outcome| {
            outcome.unwrap_or_else(|| Err(LinkError::OutcomeUnknown { reason: "the link was closed".to_owned() }))
        })
    }
}

pub(super) struct Command<R> {
    kind: Kind,
    /// Empty once they need not be sent again.
    bytes: Vec<u8>,
    size: usize,
    /// Replies still to come; the last one is the answer.
    replies: usize,
    expected: usize,
    since: Time,
    tries: u8,
    waiter: Sender<Outcome<R>>,
}

impl<R> Command<R> {
    pub(super) fn new(kind: Kind, bytes: Vec<u8>, replies: usize, now: Time) -> (Self, Answer<R>) {
        let (waiter, answer) = channel();
        let size = bytes.len();
        let command = Self { kind, bytes, size, replies, expected: replies, since: now, tries: 0, waiter };
        (command, Answer(answer))
    }

    /// How many bytes it has or had.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn fail(self, error: LinkError) {
        self.waiter.send(Err(error));
    }
}

/// What a reply belonged to.
pub(super) enum Matched {
    /// A command that now has its answer; the function hands it over.
    Done(Box<dyn FnOnce()>),
    /// A command that waits for more replies.
    More,
    /// No command at all.
    Unasked,
}

pub(super) struct Queue<R> {
    unsent: VecDeque<Command<R>>,
    sent: VecDeque<Command<R>>,
    unsent_bytes: usize,
    sent_bytes: usize,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Self { unsent: VecDeque::new(), sent: VecDeque::new(), unsent_bytes: 0, sent_bytes: 0 }
    }
}

impl<R: 'static> Queue<R> {
    pub(super) fn len(&self) -> usize {
        self.unsent.len() + self.sent.len()
    }

    /// The sizes of all commands without an answer. One that was sent counts too: the proxy may still hold its bytes.
    pub(super) fn bytes(&self) -> usize {
        self.unsent_bytes + self.sent_bytes
    }

    pub(super) fn any_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    pub(super) fn push(&mut self, command: Command<R>) {
        self.unsent_bytes += command.size();
        self.unsent.push_back(command);
    }

    /// Moves everything unsent to sent and gives its bytes. A command whose client has left before it was sent
    /// is dropped.
    pub(super) fn take_out(&mut self, now: Time) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(self.unsent_bytes);
        let mut count = 0;
        for mut command in self.unsent.drain(..) {
            if !command.waiter.is_wanted() {
                continue;
            }
            out.extend_from_slice(&command.bytes);
            if command.kind == Kind::Write || command.tries > 0 {
                command.bytes = Vec::new();
            }
            command.since = now;
            command.tries += 1;
            self.sent_bytes += command.size;
            self.sent.push_back(command);
            count += 1;
        }
        self.unsent_bytes = 0;
        (out, count)
    }

    pub(super) fn answer(&mut self, reply: R) -> Matched {
        let Some(front) = self.sent.front_mut() else {
            return Matched::Unasked;
        };
        front.replies = front.replies.saturating_sub(1);
        if front.replies > 0 {
            return Matched::More;
        }
        match self.sent.pop_front() {
            Some(command) => {
                self.sent_bytes = self.sent_bytes.saturating_sub(command.size);
                Matched::Done(Box::new(move || command.waiter.send(Ok(reply))))
            }
            None => Matched::Unasked,
        }
    }

    /// Puts reads that were sent once back in front of what waits; gives the others. They wait anew: a read that had no
    /// reply for as long as it may would otherwise never be asked again.
    pub(super) fn connection_lost(&mut self, now: Time) -> Vec<Command<R>> {
        let mut orphans = Vec::new();
        self.sent_bytes = 0;
        for mut command in std::mem::take(&mut self.sent).into_iter().rev() {
            if command.kind == Kind::Read && command.tries < 2 {
                command.replies = command.expected;
                command.since = now;
                self.unsent_bytes += command.size();
                self.unsent.push_front(command);
            } else {
                orphans.push(command);
            }
        }
        orphans
    }

    pub(super) fn take_unsent_before(&mut self, limit: Time) -> Vec<Command<R>> {
        let mut late = Vec::new();
        while self.unsent.front().is_some_and(|command| command.since <= limit) {
            if let Some(command) = self.unsent.pop_front() {
                self.unsent_bytes = self.unsent_bytes.saturating_sub(command.size());
                late.push(command);
            }
        }
        late
    }

    pub(super) fn overdue(&self, limit: Time) -> bool {
        self.sent.front().is_some_and(|command| command.since <= limit)
    }

    pub(super) fn oldest_unsent(&self) -> Option<Time> {
        self.unsent.front().map(|command| command.since)
    }
}
