//! Many events of a topic in one call of the application (`dapr-api` 2.11).
//!
//! A broker delivers events one by one; here they wait for each other, until there are enough of them or the first has
//! waited long enough.

use super::{Cause, Verdict};
use crate::base64;
use crate::by_name::ByName;
use crate::host::{CallOutcome, HttpCall, Time};
use crate::json::{self, Members, RawObject, write_array, write_string_map};
use crate::pubsub::block::Inner;
use crate::pubsub::envelope;
use crate::pubsub::subscription::{Bulk, Subscription};
use crate::pubsub::{Delivered, Message};
use crate::resiliency::component::{Guard, Tries};
use crate::runtime::{BoxFuture, Call, Sender, channel};
use crate::telemetry::Trace;
use crate::telemetry::meters::{Ended, What};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Bytes of events that are enough for one call, however few events they are.
const ENOUGH_BYTES: usize = 1024 * 1024;

/// An event that waits for its call and for what becomes of it.
struct Waiting {
    message: Rc<Message>,
    outcome: Sender<Delivered>,
    /// Of its delivery, once it is known.
    trace: Trace,
}

/// Events that go into one call.
#[derive(Default)]
struct Batch {
    /// Which batch of all it is; a timer knows its own by that.
    turn: u64,
    bytes: usize,
    events: Vec<Waiting>,
}

/// The batches of one broker's topics.
#[derive(Default)]
pub(super) struct Gathering {
    batches: RefCell<ByName<Batch>>,
    turns: Cell<u64>,
}

impl Gathering {
    /// Lets an event wait for others. `window`: how many the broker gives out at once, so that nobody waits for more.
    #[inline(never)]
    pub(super) fn join(
        self: &Rc<Self>,
        inner: &Rc<Inner>,
        to: (Rc<Subscription>, Bulk),
        window: usize,
        message: Rc<Message>,
    ) -> BoxFuture<'static, Delivered> {
        let (subscription, bulk) = to;
        let (sender, receiver) = channel();
        let topic = message.topic.clone();
        let (turn, count, bytes) = self.add(&topic, Waiting { message, outcome: sender, trace: Trace::off() });
        if count >= bulk.most.min(window) || bytes >= ENOUGH_BYTES {
            self.send(inner, subscription, &topic, turn);
        } else if count == 1 {
            let (gathering, runtime, block) = (Rc::clone(self), inner.runtime.clone(), Rc::downgrade(inner));
            inner.runtime.spawn(Box::pin(async move {
                runtime.sleep(bulk.longest).await;
                if let Some(inner) = block.upgrade() {
                    gathering.send(&inner, subscription, &topic, turn);
                }
            }));
        }
        // Without an outcome the block has gone.
        Box::pin(async move { receiver.await.unwrap_or(Delivered::Again) })
    }

    /// The batch's turn, its events and their bytes.
    fn add(&self, topic: &str, event: Waiting) -> (u64, usize, usize) {
        let mut batches = self.batches.borrow_mut();
        let batch = batches.get_or_insert_with(topic, || {
            self.turns.set(self.turns.get() + 1);
            Batch { turn: self.turns.get(), ..Batch::default() }
        });
        batch.bytes += event.message.data.len();
        batch.events.push(event);
        (batch.turn, batch.events.len(), batch.bytes)
    }

    /// Sends a topic's batch, if it is still that one.
    #[inline(never)]
    fn send(&self, inner: &Rc<Inner>, subscription: Rc<Subscription>, topic: &str, turn: u64) {
        let batch = self.batches.borrow_mut().remove_if(topic, |batch| batch.turn == turn);
        if let Some(batch) = batch {
            inner.send_batch(subscription, batch.events);
        }
    }
}

