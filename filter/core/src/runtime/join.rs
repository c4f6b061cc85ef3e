//! Several flows at once.

use super::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

enum Part<'a, T> {
    Running(BoxFuture<'a, T>),
    Ended(T),
    Taken,
}

/// Runs all of them together; gives their values in the order in which they were passed.
pub fn join_all<T: Unpin>(flows: Vec<BoxFuture<'_, T>>) -> impl Future<Output = Vec<T>> {
    JoinAll(flows.into_iter().map(Part::Running).collect())
}

struct JoinAll<'a, T>(Vec<Part<'a, T>>);

impl<T: Unpin> Future for JoinAll<'_, T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let mut all_ended = true;
        for part in &mut self.0 {
            if let Part::Running(flow) = part {
                match flow.as_mut().poll(context) {
                    Poll::Ready(value) => *part = Part::Ended(value),
                    Poll::Pending => all_ended = false,
                }
            }
        }
        if !all_ended {
            return Poll::Pending;
        }
        let taken = self.0.iter_mut().filter_map(|part| match std::mem::replace(part, Part::Taken) {
            Part::Ended(value) => Some(value),
            Part::Running(_) | Part::Taken => None,
        });
        Poll::Ready(taken.collect())
    }
}
