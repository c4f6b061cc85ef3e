//! Policies of components (`dapr-api` 8): what is tried again, cut short and held back by the filter itself.

use super::Watch;
use super::shelf;
use crate::config::{ComponentPolicy, ComponentRetry};
use crate::runtime::{BoxFuture, Runtime, Sleep};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How much longer each pause of an exponential retry is than the one before, in halves.
const GROWTH: u32 = 3;
/// After this time Dapr gives up an exponential retry.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The policy of a component in one direction.
pub struct Guard {
    runtime: Runtime,
    policy: ComponentPolicy,
    shelf: String,
}

/// An operation that failed, as a policy sees it.
pub trait Failure {
    /// The circuit breaker lets nothing through.
    fn held(why: &str) -> Self;
    /// It took longer than it may; whether it was done is not known.
    fn late(millis: u32) -> Self;
    /// Whether the backend has done its part, so that another try would end the same.
    fn is_answer(&self) -> bool;
}

/// The tries of one operation.
#[derive(Debug, Default)]
pub struct Tries {
    failed: u32,
    waited: Duration,
}

impl Guard {
    /// `direction` tells it from the other one of the component.
    #[inline(never)]
    pub fn new(
        runtime: &Runtime,
        policy: &ComponentPolicy,
        app_id: &str,
        component: &str,
        direction: &str,
    ) -> Rc<Self> {
        let shelf = ["weft.breaker/", app_id, "/", component, "/", direction].concat();
        Rc::new(Self { runtime: runtime.clone(), policy: policy.clone(), shelf })
    }

    /// How long one try may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.policy.timeout_ms.map(|millis| Duration::from_millis(millis.into()))
    }

    /// Lets a try begin; it has to be [ended](Guard::ended).
    ///
    /// # Errors
    /// Why the circuit breaker lets none through.
    #[inline(never)]
    pub fn admit(&self) -> Result<Option<Watch>, &'static str> {
        let Some(rules) = &self.policy.circuit_breaker else { return Ok(None) };
        let mut passage = Err("");
        shelf::change(self.runtime.host(), &self.shelf, "", rules, &mut |state, now| {
            passage = state.admit(rules, now, 0);
        });
        let (shelf, authority, rules) = (self.shelf.clone(), String::new(), rules.clone());
        passage.map(|passage| Some(Watch { shelf, authority, rules, is_probe: passage.is_probe }))
    }

    /// Tells the circuit breaker how a try ended.
    pub fn ended(&self, watch: Option<Watch>, succeeded: bool) {
        if let Some(watch) = watch {
            watch.ended(self.runtime.host(), 1, succeeded);
        }
    }

    /// Another one of the tries has failed: how long until the next, if there is one.
    #[inline(never)]
    pub fn pause(&self, tries: &mut Tries) -> Option<Duration> {
        let retry = self.policy.retry.as_ref()?;
        if retry.max_retries.is_some_and(|most| tries.failed >= most) {
            return None;
        }
        let pause = pause(retry, tries.failed);
        tries.failed = tries.failed.saturating_add(1);
        tries.waited += pause;
        let is_over = retry.max_pause_ms.is_some() && tries.waited > LONGEST;
        (!is_over).then_some(pause)
    }

    /// An operation by the policy: `attempt` begins it anew for each try.
    pub async fn run<T, E: Failure>(
        self: Rc<Self>,
        attempt: impl Fn() -> BoxFuture<'static, Result<T, E>>,
    ) -> Result<T, E> {
        let mut tries = Tries::default();
        loop {
            let watch = self.admit().map_err(E::held)?;
            let ended = match self.policy.timeout_ms {
                Some(millis) => {
                    let sleep = self.runtime.sleep(Duration::from_millis(millis.into()));
                    Within { flow: attempt(), sleep }.await.unwrap_or_else(|| Err(E::late(millis)))
                }
                None => attempt().await,
            };
            let is_sound = ended.as_ref().err().is_none_or(E::is_answer);
            self.ended(watch, is_sound);
            let next = if is_sound { None } else { self.pause(&mut tries) };
            let Some(pause) = next else { return ended };
            self.runtime.sleep(pause).await;
        }
    }
}

/// The pause after so many failures before this one.
fn pause(retry: &ComponentRetry, failed: u32) -> Duration {
    let mut millis = u64::from(retry.pause_ms);
    let Some(most) = retry.max_pause_ms else { return Duration::from_millis(millis) };
    for _ in 0..failed.min(64) {
        millis = (millis * u64::from(GROWTH) / 2).min(most.into());
    }
    Duration::from_millis(millis.min(most.into()))
}

/// A flow that has to end in time; `None` if it has not.
struct Within<T> {
    flow: BoxFuture<'static, T>,
    sleep: Sleep,
}

impl<T> Future for Within<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Poll::Ready(value) = self.flow.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        Pin::new(&mut self.sleep).poll(context).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_constant_or_grow_by_half_up_to_the_longest() {
        let retry = |max_pause_ms| ComponentRetry { max_retries: None, pause_ms: 500, max_pause_ms };
        let pauses = |retry: &ComponentRetry| [0, 1, 2, 9].map(|failed| pause(retry, failed).as_millis());
        assert_eq!(pauses(&retry(None)), [500; 4]);
        assert_eq!(pauses(&retry(Some(2000))), [500, 750, 1125, 2000]);
        assert_eq!(pauses(&retry(Some(100))), [100; 4]);
    }
}