impl Inner {
    /// One call for each route that the events take.
    #[inline(never)]
    fn send_batch(self: &Rc<Self>, subscription: Rc<Subscription>, events: Vec<Waiting>) {
        let mut routes: ByName<Vec<Waiting>> = ByName::default();
        for mut event in events {
            match self.bulk_route(&subscription, &mut event) {
                Ok(path) => routes.get_or_insert_with(path, Vec::new).push(event),
                Err(verdict) => {
                    let inner = Rc::clone(self);
                    let subscription = Rc::clone(&subscription);
                    self.runtime.spawn(Box::pin(async move {
                        inner.conclude_each(&subscription, vec![(event, verdict)]).await
                    }));
                }
            }
        }
        for (path, events) in routes {
            let (inner, subscription) = (Rc::clone(self), Rc::clone(&subscription));
            let flow = async move { inner.send_route(&subscription, &path, events).await };
            self.runtime.spawn(Box::pin(flow));
        }
    }

    /// Gives the events of one route to the application; those that a policy has tried again go together once more.
    async fn send_route(&self, to: &Subscription, path: &str, mut events: Vec<Waiting>) {
        let guard = self.inbound(&to.pubsub);
        let mut tries = Tries::default();
        loop {
            let start = self.runtime.host().now();
            let as_what = (What::IngressBulk, Some(start));
            let verdicts = self.send_once(to, path, &events, start, guard.as_deref()).await;
            let refused = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Refused(_)));
            let pause = refused.and_then(|verdict| self.next_pause(guard.as_deref(), &mut tries, verdict));
            let (Some(pause), Some(why)) = (pause, refused) else {
                let is_taken = verdicts.iter().all(|verdict| matches!(verdict, Verdict::Taken));
                self.note(&to.pubsub, &to.topic, as_what, if is_taken { Ended::Taken } else { Ended::Refused });
                return self.conclude_each(to, events.into_iter().zip(verdicts).collect()).await;
            };
            let rest = self.refused_once(to, as_what, why, pause);
            let (again, ended) = parted(events, verdicts);
            self.conclude_each(to, ended).await;
            rest.await;
            events = again;
        }
    }

    async fn send_once(
        &self,
        to: &Subscription,
        path: &str,
        events: &[Waiting],
        start: Time,
        guard: Option<&Guard>,
    ) -> Vec<Verdict> {
        let watch = match guard.map(Guard::admit) {
            Some(Err(why)) => return vec![Verdict::Waits(why.to_owned()); events.len()],
            Some(Ok(watch)) => watch,
            None => None,
        };
        let verdicts = match self.call_in_bulk(to, path, events) {
            Ok(call) => {
                let answer = call.await;
                let status = answer.status();
                let verdicts = self.judge_each(&to.pubsub, answer, events.len());
                for (event, verdict) in events.iter().zip(&verdicts) {
                    let begun = (start, event.message.data.len());
                    self.delivered(to, &event.trace, begun, status, verdict.error());
                }
                verdicts
            }
            Err(verdict) => vec![verdict; events.len()],
        };
        if let Some(guard) = guard {
            let is_bad = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_) | Verdict::Waits(_));
            guard.ended(watch, !verdicts.iter().any(is_bad));
        }
        verdicts
    }

    async fn conclude_each(&self, subscription: &Subscription, events: Vec<(Waiting, Verdict)>) {
        for (event, verdict) in events {
            let delivered = self.conclude(subscription, &event.message, verdict, (What::IngressBulkEvent, None)).await;
            event.outcome.send(delivered);
        }
    }

    /// Where an event goes.
    #[inline(never)]
    fn bulk_route<'s>(&self, subscription: &'s Subscription, event: &mut Waiting) -> Result<&'s str, Verdict> {
        let message = &event.message;
        // A raw subscription in bulk has no conditions.
        if let (true, Some(path)) = (subscription.raw, subscription.only_path()) {
            event.trace = self.raw_trace(message);
            return Ok(path);
        }
        let sight = self.sight(subscription, message, &message.data)?;
        event.trace = sight.trace;
        sight.path.ok_or(Verdict::Dropped(Cause::Unrouted))
    }

    #[inline(never)]
    fn call_in_bulk(&self, subscription: &Subscription, path: &str, events: &[Waiting]) -> Result<Call, Verdict> {
        let app = self.app()?;
        let entries: Vec<_> = events.iter().enumerate().map(|(at, it)| entry(subscription, at, &it.message)).collect();
        let mut body = Members::default();
        body.string("id", &envelope::new_id(self.runtime.host()));
        body.string("type", "com.dapr.event.sent.bulk");
        body.string("topic", &subscription.topic);
        body.string("pubsubname", &subscription.pubsub);
        body.raw("metadata", &write_string_map(&subscription.metadata));
        body.raw("entries", &write_array(&entries));
        let mut headers = vec![
            (":method", "POST"),
            (":path", path),
            (":authority", &app.authority),
            ("content-type", "application/json"),
            ("pubsubname", &subscription.pubsub),
        ];
        headers.extend(app.token_header());
        let timeout = self.timeout(&subscription.pubsub);
        let call = HttpCall { cluster: &app.cluster, headers, body: &body.end(), timeout };
        self.runtime.call(call).map_err(|why| self.not_reached(&why))
    }

    /// What became of each event.
    #[inline(never)]
    fn judge_each(&self, pubsub: &str, outcome: CallOutcome, count: usize) -> Vec<Verdict> {
        let CallOutcome::Answered { status: 200..=299, body } = outcome else {
            return vec![self.judge(pubsub, outcome); count];
        };
        let Some(statuses) = statuses(&body) else {
            let why = "the application answered a bulk delivery without a list of statuses";
            return vec![Verdict::Refused(why.to_owned()); count];
        };
        let verdict = |at: usize| match statuses.get(&at.to_string()).map(String::as_str) {
            None | Some("") => Verdict::Refused("the application said nothing of it".to_owned()),
            some => super::judge_status(some),
        };
        (0..count).map(verdict).collect()
    }
}

