//! Reading some values with one call of the store's.

use super::{Course, Entry, Key, Site, Way, not_tried};
use crate::runtime::{BoxFuture, join_some};

/// How many calls are under way at once: their answers are in memory together.
const GROUPS: usize = 2;

/// Reads the keys; no more than `at_once` of them are asked for at a time.
pub(super) fn get_all<'a>(
    site: &'a Site,
    keys: Vec<Key>,
    course: &'a Course,
    at_once: usize,
) -> BoxFuture<'a, Vec<Option<Entry>>> {
    let most = site.store.at_a_time().min(at_once).max(1);
    let mut groups = Vec::with_capacity(keys.len() / most + 1);
    let mut keys = keys.into_iter().peekable();
    while keys.peek().is_some() {
        groups.push(keys.by_ref().take(most).collect::<Vec<_>>());
    }
    Box::pin(async move {
        let flows = groups.into_iter().map(|group| get_some(site, group, course));
        join_some(flows, (at_once / most).min(GROUPS)).await.into_iter().flatten().collect()
    })
}

fn get_some<'a>(site: &'a Site, keys: Vec<Key>, course: &'a Course) -> BoxFuture<'a, Vec<Option<Entry>>> {
    Box::pin(async move {
        match course.way() {
            Way::Full => return keys.iter().map(|_| None).collect(),
            Way::Away => return keys.into_iter().map(|key| Some(not_tried(key.own))).collect(),
            Way::Open => {}
        }
        let (own, full): (Vec<_>, Vec<_>) = keys.into_iter().map(|Key { own, full }| (own, full)).unzip();
        let read = site.store.get_many(full).await;
        let mut read = read.into_iter();
        let mut entries = Vec::with_capacity(own.len());
        for key in own {
            // What is missing at the end was not asked for.
            entries.push(match read.next() {
                Some(read) => course.entry(key, read),
                None => Some(not_tried(key)),
            });
        }
        entries
    })
}
