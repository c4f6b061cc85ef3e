//! A transaction over several buckets, from the first look at the journal to its emptying (see [`super::store`]).

use super::bucket::{Bucket, Change, Id, bucket_of};
use super::bytes::Resized;
use super::journal::encode;
use super::store::{Attempt, Patience, SPINS, Store, check_all, key_of};
use crate::host::SharedVersion;
use crate::state::{Operation, StoreError};

/// One try of a transaction; the next one has another mark.
pub(super) struct Transaction<'a> {
    store: &'a Store,
    mark: Id,
    /// The buckets, in the order in which all transactions mark them.
    numbers: &'a [u8],
    operations: &'a [Operation],
    changes: Vec<Change<'a>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(store: &'a Store, numbers: &'a [u8], operations: &'a [Operation]) -> Self {
        let now = store.now();
        Self {
            store,
            mark: store.random_id(),
            numbers,
            operations,
            changes: operations.iter().map(|operation| store.change(operation, now)).collect(),
        }
    }

    /// Tries to do all operations.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(super) fn write(self, patience: &mut Patience) -> Result<Attempt, StoreError> {
        let (journal, seen) = self.store.read_journal();
        if let Some(committed) = self.store.committed(&journal)? {
            self.store.roll_forward(&committed, seen)?;
            return Ok(Attempt::Busy);
        }
        let mut marked = Vec::with_capacity(self.numbers.len());
        match self.prepare(&mut marked, patience) {
            Ok(true) if self.commit(seen) => Ok(Attempt::Done),
            Ok(_) => self.give_up(&marked).map(|()| Attempt::Busy),
            Err(error) => self.give_up(&marked).and(Err(error)),
        }
    }

    /// Marks all buckets and sees that there is room; false if others were in the way. `marked` has the buckets
    /// that bear the mark, whatever comes out.
    fn prepare(&self, marked: &mut Vec<Resized>, patience: &mut Patience) -> Result<bool, StoreError> {
        for number in self.numbers {
            let Some(mut bucket) = self.mark_bucket(*number, patience)? else {
                return Ok(false);
            };
            let before = bucket.size();
            for change in &self.changes {
                if bucket_of(change.key()) == *number {
                    bucket.apply(change);
                }
            }
            let after = bucket.size();
            marked.push(Resized { number: *number, before, after });
        }
        self.store.admit(marked).map(|()| true)
    }

    fn mark_bucket(&self, number: u8, patience: &mut Patience) -> Result<Option<Bucket>, StoreError> {
        for _ in 0..SPINS {
            let (mut bucket, version) = self.store.read(number)?;
            if let Some(other) = bucket.lock() {
                self.store.pass(number, other, patience)?;
                continue;
            }
            let here = |operation: &&Operation| bucket_of(key_of(operation).as_bytes()) == number;
            check_all(&bucket, self.operations.iter().filter(here), self.store.now())?;
            bucket.set_lock(Some(self.mark));
            let key = self.store.bucket_key(number);
            if self.store.host().shared_set(&key, bucket.bytes(), version).is_ok() {
                return Ok(Some(bucket));
            }
        }
        Ok(None)
    }

    /// Makes the transaction happen, unless the journal was written since it was `seen`.
    fn commit(&self, seen: SharedVersion) -> bool {
        let record = encode(self.mark, &self.changes);
        let key = self.store.key("journal");
        if self.store.host().shared_set(&key, &record, seen).is_err() {
            return false;
        }
        // It has happened. Should this not get to its end, whoever meets a mark does the rest.
        let _ = self.store.finish(self.mark);
        true
    }

    fn give_up(&self, marked: &[Resized]) -> Result<(), StoreError> {
        marked.iter().try_for_each(|bucket| self.store.unmark(bucket.number, self.mark))
    }
}
