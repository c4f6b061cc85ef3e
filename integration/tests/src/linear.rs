//! Whether what clients saw of one value could come from a store that does one thing after the other.
//!
//! The search is Wing and Gong's: it looks for an order of the operations in which each takes effect between its call
//! and its answer. Orders that have done the same operations with the same result are looked at once.

use std::collections::HashSet;
use std::fmt;

/// One operation of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// When it was asked for; any clock that all clients share.
    pub call: u64,
    /// When its answer came.
    pub end: u64,
    /// What it was, and what the client was told.
    pub action: Action,
}

/// What an operation was, and what the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It saw this.
    Read(Option<Seen>),
    /// It changes the value.
    Write {
        /// What it was to do.
        change: Change,
        /// Only over this version.
        condition: Option<u64>,
        /// What the client was told.
        told: Told,
    },
}

/// A value and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The value. No two writes of a history have the same.
    pub value: u64,
    /// Its version. In memory, where versions are random, the number of its value stands for it.
    pub version: u64,
}

/// A change of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is this from now on.
    Save(u64),
    /// It is gone.
    Delete,
}

/// What the client of a write was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was done.
    Done,
    /// The version did not fit.
    Unfit,
    /// It may have been done, or may still be.
    Unknown,
}

/// What versions are, and what they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Versions count up from 1; any of them fits where there is no value.
    Redis,
    /// Versions never come twice; none of them fits where there is no value.
    InMemory,
}

/// No order explains a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The operations that were under way where the longest explanation ends, and those it could not place.
    pub around: Vec<Operation>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no order of the operations explains these:")?;
        self.around.iter().try_for_each(|operation| write!(f, "\n  {operation:?}"))
    }
}

/// Orders that are looked at before the search is given up.
const MOST_ORDERS: usize = 3_000_000;

/// Looks for an order that explains the history, which begins without a value.
///
/// # Errors
/// There is none.
///
/// # Panics
/// If the search takes too long to say.
pub fn check(rules: Rules, history: &[Operation]) -> Result<(), Violation> {
    let search = Search::new(rules, history);
    let mut seen = HashSet::new();
    let mut open = vec![Order::default()];
    let mut furthest = Order::default();
    while let Some(order) = open.pop() {
        if order.front >= search.known.len() {
            return Ok(());
        }
        if (order.front, order.beyond.len()) > (furthest.front, furthest.beyond.len()) {
            furthest = order.clone();
        }
        for next in search.after(&order) {
            if !seen.contains(&next) {
                seen.insert(next.clone());
                open.push(next);
            }
        }
        assert!(seen.len() < MOST_ORDERS, "the history is too tangled to be judged");
    }
    let left = search.known.iter().enumerate().skip(furthest.front);
    let left = left.filter(|(at, _)| !furthest.beyond.contains(at)).map(|(_, operation)| *operation);
    Err(Violation { around: left.take(8).collect() })
}

/// A beginning of an explanation: which operations it has placed, and what the value is then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Order {
    /// All known operations before this one are placed.
    front: usize,
    /// Others that are, in order.
    beyond: Vec<usize>,
    /// Writes of unknown outcome that have taken effect, in order.
    used: Vec<usize>,
    value: Option<Seen>,
}

struct Search {
    rules: Rules,
    /// Operations whose outcome is known, by their call.
    known: Vec<Operation>,
    /// Writes whose outcome is not; each may take effect at any time after its call, or never.
    unknown: Vec<Operation>,
}

impl Search {
    fn new(rules: Rules, history: &[Operation]) -> Self {
        let mut sorted = history.to_vec();
        sorted.sort_by_key(|operation| operation.call);
        let is_unknown = |it: &Operation| matches!(it.action, Action::Write { told: Told::Unknown, .. });
        let (unknown, known) = sorted.into_iter().partition(is_unknown);
        Self { rules, known, unknown }
    }

    /// Every order that places one operation more. The most likely come last.
    fn after(&self, order: &Order) -> Vec<Order> {
        let mut next = Vec::new();
        // Nothing can come after an operation that has ended before it was asked for.
        let mut bound = u64::MAX;
        for (at, operation) in self.known.iter().enumerate().skip(order.front) {
            if operation.call > bound {
                break;
            }
            if order.beyond.contains(&at) {
                continue;
            }
            bound = bound.min(operation.end);
            if let Some(value) = self.effect(order.value, operation.action) {
                next.push(self.placed(order, at, value));
            }
        }
        next.reverse();
        let unknown = self.unknown.iter().enumerate().filter(|(at, it)| it.call <= bound && !order.used.contains(at));
        let used = unknown.filter_map(|(at, it)| {
            let mut after = Order { value: self.effect(order.value, it.action)?, ..order.clone() };
            after.used.push(at);
            after.used.sort_unstable();
            Some(after)
        });
        used.chain(next.drain(..)).collect()
    }

    fn placed(&self, order: &Order, at: usize, value: Option<Seen>) -> Order {
        let mut after = Order { value, ..order.clone() };
        after.beyond.push(at);
        after.beyond.sort_unstable();
        while after.beyond.first() == Some(&after.front) {
            after.beyond.remove(0);
            after.front += 1;
        }
        after
    }

