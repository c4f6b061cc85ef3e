//! What a transaction comes to. etcd takes each key once in a transaction, so the operations on one key become one.

use crate::state::{Concurrency, Operation, SetRequest, StoreError, Ttl};
use std::collections::BTreeMap;

/// What has to hold of a key before a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// The number of its last write; 0 for no value.
    pub(super) revision: i64,
    /// The operation that demands it.
    pub(super) operation: usize,
}

/// What becomes of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) demand: Option<Demand>,
    /// What is stored; nothing if the value is removed.
    pub(super) set: Option<&'a SetRequest>,
}

/// What an operation asks of the value that it meets.
enum Condition {
    None,
    /// No value.
    Absent,
    /// The value of that write.
    Revision(i64),
    /// What no value fulfils.
    Never,
}

/// By key, what is to be done.
///
/// # Errors
/// An etag that does not fit, whatever there is in etcd.
#[inline(never)]
pub(super) fn plan(operations: &[Operation]) -> Result<BTreeMap<&str, Change<'_>>, StoreError> {
    let mut changes: BTreeMap<&str, Change<'_>> = BTreeMap::new();
    for (at, operation) in operations.iter().enumerate() {
        let set = if let Operation::Upsert(set) = operation { Some(set) } else { None };
        let condition = condition(operation);
        let earlier = changes.get(key(operation));
        let demand = match (condition, earlier) {
            (Condition::Never, _) => return Err(mismatch(operation)),
            (Condition::None, None) => None,
            (Condition::Absent, None) => Some(Demand { revision: 0, operation: at }),
            (Condition::Revision(revision), None) => Some(Demand { revision, operation: at }),
            (Condition::None, Some(earlier)) => earlier.demand,
            (Condition::Absent, Some(earlier)) if earlier.set.is_none() => earlier.demand,
            // It meets what the same transaction has stored, whose number nobody can know, or has removed.
            (Condition::Absent | Condition::Revision(_), Some(_)) => return Err(mismatch(operation)),
        };
        changes.insert(key(operation), Change { demand, set });
    }
    Ok(changes)
}

fn key(operation: &Operation) -> &str {
    match operation {
        Operation::Upsert(set) => &set.key,
        Operation::Delete(delete) => &delete.key,
    }
}

/// An etag that was given; an empty one counts as none.
fn etag(operation: &Operation) -> Option<&str> {
    let etag = match operation {
        Operation::Upsert(set) => set.etag.as_deref(),
        Operation::Delete(delete) => delete.etag.as_deref(),
    };
    etag.filter(|etag| !etag.is_empty())
}

fn condition(operation: &Operation) -> Condition {
    let (concurrency, is_set) = match operation {
        Operation::Upsert(set) => (set.concurrency, true),
        Operation::Delete(delete) => (delete.concurrency, false),
    };
    match (concurrency, etag(operation)) {
        (Concurrency::LastWrite, _) | (Concurrency::Unspecified, None) => Condition::None,
        (Concurrency::FirstWrite, None) if is_set => Condition::Absent,
        (Concurrency::FirstWrite, None) => Condition::None,
        (_, Some(etag)) => revision(etag).map_or(Condition::Never, Condition::Revision),
    }
}

/// The number in an etag, if it is written as etcd's numbers are read: daprd compares texts.
fn revision(etag: &str) -> Option<i64> {
    let is_plain = etag.bytes().all(|byte| byte.is_ascii_digit()) && !etag.starts_with('0');
    etag.parse().ok().filter(|_| is_plain)
}

/// The error of an operation whose demand is not met.
#[inline(never)]
pub(super) fn mismatch(operation: &Operation) -> StoreError {
    let what = if matches!(operation, Operation::Upsert(_)) { "failed to set key " } else { "failed to delete key " };
    let reason = match etag(operation) {
        Some(etag) => [what, key(operation), ": its etag is not ", etag].concat(),
        None => [what, key(operation), ": there is a value"].concat(),
    };
    StoreError::EtagMismatch { reason }
}

/// How long a value lives, in seconds; 0 for ever.
pub(super) fn seconds(set: &SetRequest) -> u32 {
    if let Ttl::Seconds(seconds) = set.ttl { seconds } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::DeleteRequest;

    fn set(key: &str, etag: &str, concurrency: Concurrency) -> Operation {
        let etag = Some(etag.to_owned());
        Operation::Upsert(SetRequest { key: key.to_owned(), etag, concurrency, ..SetRequest::default() })
    }

    fn delete(key: &str, etag: &str) -> Operation {
        Operation::Delete(DeleteRequest {
            key: key.to_owned(),
            etag: Some(etag.to_owned()),
            ..DeleteRequest::default()
        })
    }

    /// By key: the demanded number, and whether a value is stored.
    fn planned(operations: &[Operation]) -> Option<Vec<(&str, Option<i64>, bool)>> {
        let changes = plan(operations).ok()?;
        let each = |(key, change): (_, Change<'_>)| (key, change.demand.map(|it| it.revision), change.set.is_some());
        Some(changes.into_iter().map(each).collect())
    }

    const ANY: Concurrency = Concurrency::Unspecified;
    const FIRST: Concurrency = Concurrency::FirstWrite;

    #[test]
    fn operations_on_one_key_become_one_under_the_demand_of_the_first() {
        let operations = [set("b", "", ANY), set("a", "7", ANY), delete("b", ""), set("a", "", ANY)];
        assert_eq!(planned(&operations), Some(vec![("a", Some(7), true), ("b", None, false)]));
        let operations = [delete("a", "7"), set("a", "", FIRST)];
        assert_eq!(planned(&operations), Some(vec![("a", Some(7), true)]));
        assert_eq!(planned(&[set("a", "", FIRST), delete("a", "")]), Some(vec![("a", Some(0), false)]));
    }

    #[test]
    fn what_no_value_can_fulfil_is_told_at_once() {
        for etag in ["x", "007", "0", "+7", "-7", " 7", "9223372036854775808"] {
            assert_eq!(planned(&[set("a", etag, ANY)]), None, "{etag}");
            assert!(planned(&[set("a", etag, Concurrency::LastWrite)]).is_some());
        }
        assert_eq!(planned(&[set("a", "", ANY), set("a", "7", ANY)]), None);
        assert_eq!(planned(&[set("a", "", ANY), set("a", "", FIRST)]), None);
        assert_eq!(planned(&[delete("a", ""), delete("a", "7")]), None);
    }

    #[test]
    fn an_etag_or_the_lack_of_a_value_is_demanded_as_daprd_does() {
        assert_eq!(planned(&[set("a", "7", FIRST)]), Some(vec![("a", Some(7), true)]));
        assert_eq!(planned(&[set("a", "", FIRST)]), Some(vec![("a", Some(0), true)]));
        assert_eq!(planned(&[delete("a", "9223372036854775807")]), Some(vec![("a", Some(i64::MAX), false)]));
    }
}
