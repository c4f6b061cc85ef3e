//! Reads, writes and transactions on the buckets.
//!
//! A transaction over several buckets: (1) the journal is read and must be empty; (2) the transaction's mark goes
//! into each bucket, in order, while its conditions are checked; (3) the journal is set from the version of (1) to
//! the transaction with all its writes, and by that it has happened; (4) each bucket gets its writes and loses the
//! mark; (5) the journal is emptied. A mark says: look at the journal. If the journal has this transaction, whoever
//! looks does (4) and (5) itself. If not, the transaction had not happened when the journal was read, provided the
//! bucket is still the same afterwards: (5) comes only after the last mark has gone. So a reader takes the old
//! value. A writer waits a little and then breaks the mark: it sets the journal from empty to empty, after which
//! (3) can no longer succeed, and takes the mark away. Marks are never used twice.

use super::bucket::{Bucket, Change, Entry, Id, bucket_of};
use super::bytes::Resized;
use super::journal::{Committed, sorted};
use super::transaction::Transaction;
use crate::host::{Host, SharedVersion};
use crate::runtime::Runtime;
use crate::state::{Concurrency, Operation, Record, SetRequest, StoreError, Ttl};
use std::time::Duration;
use uuid::{Builder, Uuid};

/// How often a read is begun again because of what other workers do. Each time, one of them got something done.
const READS: u32 = 256;
/// How often a write is begun again before it pauses.
pub(super) const SPINS: u32 = 16;
/// How often a writer meets the same mark before it breaks it: three pauses.
const MEETINGS: u32 = 48;

/// What came of trying to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    /// Others were in the way; nothing is held and nothing has changed.
    Busy,
}

/// How often one write has met the same mark.
#[derive(Debug, Default)]
pub(super) struct Patience {
    mark: Option<Id>,
    met: u32,
}

impl Patience {
    fn ends_with(&mut self, mark: Id) -> bool {
        if self.mark != Some(mark) {
            *self = Self { mark: Some(mark), met: 0 };
        }
        self.met += 1;
        self.met > MEETINGS
    }
}

/// A store, seen by one worker.
pub(super) struct Store {
    runtime: Runtime,
    name: String,
    default_ttl: Option<u32>,
}