    /// The value after an action; `None` if the client would have been told something else.
    fn effect(&self, value: Option<Seen>, action: Action) -> Option<Option<Seen>> {
        match action {
            Action::Read(seen) => (seen == value).then_some(value),
            Action::Write { change, condition, told } => {
                let fits = condition.is_none_or(|wanted| match value {
                    Some(seen) => seen.version == wanted,
                    None => self.rules == Rules::Redis,
                });
                match (fits, told) {
                    (true, Told::Done | Told::Unknown) => Some(self.changed(value, change)),
                    (false, Told::Unfit) => Some(value),
                    _ => None,
                }
            }
        }
    }

    fn changed(&self, before: Option<Seen>, change: Change) -> Option<Seen> {
        let Change::Save(value) = change else { return None };
        let version = match self.rules {
            Rules::Redis => before.map_or(0, |seen| seen.version) + 1,
            Rules::InMemory => value,
        };
        Some(Seen { value, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(call: u64, end: u64, action: Action) -> Operation {
        Operation { call, end, action }
    }

    fn save(value: u64, condition: Option<u64>, told: Told) -> Action {
        Action::Write { change: Change::Save(value), condition, told }
    }

    fn delete(condition: Option<u64>, told: Told) -> Action {
        Action::Write { change: Change::Delete, condition, told }
    }

    fn saw(value: u64, version: u64) -> Action {
        Action::Read(Some(Seen { value, version }))
    }

    #[test]
    fn what_happens_one_after_the_other_is_explained() {
        let history = [
            at(0, 1, Action::Read(None)),
            at(2, 3, save(10, None, Told::Done)),
            at(4, 5, saw(10, 1)),
            at(6, 7, save(11, Some(1), Told::Done)),
            at(8, 9, save(12, Some(1), Told::Unfit)),
            at(10, 11, delete(Some(2), Told::Done)),
            at(12, 13, Action::Read(None)),
            at(14, 15, save(13, Some(7), Told::Done)),
            at(16, 17, saw(13, 1)),
        ];
        assert_eq!(check(Rules::Redis, &history), Ok(()));
        assert!(check(Rules::InMemory, &history).is_err(), "its versions are others");
    }

    #[test]
    fn what_overlaps_may_be_in_any_order() {
        let history =
            [at(0, 10, save(1, None, Told::Done)), at(0, 10, save(2, None, Told::Done)), at(11, 12, saw(1, 2))];
        assert_eq!(check(Rules::Redis, &history), Ok(()));
        let early = [at(0, 10, save(1, None, Told::Done)), at(2, 3, saw(1, 1)), at(4, 5, saw(1, 1))];
        assert_eq!(check(Rules::Redis, &early), Ok(()));
    }

    #[test]
    fn a_read_of_what_was_there_before_is_a_violation() {
        let stale = [at(0, 1, save(1, None, Told::Done)), at(2, 3, save(2, None, Told::Done)), at(4, 5, saw(1, 1))];
        let violation = check(Rules::Redis, &stale).unwrap_err();
        assert_eq!(violation.around, [at(4, 5, saw(1, 1))]);
        let back = [at(0, 10, save(1, None, Told::Done)), at(1, 2, saw(1, 1)), at(3, 4, Action::Read(None))];
        assert!(check(Rules::Redis, &back).is_err(), "seen and then not");
    }

    #[test]
    fn two_writes_over_one_version_are_a_violation() {
        let lost = [
            at(0, 1, save(1, None, Told::Done)),
            at(2, 9, save(2, Some(1), Told::Done)),
            at(2, 9, save(3, Some(1), Told::Done)),
        ];
        assert!(check(Rules::Redis, &lost).is_err());
        let refused = [at(0, 1, save(1, None, Told::Done)), at(2, 3, save(2, Some(1), Told::Unfit))];
        assert!(check(Rules::Redis, &refused).is_err(), "it fits");
    }

    #[test]
    fn a_write_of_unknown_outcome_may_be_done_late_or_never_but_once() {
        let unknown = at(0, 1, save(1, None, Told::Unknown));
        assert_eq!(check(Rules::Redis, &[unknown, at(2, 3, Action::Read(None))]), Ok(()));
        assert_eq!(check(Rules::Redis, &[unknown, at(2, 3, Action::Read(None)), at(4, 5, saw(1, 1))]), Ok(()));
        let twice = [unknown, at(2, 3, saw(1, 1)), at(4, 5, delete(None, Told::Done)), at(6, 7, saw(1, 1))];
        assert!(check(Rules::Redis, &twice).is_err());
        let before = [at(0, 1, saw(1, 1)), at(2, 3, save(1, None, Told::Unknown))];
        assert!(check(Rules::Redis, &before).is_err(), "seen before it was asked for");
    }

    #[test]
    fn in_memory_no_version_fits_where_there_is_no_value() {
        let unfit = [at(0, 1, save(1, Some(9), Told::Unfit)), at(2, 3, delete(Some(9), Told::Unfit))];
        assert_eq!(check(Rules::InMemory, &unfit), Ok(()));
        assert!(check(Rules::Redis, &unfit).is_err());
    }
}
