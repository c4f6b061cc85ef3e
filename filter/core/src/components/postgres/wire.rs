//! PostgreSQL's protocol, version 3: replies from bytes, and how a new connection comes into service.

mod errors;
#[cfg(test)]
mod tests;

use super::login::{Demand, Login, Talk};
use super::message::Messages;
use super::schema::Schema;
use crate::runtime::Runtime;
use crate::runtime::link::{Codec, Decoded};
pub(crate) use errors::Refusal;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The largest message, in bytes, that is kept.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Kind and length.
const HEADER: usize = 5;

/// A row's columns; `None` for `NULL`.
pub(crate) type Row = Vec<Option<Vec<u8>>>;

/// What came for one command, up to the point where PostgreSQL is ready for the next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The first row of all.
    pub row: Option<Row>,
    /// How many rows each statement found or changed, in order, up to the first that failed.
    pub counts: Vec<u64>,
    /// What was refused. Then nothing was changed.
    pub refusal: Option<Refusal>,
    /// A row was larger than what is kept.
    pub too_large: bool,
}

/// A reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Before a connection is let in: what has to be shown.
    Demand(Demand),
    /// All that a command came to.
    Ready(Box<Outcome>),
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be let in.
    Login,
    /// To know the statements.
    Prepare,
    /// To have the tables.
    Migrate,
    /// To know the statements, now that there are tables.
    PrepareAgain,
    /// In service.
    Done,
}

/// The protocol as a [`Codec`].
pub(crate) struct Wire {
    runtime: Runtime,
    login: Rc<Login>,
    schema: Rc<Schema>,
    phase: Cell<Phase>,
    talk: RefCell<Talk>,
    building: RefCell<Outcome>,
    /// Bytes still to come of a row that is too large.
    skip: Cell<usize>,
}

impl Wire {
    /// For a user's connections to tables.
    pub(crate) fn new(runtime: Runtime, login: Rc<Login>, schema: Rc<Schema>) -> Self {
        let (talk, building) = (RefCell::default(), RefCell::default());
        Self { runtime, login, schema, phase: Cell::new(Phase::Login), talk, building, skip: Cell::new(0) }
    }

    /// One message after its header.
    #[inline(never)]
    fn message(&self, kind: u8, body: &[u8]) -> Result<Option<Reply>, String> {
        let mut building = self.building.borrow_mut();
        match kind {
            b'Z' => return Ok(Some(Reply::Ready(Box::new(std::mem::take(&mut *building))))),
            b'R' => return Ok(Demand::read(body)?.and_then(|demand| self.demand(demand))),
            b'E' => {
                let refusal = Refusal::read(body);
                if refusal.is_fatal {
                    return self.farewell(refusal).map(Some);
                }
                building.refusal.get_or_insert(refusal);
            }
            b'D' if building.row.is_none() => building.row = Some(row(body).ok_or_else(|| cut(kind))?),
            b'C' => building.counts.push(count(body)),
            // Rows after the first; statements prepared, bound, closed, without rows or text; settings, keys, notices.
            b'D' | b'1' | b'2' | b'3' | b'n' | b'I' | b's' | b't' | b'T' | b'S' | b'K' | b'N' | b'A' | b'v' => {}
            other => return Err(not_known(other)),
        }
        Ok(None)
    }

    /// The server's last word is kept until it says that it is ready.
    fn demand(&self, demand: Demand) -> Option<Reply> {
        match demand {
            Demand::SaslEnd(word) => {
                self.talk.borrow_mut().heard(word);
                None
            }
            other => Some(Reply::Demand(other)),
        }
    }

    /// The server ends the connection. Who is not let in has to be told why; later whatever was sent may have been done.
    #[inline(never)]
    fn farewell(&self, refusal: Refusal) -> Result<Reply, String> {
        if self.phase.get() == Phase::Done {
            return Err(["PostgreSQL has ended it: ", &refusal.to_string()].concat());
        }
        let outcome = Outcome { refusal: Some(refusal), ..Outcome::default() };
        Ok(Reply::Ready(Box::new(outcome)))
    }

    /// A row that is too large is not kept.
    #[inline(never)]
    fn pass_over(&self, kind: u8, size: usize) -> Result<Decoded<Reply>, String> {
        if kind != b'D' {
            return Err(format!("a message of {size} bytes, more than {MAX_MESSAGE}"));
        }
        self.building.borrow_mut().too_large = true;
        self.skip.set(size - HEADER);
        Ok(Decoded::Skipped { used: HEADER })
    }

