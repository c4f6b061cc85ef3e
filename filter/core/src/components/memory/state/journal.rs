//! The journal: the one key that decides whether a transaction over several buckets has happened.
//!
//! Empty, or `format u8 | transaction 16 | entries` of the transaction that is committed and not yet in all its
//! buckets.

use super::super::wire::{FORMAT, OtherFormat, Reader};
use super::bucket::{Change, Id, bucket_of};
use crate::by_name::in_order;

/// The journal's value for a transaction.
pub(super) fn encode(transaction: Id, changes: &[Change<'_>]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend_from_slice(&transaction);
    for change in changes {
        change.encode(&mut out);
    }
    out
}

/// A committed transaction.
#[derive(Debug)]
pub(super) struct Committed<'a> {
    pub(super) transaction: Id,
    pub(super) changes: Vec<Change<'a>>,
}

impl<'a> Committed<'a> {
    /// The committed transaction that is not in all its buckets yet, if there is one.
    ///
    /// # Errors
    /// [`OtherFormat`] if it is no journal of this release.
    pub(super) fn decode(value: &'a [u8]) -> Result<Option<Self>, OtherFormat> {
        if value.is_empty() {
            return Ok(None);
        }
        let mut reader = Reader::new(value);
        if reader.array() != Some([FORMAT]) {
            return Err(OtherFormat);
        }
        let transaction = reader.array().ok_or(OtherFormat)?;
        let mut changes = Vec::new();
        while reader.left() > 0 {
            changes.push(Change::decode(&mut reader).ok_or(OtherFormat)?);
        }
        Ok(Some(Self { transaction, changes }))
    }

    /// The buckets that it changes, each once, in order.
    pub(super) fn buckets(&self) -> Vec<u8> {
        sorted(self.changes.iter().map(|change| bucket_of(change.key())))
    }
}

/// Bucket numbers in order, each once.
pub(super) fn sorted(numbers: impl Iterator<Item = u8>) -> Vec<u8> {
    in_order(numbers)
}

#[cfg(test)]
mod tests {
    use super::super::bucket::Entry;
    use super::*;

    #[test]
    fn a_transaction_is_read_as_it_was_written() {
        let changes = [Change::Put(Entry { key: b"a", data: b"", expires: 5, etag: [1; 16] }), Change::Remove(b"b")];
        let bytes = encode([3; 16], &changes);
        let read = Committed::decode(&bytes).unwrap().unwrap();
        assert_eq!(read.transaction, [3; 16]);
        assert_eq!(read.changes, changes);
    }

    #[test]
    fn an_empty_journal_has_no_transaction_and_a_cut_one_is_refused() {
        assert!(Committed::decode(b"").unwrap().is_none());
        let bytes = encode([3; 16], &[Change::Remove(b"key")]);
        assert!(Committed::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