/// Those that are refused, and the others with what became of them.
#[inline(never)]
fn parted(events: Vec<Waiting>, verdicts: Vec<Verdict>) -> (Vec<Waiting>, Vec<(Waiting, Verdict)>) {
    let (mut again, mut ended) = (Vec::new(), Vec::new());
    for (event, verdict) in events.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Refused(_) => again.push(event),
            verdict => ended.push((event, verdict)),
        }
    }
    (again, ended)
}

/// The statuses of an answer by entry; the last of two for one entry counts.
#[inline(never)]
fn statuses(body: &[u8]) -> Option<ByName<String>> {
    let text = json::text(body);
    let object = RawObject::parse(&text).ok()?;
    object.given("statuses")?;
    let mut all = ByName::default();
    for one in object.array("statuses").ok()? {
        let one = RawObject::of(one, "").ok()?;
        let text = |name: &str| one.string(name).ok().flatten().unwrap_or_default().into_owned();
        all.insert(text("entryId"), text("status"));
    }
    Some(all)
}

/// One element of `entries`. Its number is its id.
#[inline(never)]
fn entry(subscription: &Subscription, at: usize, message: &Message) -> Vec<u8> {
    let mut entry = Members::default();
    entry.string("entryId", &at.to_string());
    let content_type = if subscription.raw {
        let event = entry.name("event");
        event.push(b'"');
        base64::encode(event, &message.data);
        event.push(b'"');
        "application/octet-stream"
    } else {
        let text = json::text(&message.data);
        // It was found to be an object; what follows it in the broker is left out, or the body would be no JSON.
        entry.raw("event", json::value(&text).map_or("null", json::RawValue::get).as_bytes());
        "application/cloudevents+json"
    };
    entry.raw("metadata", &write_string_map(&message.metadata));
    entry.string("contentType", content_type);
    entry.end()
}

#[cfg(test)]
mod tests;