impl Store {
    pub(super) fn new(runtime: Runtime, name: String, default_ttl: Option<u32>) -> Self {
        Self { runtime, name, default_ttl }
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn host(&self) -> &dyn Host {
        self.runtime.host()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The time as it stands in buckets.
    pub(super) fn now(&self) -> u64 {
        millis(self.host().now())
    }

    pub(super) fn random_byte(&self) -> u8 {
        let mut byte = [0];
        self.host().fill_random(&mut byte);
        let [byte] = byte;
        byte
    }

    pub(super) fn key(&self, part: &str) -> String {
        ["weft/mem/state/", part, "/", &self.name].concat()
    }

    pub(super) fn bucket_key(&self, number: u8) -> String {
        self.key(&number.to_string())
    }

    pub(super) fn failed(&self, reason: &str) -> StoreError {
        StoreError::Failed { reason: reason.to_owned() }
    }

    pub(super) fn busy(&self) -> StoreError {
        self.failed(&format!(
            "state store {:?} is too busy: other workers changed the same keys all the time, and nothing was stored",
            self.name
        ))
    }

    pub(super) fn random_id(&self) -> Id {
        let mut bytes = [0; 16];
        self.host().fill_random(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid().into_bytes()
    }

    pub(super) fn read(&self, number: u8) -> Result<(Bucket, SharedVersion), StoreError> {
        let (value, version) = self.host().shared_get(&self.bucket_key(number));
        let bucket = Bucket::decode(value).map_err(|other| self.failed(&other.reason(&self.name)))?;
        Ok((bucket, version))
    }

    pub(super) fn read_journal(&self) -> (Vec<u8>, SharedVersion) {
        let (value, version) = self.host().shared_get(&self.key("journal"));
        (value.unwrap_or_default(), version)
    }

    pub(super) fn committed<'a>(&self, journal: &'a [u8]) -> Result<Option<Committed<'a>>, StoreError> {
        Committed::decode(journal).map_err(|other| self.failed(&other.reason(&self.name)))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let number = bucket_of(key.as_bytes());
        for _ in 0..READS {
            let (bucket, version) = self.read(number)?;
            let unmarked = match bucket.lock() {
                None => true,
                Some(mark) => !self.finish(mark)? && self.read(number)?.1 == version,
            };
            if unmarked {
                return Ok(bucket.find(key.as_bytes(), self.now()).map(record));
            }
        }
        Err(self.busy())
    }

    /// Brings the transaction of this mark into its buckets if it has happened; false if it has not.
    pub(super) fn finish(&self, mark: Id) -> Result<bool, StoreError> {
        let (journal, version) = self.read_journal();
        match self.committed(&journal)? {
            Some(committed) if committed.transaction == mark => {
                self.roll_forward(&committed, version)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn roll_forward(&self, committed: &Committed<'_>, seen: SharedVersion) -> Result<(), StoreError> {
        for number in committed.buckets() {
            self.bring_in(committed, number)?;
        }
        // A conflict means that another worker has emptied it.
        let _ = self.host().shared_set(&self.key("journal"), b"", seen);
        Ok(())
    }

    fn bring_in(&self, committed: &Committed<'_>, number: u8) -> Result<(), StoreError> {
        for _ in 0..SPINS {
            let (mut bucket, version) = self.read(number)?;
            if bucket.lock() != Some(committed.transaction) {
                return Ok(());
            }
            let before = bucket.shape();
            bucket.set_lock(None);
            for change in &committed.changes {
                if bucket_of(change.key()) == number {
                    bucket.apply(change);
                }
            }
            if self.replace(number, bucket, before, version) {
                return Ok(());
            }
        }
        Err(self.busy())
    }

    /// Tries to do all operations.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(super) fn write(&self, operations: &[Operation], patience: &mut Patience) -> Result<Attempt, StoreError> {
        let numbers = sorted(operations.iter().map(|op| bucket_of(key_of(op).as_bytes())));
        match numbers.as_slice() {
            [] => Ok(Attempt::Done),
            [number] => self.write_one(*number, operations, patience),
            several => Transaction::new(self, several, operations).write(patience),
        }
    }

    fn write_one(&self, number: u8, operations: &[Operation], patience: &mut Patience) -> Result<Attempt, StoreError> {
        for _ in 0..SPINS {
            let (mut bucket, version) = self.read(number)?;
            if let Some(mark) = bucket.lock() {
                self.pass(number, mark, patience)?;
                continue;
            }
            let now = self.now();
            check_all(&bucket, operations, now)?;
            let before = bucket.shape();
            bucket.drop_expired(now);
            for operation in operations {
                bucket.apply(&self.change(operation, now));
            }
            self.admit(&[Resized { number, before: before.size as usize, after: bucket.size() }])?;
            if self.replace(number, bucket, before, version) {
                return Ok(Attempt::Done);
            }
        }
        Ok(Attempt::Busy)
    }

    /// Deals with a mark in the way of a write; the bucket is then to be read again.
    pub(super) fn pass(&self, number: u8, mark: Id, patience: &mut Patience) -> Result<(), StoreError> {
        let (journal, seen) = self.read_journal();
        if let Some(committed) = self.committed(&journal)? {
            return self.roll_forward(&committed, seen);
        }
        let key = self.key("journal");
        if patience.ends_with(mark) && self.host().shared_set(&key, b"", seen).is_ok() {
            self.unmark(number, mark)?;
        }
        Ok(())
    }

    /// Takes a mark away whose transaction cannot happen any more.
    pub(super) fn unmark(&self, number: u8, mark: Id) -> Result<(), StoreError> {
        for _ in 0..SPINS {
            let (mut bucket, version) = self.read(number)?;
            if bucket.lock() != Some(mark) {
                return Ok(());
            }
            bucket.set_lock(None);
            let before = bucket.shape();
            if self.replace(number, bucket, before, version) {
                return Ok(());
            }
        }
        Err(self.busy())
    }

    pub(super) fn change<'a>(&self, operation: &'a Operation, now: u64) -> Change<'a> {
        match operation {
            Operation::Upsert(request) => Change::Put(Entry {
                key: request.key.as_bytes(),
                data: &request.data,
                expires: self.expiry(request, now),
                etag: self.random_id(),
            }),
            Operation::Delete(request) => Change::Remove(request.key.as_bytes()),
        }
    }

    fn expiry(&self, request: &SetRequest, now: u64) -> u64 {
        let seconds = match request.ttl {
            Ttl::Unspecified => self.default_ttl,
            Ttl::Never => None,
            Ttl::Seconds(seconds) => Some(seconds),
        };
        seconds.map_or(0, |seconds| now + 1000 * u64::from(seconds))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn record(entry: Entry<'_>) -> Record {
    Record {
        data: entry.data.to_vec(),
        etag: Some(Uuid::from_bytes(entry.etag).hyphenated().to_string()),
        expires: (entry.expires != 0).then(|| Duration::from_millis(entry.expires)),
    }
}

pub(super) fn key_of(operation: &Operation) -> &str {
    match operation {
        Operation::Upsert(request) => &request.key,
        Operation::Delete(request) => &request.key,
    }
}

pub(super) fn check_all<'a>(
    bucket: &Bucket,
    operations: impl IntoIterator<Item = &'a Operation>,
    now: u64,
) -> Result<(), StoreError> {
    operations.into_iter().try_for_each(|operation| check(bucket, operation, now))
}

/// Whether the bucket is as the operation's etag and concurrency want it (`dapr-api` 3.3).
fn check(bucket: &Bucket, operation: &Operation, now: u64) -> Result<(), StoreError> {
    let (etag, concurrency) = match operation {
        Operation::Upsert(request) => (&request.etag, request.concurrency),
        Operation::Delete(request) => (&request.etag, request.concurrency),
    };
    let etag = etag.as_deref().filter(|etag| !etag.is_empty());
    let found = || bucket.find(key_of(operation).as_bytes(), now);
    let why = match (concurrency, etag) {
        (Concurrency::LastWrite, _) | (Concurrency::Unspecified, None) => return Ok(()),
        (Concurrency::FirstWrite, None) if found().is_none() => return Ok(()),
        (Concurrency::FirstWrite, None) => "there is a value",
        (_, Some(etag)) => match found() {
            Some(entry) if is_text_of(etag, entry.etag) => return Ok(()),
            Some(_) => "the value has another etag",
            None => "there is no value",
        },
    };
    Err(StoreError::EtagMismatch { reason: format!("{why} for key {:?}", key_of(operation)) })
}

fn is_text_of(etag: &str, id: Id) -> bool {
    let mut buffer = Uuid::encode_buffer();
    Uuid::from_bytes(id).hyphenated().encode_lower(&mut buffer) == etag
}
