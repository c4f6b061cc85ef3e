//! The messages of etcd's API (`etcdserverpb`, `mvccpb`), and daprd's message around a value.

use super::client::{Method, message};
use super::settings::Format;
use crate::host::Time;
use crate::protobuf::{Malformed, Message, Value, read};
use std::time::Duration;

/// Room for what a message holds beside keys and values.
const SMALL: usize = 64;

/// A key's value as etcd has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The number of the write that made it, among all writes; 0 where there is no value.
    pub revision: i64,
    pub value: Vec<u8>,
}

/// Asks for the value of a key.
#[inline(never)]
pub(crate) fn range(key: &str) -> Message {
    let mut out = message(SMALL + key.len());
    out.bytes(1, key.as_bytes());
    out
}

/// The value out of a `RangeResponse`; `None` if there is none.
#[inline(never)]
pub(crate) fn of_range(answer: &[u8]) -> Result<Option<Stored>, Malformed> {
    let (mut found, mut bad) = (None, false);
    read(answer, &mut |field, value| {
        if let (2, Value::Bytes(pair)) = (field, value) {
            let stored = of_pair(pair);
            bad |= stored.is_err();
            found = stored.ok();
        }
    })?;
    if bad { Err(Malformed) } else { Ok(found) }
}

/// A `KeyValue`.
fn of_pair(pair: &[u8]) -> Result<Stored, Malformed> {
    let mut stored = Stored::default();
    read(pair, &mut |field, value| match (field, value) {
        (3, Value::Number(revision)) => stored.revision = signed(revision),
        (5, Value::Bytes(value)) => stored.value = value.to_vec(),
        _ => {}
    })?;
    Ok(stored)
}

/// Asks for a lease of that many seconds.
pub(crate) fn grant(seconds: u32) -> Message {
    let mut out = message(SMALL);
    out.number(1, seconds.into());
    out
}

/// The lease out of a `LeaseGrantResponse`.
#[inline(never)]
pub(crate) fn of_grant(answer: &[u8]) -> Result<i64, Malformed> {
    let mut lease = 0;
    read(answer, &mut |field, value| {
        if let (2, Value::Number(id)) = (field, value) {
            lease = signed(id);
        }
    })?;
    if lease == 0 { Err(Malformed) } else { Ok(lease) }
}

/// Asks that a lease ends.
pub(crate) fn revoke(lease: i64) -> Message {
    let mut out = message(SMALL);
    out.number(1, bits(lease));
    out
}

/// A transaction under way: first what has to hold, then what is done, then what is read if something does not hold.
pub(crate) struct Txn(Message);

impl Txn {
    /// None, with room for keys and values of that size.
    pub(crate) fn with_room(size: usize) -> Self {
        Self(message(size))
    }

    /// Demands that the value of a key is the one of that write; of write 0, that there is none.
    #[inline(never)]
    pub(crate) fn demand(&mut self, key: &str, revision: i64) {
        let Self(out) = self;
        let compare = out.begin(1);
        // EQUAL, which is 0, stands for itself; the target is the revision of the last write.
        out.number(2, 2);
        out.bytes(3, key.as_bytes());
        out.number(6, bits(revision));
        out.end(compare);
    }

    /// Stores a value, for as long as the lease lives; lease 0 is none.
    #[inline(never)]
    pub(crate) fn put(&mut self, key: &str, value: &Packed<'_>, lease: i64) {
        let Self(out) = self;
        let operation = out.begin(2);
        let put = out.begin(2);
        out.bytes(1, key.as_bytes());
        out.length(2, value.head.len() + value.data.len() + value.tail.len());
        for part in [&value.head, value.data, &value.tail] {
            out.0.extend_from_slice(part);
        }
        if lease != 0 {
            out.number(3, bits(lease));
        }
        out.end(put);
        out.end(operation);
    }

    /// Removes a value.
    #[inline(never)]
    pub(crate) fn delete(&mut self, key: &str) {
        let Self(out) = self;
        let operation = out.begin(2);
        let delete = out.begin(3);
        out.bytes(1, key.as_bytes());
        out.end(delete);
        out.end(operation);
    }

    /// Reads a value.
    #[inline(never)]
    pub(crate) fn read(&mut self, key: &str) {
        let Self(out) = self;
        let operation = out.begin(2);
        let range = out.begin(1);
        out.bytes(1, key.as_bytes());
        out.end(range);
        out.end(operation);
    }

    /// Reads the number of a key's last write if a demand is not met.
    #[inline(never)]
    pub(crate) fn else_look(&mut self, key: &str) {
        let Self(out) = self;
        let operation = out.begin(3);
        let range = out.begin(1);
        out.bytes(1, key.as_bytes());
        // Keys only.
        out.number(8, 1);
        out.end(range);
        out.end(operation);
    }

