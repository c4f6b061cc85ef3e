//! How much a store may hold.

use super::bucket::{Bucket, Shape};
use super::index::Index;
use super::store::Store;
use super::{BUCKET_BYTES, STORE_BYTES};
use crate::host::SharedVersion;
use crate::state::StoreError;

const MIB: usize = 1024 * 1024;
/// How often a size is written again that others write at the same time.
const NOTES: u32 = 64;

/// What a write does to the size of one bucket, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resized {
    pub(super) number: u8,
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Store {
    /// Whether a write may change its buckets like that; one that frees memory always may. Drops expired values
    /// elsewhere if that is what helps.
    ///
    /// # Errors
    /// `Failed` with the bound and the remedy.
    pub(super) fn admit(&self, buckets: &[Resized]) -> Result<(), StoreError> {
        let overfull = |bucket: &Resized| bucket.after > BUCKET_BYTES && bucket.after > bucket.before;
        if buckets.iter().any(overfull) {
            return Err(self.full("values of one hash", BUCKET_BYTES));
        }
        let had: usize = buckets.iter().map(|bucket| bucket.before).sum();
        let wanted: usize = buckets.iter().map(|bucket| bucket.after).sum();
        if wanted <= had {
            return Ok(());
        }
        let buckets: Vec<u8> = buckets.iter().map(|bucket| bucket.number).collect();
        let mut index = self.index();
        if index.size_without(&buckets) + wanted > STORE_BYTES {
            for bucket in index.expired(self.now()) {
                if !buckets.contains(&bucket) {
                    self.sweep(bucket)?;
                }
            }
            index = self.index();
        }
        if index.size_without(&buckets) + wanted > STORE_BYTES {
            return Err(self.full("all its values", STORE_BYTES));
        }
        Ok(())
    }

    fn full(&self, what: &str, bound: usize) -> StoreError {
        let name = self.name();
        let bound = bound / MIB;
        self.failed(&format!(
            "state store {name:?} is full: {what} may take {bound} MiB in the proxy's memory, and nothing was \
             stored; delete values, give them ttlInSeconds, or use state.redis"
        ))
    }

    fn index(&self) -> Index {
        Index::decode(self.host().shared_get(&self.key("index")).0.as_deref())
    }

    /// Drops what has expired in a bucket that nobody is changing.
    fn sweep(&self, number: u8) -> Result<(), StoreError> {
        let (mut bucket, version) = self.read(number)?;
        if bucket.lock().is_some() {
            return Ok(());
        }
        let before = bucket.shape();
        bucket.drop_expired(self.now());
        if bucket.shape() == before {
            // The index was wrong.
            self.note(number, before);
        } else {
            self.replace(number, bucket, before, version);
        }
        Ok(())
    }

    /// Makes the index know a bucket's shape. If others write it all the time it is left as it is: the bucket's
    /// next change puts it right.
    pub(super) fn note(&self, number: u8, shape: Shape) {
        let key = self.key("index");
        for _ in 0..NOTES {
            let (value, version) = self.host().shared_get(&key);
            let mut index = Index::decode(value.as_deref());
            if !index.note(number, shape) || self.host().shared_set(&key, &index.encode(), version).is_ok() {
                return;
            }
        }
    }

    /// Writes a changed bucket and its size; false if another worker was faster.
    pub(super) fn replace(&self, number: u8, mut bucket: Bucket, before: Shape, version: SharedVersion) -> bool {
        let reshaped = bucket.renumber(before);
        let key = self.bucket_key(number);
        let written = self.host().shared_set(&key, bucket.bytes(), version).is_ok();
        if written && reshaped {
            self.note(number, bucket.shape());
        }
        written
    }
}
