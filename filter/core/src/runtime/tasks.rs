//! The flows that have not ended.

use super::StreamId;
use crate::http::Reply;
use crate::runtime::BoxFuture;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskId {
    Background(u32),
    Request(StreamId),
}

pub(super) enum Task {
    Request(BoxFuture<'static, Reply>),
    Background(BoxFuture<'static, ()>),
}

/// Sorted by number. The proxy counts requests up, so a new one goes to the end.
#[derive(Default)]
pub(super) struct Tasks(Vec<(TaskId, Entry)>);

/// `None` while it is polled.
type Entry = Option<Task>;

impl Tasks {
    pub(super) fn add(&mut self, id: TaskId, task: Task) {
        match self.find(id) {
            Ok(at) => drop(self.0.get_mut(at).map(|known| known.1 = Some(task))),
            Err(at) => self.0.insert(at, (id, Some(task))),
        }
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        self.find(id).is_ok()
    }

    /// Takes a flow out to be polled; its place is kept, so that it can be removed meanwhile.
    pub(super) fn take(&mut self, id: TaskId) -> Option<Task> {
        self.find(id).ok().and_then(|at| self.0.get_mut(at))?.1.take()
    }

    /// Puts a flow back that has not ended. Gives it back if it was removed meanwhile.
    pub(super) fn put_back(&mut self, id: TaskId, task: Task) -> Option<Task> {
        match self.find(id).ok().and_then(|at| self.0.get_mut(at)) {
            Some((_, entry)) => entry.replace(task),
            None => Some(task),
        }
    }

    /// Removes a flow; the caller drops it when nothing is borrowed.
    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        let at = self.find(id).ok()?;
        self.0.remove(at).1
    }

    fn find(&self, id: TaskId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(known, _)| *known)
    }
}
