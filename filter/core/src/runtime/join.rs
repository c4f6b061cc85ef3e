//! Several flows at once.

use super::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How many flows that end without waiting are run before the worker does something else: a few milliseconds' worth.
const SLICE: usize = 500;

/// Runs as many of them together as `at_once` says, at least one, and takes the next when one has ended; gives
/// their values in the order in which they came.
pub fn join_some<'a, T, I>(flows: I, at_once: usize) -> impl Future<Output = Vec<T>>
where
    T: Unpin,
    I: Iterator<Item = BoxFuture<'a, T>> + Unpin,
{
    JoinSome { flows, at_once: at_once.max(1), running: Vec::new(), ended: Vec::new() }
}

struct JoinSome<'a, T, I> {
    flows: I,
    at_once: usize,
    /// With the place of its value.
    running: Vec<(usize, BoxFuture<'a, T>)>,
    ended: Vec<Option<T>>,
}

impl<'a, T, I: Iterator<Item = BoxFuture<'a, T>>> JoinSome<'a, T, I> {
    /// Begins the next flow; false if there is none, or enough are running.
    fn begin_another(&mut self) -> bool {
        if self.running.len() >= self.at_once {
            return false;
        }
        let Some(flow) = self.flows.next() else { return false };
        self.running.push((self.ended.len(), flow));
        self.ended.push(None);
        true
    }
}

impl<'a, T, I> Future for JoinSome<'a, T, I>
where
    T: Unpin,
    I: Iterator<Item = BoxFuture<'a, T>> + Unpin,
{
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        let (mut at, mut ended) = (0, 0);
        while at < this.running.len() || this.begin_another() {
            let Some((place, flow)) = this.running.get_mut(at) else { break };
            let (place, Poll::Ready(value)) = (*place, flow.as_mut().poll(context)) else {
                at += 1;
                continue;
            };
            drop(this.running.swap_remove(at));
            if let Some(slot) = this.ended.get_mut(place) {
                *slot = Some(value);
            }
            ended += 1;
            if ended == SLICE {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        if !this.running.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut this.ended).into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Sender, channel};
    use std::cell::RefCell;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    fn poll<T>(flow: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        flow.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn no_more_than_asked_for_run_at_once_and_values_keep_their_order() {
        let begun: Rc<RefCell<Vec<Sender<u32>>>> = Rc::default();
        let flows = (0..5).map(|_| {
            let begun = Rc::clone(&begun);
            Box::pin(async move {
                let (sender, receiver) = channel();
                begun.borrow_mut().push(sender);
                receiver.await.unwrap()
            }) as BoxFuture<'static, u32>
        });
        let mut all = pin!(join_some(flows, 2));
        assert!(poll(all.as_mut()).is_pending());
        assert_eq!(begun.borrow().len(), 2);
        begun.borrow_mut().remove(1).send(11);
        assert!(poll(all.as_mut()).is_pending());
        assert_eq!(begun.borrow().len(), 2, "one has ended and one begun");
        begun.borrow_mut().drain(..).zip([10, 12]).for_each(|(sender, value)| sender.send(value));
        assert!(poll(all.as_mut()).is_pending());
        begun.borrow_mut().drain(..).zip([13, 14]).for_each(|(sender, value)| sender.send(value));
        assert_eq!(poll(all.as_mut()), Poll::Ready(vec![10, 11, 12, 13, 14]));
    }

    #[test]
    fn flows_that_end_at_once_and_none_at_all_are_joined_too() {
        let flows = (0..100_u32).map(|value| Box::pin(std::future::ready(value)) as BoxFuture<'static, u32>);
        assert_eq!(poll(pin!(join_some(flows, 0))), Poll::Ready((0..100).collect()));
        let none = std::iter::empty::<BoxFuture<'static, u32>>();
        assert_eq!(poll(pin!(join_some(none, 1))), Poll::Ready(Vec::new()));
    }
}