    /// The message of a call.
    pub(crate) fn into_message(self) -> (Method, Message) {
        (Method::Txn, self.0)
    }
}

/// What came of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// A demand was not met; the numbers of the last writes of the keys that were looked at, in their order.
    Unmet(Vec<i64>),
}

/// Out of a `TxnResponse`.
#[inline(never)]
pub(crate) fn of_txn(answer: &[u8]) -> Result<Outcome, Malformed> {
    let (mut done, mut seen) = (false, Vec::new());
    read(answer, &mut |field, value| match (field, value) {
        (2, Value::Number(succeeded)) => done = succeeded != 0,
        (3, Value::Bytes(response)) => seen.push(of_look(response)),
        _ => {}
    })?;
    if done {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Unmet(seen.into_iter().collect::<Result<_, _>>()?))
}

/// The values out of the `TxnResponse` of a transaction that only reads, in the order of [`Txn::read`].
#[inline(never)]
pub(crate) fn of_reads(answer: &[u8]) -> Result<Vec<Option<Stored>>, Malformed> {
    let mut found = Vec::new();
    read(answer, &mut |field, value| {
        if let (3, Value::Bytes(response)) = (field, value) {
            found.push(of_response(response));
        }
    })?;
    found.into_iter().collect()
}

/// A `ResponseOp` of a `RangeRequest`.
fn of_response(response: &[u8]) -> Result<Option<Stored>, Malformed> {
    let mut found = Ok(None);
    read(response, &mut |field, value| {
        if let (1, Value::Bytes(range)) = (field, value) {
            found = of_range(range);
        }
    })?;
    found
}

/// A `ResponseOp` of [`Txn::else_look`].
fn of_look(response: &[u8]) -> Result<i64, Malformed> {
    Ok(of_response(response)?.map_or(0, |stored| stored.revision))
}

/// A value as it is stored, in three parts of which the middle one is lent.
pub(crate) struct Packed<'a> {
    head: Vec<u8>,
    data: &'a [u8],
    tail: Vec<u8>,
}

/// Puts daprd's message around a value, or nothing: `data` (1), the time of the write (2), how long it lives (3).
#[inline(never)]
pub(crate) fn pack(format: Format, data: &[u8], now: Time, seconds: u32) -> Packed<'_> {
    let (mut head, mut tail) = (Message::default(), Message::default());
    if format == Format::Timed {
        if !data.is_empty() {
            head.length(1, data.len());
        }
        let mut time = Message::default();
        time.number(1, now.as_secs());
        if now.subsec_nanos() > 0 {
            time.number(2, now.subsec_nanos().into());
        }
        tail.bytes(2, &time.0);
        let mut ttl = Message::default();
        if seconds > 0 {
            ttl.number(1, seconds.into());
        }
        tail.bytes(3, &ttl.0);
    }
    Packed { head: head.0, data, tail: tail.0 }
}

/// Takes daprd's message apart: the value, and when it goes away. `Err` if it is no such message.
#[inline(never)]
pub(crate) fn unpack(stored: &[u8]) -> Result<(Vec<u8>, Option<Time>), Malformed> {
    let (mut data, mut time, mut ttl) = (&[][..], None, None);
    let mut strange = false;
    read(stored, &mut |field, value| match (field, value) {
        (1, Value::Bytes(value)) => data = value,
        (2, Value::Bytes(value)) => time = Some(value),
        (3, Value::Bytes(value)) => ttl = Some(value),
        _ => strange = true,
    })?;
    // daprd always writes the time; other bytes that happen to be a message do not have it.
    let (false, Some(time)) = (strange, time) else { return Err(Malformed) };
    let (time, ttl) = (span(time)?, ttl.map_or(Ok(Duration::ZERO), span)?);
    Ok((data.to_vec(), (!ttl.is_zero()).then(|| time.saturating_add(ttl))))
}

/// A `Timestamp` or `Duration`; one before 1970, or less than nothing, counts as that.
fn span(bytes: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    read(bytes, &mut |field, value| match (field, value) {
        (1, Value::Number(number)) => seconds = signed(number),
        (2, Value::Number(number)) => nanos = signed(number),
        _ => {}
    })?;
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000).unwrap_or_default();
    Ok(u64::try_from(seconds).map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanos)))
}

/// protobuf writes negative numbers as their 64 bits.
fn signed(bits: u64) -> i64 {
    i64::from_le_bytes(bits.to_le_bytes())
}

fn bits(signed: i64) -> u64 {
    u64::from_le_bytes(signed.to_le_bytes())
}