    /// What comes after a step of the greeting has ended well or not.
    #[inline(never)]
    fn next(&self, outcome: &Outcome) -> Result<Option<Vec<u8>>, String> {
        let (phase, command) = match (self.phase.get(), &outcome.refusal) {
            (Phase::Login, None) => {
                self.talk.borrow().check()?;
                (Phase::Prepare, Some(self.schema.prepare()))
            }
            (Phase::Prepare, Some(refusal)) if refusal.is_missing_table() => {
                (Phase::Migrate, Some(Messages::default().query(&self.schema.migrate())))
            }
            (Phase::Migrate, None) => (Phase::PrepareAgain, Some(self.schema.prepare())),
            (_, None) => (Phase::Done, None),
            (phase, Some(refusal)) => return Err(refused(phase, refusal)),
        };
        self.phase.set(phase);
        Ok(command)
    }
}

impl Codec for Wire {
    type Reply = Reply;

    #[inline(never)]
    fn decode(&self, bytes: &[u8]) -> Result<Decoded<Reply>, String> {
        let left = self.skip.get();
        if left > 0 {
            let used = left.min(bytes.len());
            self.skip.set(left - used);
            return Ok(Decoded::Skipped { used });
        }
        let Some((kind, size)) = header(bytes) else { return Ok(Decoded::Partial { needed: HEADER }) };
        let used = size.checked_add(1).filter(|used| *used >= HEADER).ok_or_else(|| cut(kind))?;
        if used > MAX_MESSAGE {
            return self.pass_over(kind, used);
        }
        let Some(body) = bytes.get(HEADER..used) else { return Ok(Decoded::Partial { needed: used }) };
        Ok(match self.message(kind, body)? {
            Some(reply) => Decoded::Whole { reply, used },
            None => Decoded::Skipped { used },
        })
    }

    fn greeting(&self) -> Vec<Vec<u8>> {
        self.phase.set(Phase::Login);
        self.talk.borrow_mut().begin();
        self.building.take();
        self.skip.set(0);
        vec![self.login.startup()]
    }

    fn greet_on(&self, reply: Reply) -> Result<Vec<Vec<u8>>, String> {
        let command = match reply {
            Reply::Demand(demand) => Some(self.talk.borrow_mut().answer(demand, &self.login, self.runtime.host())?),
            Reply::Ready(outcome) => self.next(&outcome)?,
        };
        Ok(command.into_iter().collect())
    }
}

fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    let (kind, rest) = bytes.split_first()?;
    let (size, _) = rest.split_first_chunk()?;
    Some((*kind, u32::from_be_bytes(*size) as usize))
}

#[inline(never)]
fn cut(kind: u8) -> String {
    format!("bytes that are not the protocol: a message {:?} of a wrong length", char::from(kind))
}

#[inline(never)]
fn not_known(kind: u8) -> String {
    format!("bytes that are not the protocol: a message {:?}", char::from(kind))
}

#[inline(never)]
fn refused(phase: Phase, refusal: &Refusal) -> String {
    let (what, remedy) = match phase {
        Phase::Login if refusal.is_about_the_login() => {
            ("the login or database", "; check user, password, database and sslmode")
        }
        Phase::Login => ("the connection", ""),
        Phase::Migrate => ("to make the tables", "; let the user do so, or make them as daprd does"),
        Phase::Prepare | Phase::PrepareAgain | Phase::Done => ("the statements for the tables", ""),
    };
    format!("PostgreSQL refused {what}: {refusal}{remedy}")
}

/// The columns of a row.
fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk()?;
    let mut row = Row::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (size, after) = rest.split_first_chunk()?;
        rest = after;
        row.push(match usize::try_from(i32::from_be_bytes(*size)) {
            Err(_) => None,
            Ok(size) => {
                let (column, after) = rest.split_at_checked(size)?;
                rest = after;
                Some(column.to_vec())
            }
        });
    }
    Some(row)
}

/// The number at the end of a text such as `INSERT 0 1`; 0 if there is none.
fn count(tag: &[u8]) -> u64 {
    let text = std::str::from_utf8(tag).unwrap_or_default().trim_end_matches('\0');
    text.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
