//! Giving one event to the application (`dapr-api` 2.9 and 2.10).
//!
//! Without a policy nothing is tried twice here: what the application did not take goes to the dead-letter topic, or
//! back to the broker, which delivers it again. daprd's Redis component would forget it instead.

mod bulk;
mod metadata;

use super::block::Inner;
use super::envelope;
use super::subscription::Subscription;
use super::{Deliver, Delivered, Message};
use crate::config::{AppChannel, LogLevel};
use crate::host::{CallOutcome, HostError, HttpCall, Time};
use crate::json::{self, RawObject};
use crate::log_line::Line;
use crate::resiliency::component::{Guard, Tries};
use crate::runtime::{BoxFuture, Call, Sleep};
use crate::telemetry::Trace;
use crate::telemetry::meters::{Ended, What};
use crate::timestamp::is_past;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long the application may take for one delivery, unless the component says otherwise.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Delivers the events of one broker.
pub(super) struct ToApp {
    pubsub: Rc<str>,
    // The broker keeps this object and the block keeps the broker.
    block: Weak<Inner>,
    gathering: Rc<bulk::Gathering>,
}

impl ToApp {
    pub(super) fn new(pubsub: &str, block: &Rc<Inner>) -> Self {
        Self { pubsub: pubsub.into(), block: Rc::downgrade(block), gathering: Rc::default() }
    }
}

impl Deliver for ToApp {
    fn deliver(&self, message: Rc<Message>) -> BoxFuture<'static, Delivered> {
        let found = self.block.upgrade().and_then(|inner| {
            let subscription = inner.subscription(&self.pubsub, &message.topic)?;
            Some((inner, subscription))
        });
        match found {
            Some((inner, subscription)) if subscription.bulk.is_some() => self.gather(&inner, subscription, message),
            Some((inner, subscription)) => Box::pin(async move { inner.deliver(&subscription, message).await }),
            // Of a subscription that has ended; another replica may still have it.
            None => Box::pin(std::future::ready(Delivered::Again)),
        }
    }
}

impl ToApp {
    fn gather(&self, inner: &Rc<Inner>, to: Rc<Subscription>, message: Rc<Message>) -> BoxFuture<'static, Delivered> {
        let bulk = to.bulk.unwrap_or_default();
        let window = inner.sites.get(&self.pubsub).map_or(1, |site| site.broker.window());
        self.gathering.join(inner, (to, bulk), window, message)
    }
}

/// What became of an event at the application.
#[derive(Clone)]
enum Verdict {
    Taken,
    /// The application will not have it now.
    Refused(String),
    /// The application is not to be asked now, so it has refused nothing.
    Waits(String),
    /// Nobody will ever take it.
    Dropped(Cause),
}

impl Verdict {
    /// What went wrong, if anything did.
    fn error(&self) -> Option<&str> {
        match self {
            Self::Taken | Self::Dropped(Cause::Unrouted) => None,
            Self::Refused(why) | Self::Waits(why) => Some(why),
            Self::Dropped(Cause::Meant(why) | Cause::Fault(why)) => Some(why),
        }
    }
}

/// Why an event is dropped.
#[derive(Clone)]
enum Cause {
    /// No rule of the subscription wants it.
    Unrouted,
    /// Its own time or the application's word ends it.
    Meant(String),
    /// It, or the application, is not as it should be.
    Fault(String),
}

/// What an envelope says about its delivery.
struct Sight<'a> {
    trace: Trace,
    is_expired: bool,
    /// Where the rules lead it.
    path: Option<&'a str>,
}

/// Where an event is sent.
struct Aim<'a> {
    app: &'a AppChannel,
    subscription: &'a Subscription,
    path: &'a str,
}

impl Inner {
    fn subscription(&self, pubsub: &str, topic: &str) -> Option<Rc<Subscription>> {
        self.table.borrow().routed.get(pubsub)?.get(topic).cloned()
    }

    async fn deliver(&self, subscription: &Subscription, message: Rc<Message>) -> Delivered {
        let guard = self.inbound(&subscription.pubsub);
        let mut tries = Tries::default();
        loop {
            let start = self.runtime.host().now();
            let as_what = (What::Ingress, Some(start));
            let verdict = self.once(subscription, &message, start, guard.as_deref()).await;
            match self.next_pause(guard.as_deref(), &mut tries, &verdict) {
                None => return self.conclude(subscription, &message, verdict, as_what).await,
                Some(pause) => self.refused_once(subscription, as_what, &verdict, pause).await,
            }
            if self.stopped.get() {
                return Delivered::Again;
            }
        }
    }

    /// One try, if the circuit breaker lets it through.
    async fn once(&self, to: &Subscription, message: &Message, start: Time, guard: Option<&Guard>) -> Verdict {
        let watch = match guard.map(Guard::admit) {
            Some(Err(why)) => return Verdict::Waits(why.to_owned()),
            Some(Ok(watch)) => watch,
            None => None,
        };
        let verdict = match self.call(to, message) {
            Ok((answer, trace)) => {
                let outcome = answer.await;
                let status = outcome.status();
                let verdict = self.judge(&to.pubsub, outcome);
                self.delivered(to, &trace, (start, message.data.len()), status, verdict.error());
                verdict
            }
            Err(verdict) => verdict,
        };
        if let Some(guard) = guard {
            guard.ended(watch, !matches!(verdict, Verdict::Refused(_) | Verdict::Waits(_)));
        }
        verdict
    }

    /// How long until an event is tried again by the component's policy, if it is.
    fn next_pause(&self, guard: Option<&Guard>, tries: &mut Tries, verdict: &Verdict) -> Option<Duration> {
        let is_refused = matches!(verdict, Verdict::Refused(_)) && !self.stopped.get();
        guard.filter(|_| is_refused)?.pause(tries)
    }

    /// Counts and tells a try that is not the last one, and waits for the next.
    #[inline(never)]
    fn refused_once(
        &self,
        to: &Subscription,
        as_what: (What, Option<Time>),
        verdict: &Verdict,
        pause: Duration,
    ) -> Sleep {
        self.note(&to.pubsub, &to.topic, as_what, Ended::Refused);
        self.log_event(LogLevel::Warn, to, "an event will be tried again", verdict.error().unwrap_or_default());
        self.runtime.sleep(pause)
    }

    /// Counts and tells what became of an event, and has it kept where the application did not take it.
    async fn conclude(
        &self,
        subscription: &Subscription,
        message: &Message,
        verdict: Verdict,
        as_what: (What, Option<Time>),
    ) -> Delivered {
        let (ended, level, why) = match verdict {
            Verdict::Taken => {
                self.note(&subscription.pubsub, &subscription.topic, as_what, Ended::Taken);
                return Delivered::Settled;
            }
            Verdict::Waits(why) => {
                self.log_event(LogLevel::Warn, subscription, "an event has to wait", &why);
                return Delivered::Again;
            }
            Verdict::Refused(why) => (Ended::Refused, LogLevel::Warn, why),
            Verdict::Dropped(Cause::Unrouted) => {
                (Ended::Dropped, LogLevel::Debug, "no rule of the subscription wants it".to_owned())
            }
            Verdict::Dropped(Cause::Meant(why)) => (Ended::Dropped, LogLevel::Warn, why),
            Verdict::Dropped(Cause::Fault(why)) => (Ended::Unfit, LogLevel::Error, why),
        };
        self.note(&subscription.pubsub, &subscription.topic, as_what, ended);
        self.log_event(level, subscription, "an event was not taken", &why);
        self.untaken(subscription, message, ended != Ended::Refused).await
    }

    /// Begins the call of the application.
    #[inline(never)]
    fn call(&self, subscription: &Subscription, message: &Message) -> Result<(Call, Trace), Verdict> {
        let app = self.app()?;
        let wrapped;
        let body = if subscription.raw {
            let (pubsub, topic) = (&subscription.pubsub, &subscription.topic);
            wrapped = envelope::wrap_raw(pubsub, topic, &message.data, &message.metadata, self.runtime.host());
            &wrapped
        } else {
            &message.data
        };
        let sight = self.sight(subscription, message, body)?;
        let Some(path) = sight.path else { return Err(Verdict::Dropped(Cause::Unrouted)) };
        let aim = Aim { app, subscription, path };
        let call = self.send(&aim, message, &sight.trace, body).map_err(|why| self.not_reached(&why))?;
        Ok((call, sight.trace))
    }

    fn app(&self) -> Result<&AppChannel, Verdict> {
        let app = self.app.as_ref();
        app.ok_or_else(|| Verdict::Refused("the plugin configuration has no `app`".to_owned()))
    }

    #[inline(never)]
    fn not_reached(&self, why: &HostError) -> Verdict {
        self.app_is_lost();
        match why {
            // By its health checks: a proxy that knows no other host of it asks nobody.
            HostError::NoHealthyHost => Verdict::Waits("the application is not healthy".to_owned()),
            why => Verdict::Refused(why.to_string()),
        }
    }

    /// What [`Inner::look`] sees of an event that can be delivered still.
    fn sight<'s>(&self, subscription: &'s Subscription, message: &Message, body: &[u8]) -> Result<Sight<'s>, Verdict> {
        let sight = self.look(subscription, message, body).map_err(|why| Verdict::Dropped(Cause::Fault(why)))?;
        if sight.is_expired { Err(Verdict::Dropped(Cause::Meant("it has expired".to_owned()))) } else { Ok(sight) }
    }

    #[inline(never)]
    fn send(&self, aim: &Aim<'_>, message: &Message, trace: &Trace, body: &[u8]) -> Result<Call, HostError> {
        let traceparent = trace.delivery_header();
        let metadata = metadata::fields(&message.metadata);
        let mut headers = Vec::with_capacity(7 + metadata.len());
        headers.extend([
            (":method", "POST"),
            (":path", aim.path),
            (":authority", &aim.app.authority),
            ("content-type", "application/cloudevents+json"),
            ("pubsubname", &aim.subscription.pubsub),
        ]);
        headers.extend(metadata.iter().map(|(name, value)| (&**name, *value)));
        headers.extend(aim.app.token_header());
        headers.push(("traceparent", &traceparent));
        if !trace.tracestate().is_empty() {
            headers.push(("tracestate", trace.tracestate()));
        }
        let timeout = self.timeout(&aim.subscription.pubsub);
        self.runtime.call(HttpCall { cluster: &aim.app.cluster, headers, body, timeout })
    }

    /// Reads what matters of a stored event, and of the envelope that the application will get.
    ///
    /// # Errors
    /// The event can never be delivered, and why.
    #[inline(never)]
    fn look<'s>(&self, subscription: &'s Subscription, message: &Message, body: &[u8]) -> Result<Sight<'s>, String> {
        let host = self.runtime.host();
        if let (true, Some(path)) = (subscription.raw, subscription.only_path()) {
            return Ok(Sight { trace: self.raw_trace(message), is_expired: false, path: Some(path) });
        }
        let text = json::text(body);
        let is_object = text.trim_start().starts_with('{');
        let object = RawObject::parse(&text).ok().filter(|_| is_object);
        let object = object.ok_or("it is no CloudEvent: its bytes are no JSON object")?;
        if subscription.raw {
            let path = routed(subscription, &text, &object)?;
            return Ok(Sight { trace: self.raw_trace(message), is_expired: false, path });
        }
        // Attributes of another kind than string say nothing; they must not stop the delivery.
        let of = |name: &str| object.string(name).ok().flatten().filter(|text| !text.is_empty());
        let parent = of("traceparent").or_else(|| of("traceid"));
        let trace = match parent {
            Some(parent) => Trace::of_event(Some(&parent), of("tracestate").as_deref(), &self.sampling, host),
            // Published raw, if at all with one.
            None => self.raw_trace(message),
        };
        let is_expired = of("expiration").is_some_and(|at| is_past(&at, self.runtime.host().now()));
        // Nobody asks where an expired event goes.
        let path = if is_expired { None } else { routed(subscription, &text, &object)? };
        Ok(Sight { trace, is_expired, path })
    }

    /// The trace of a raw event: what the message's metadata says of it.
    #[inline(never)]
    fn raw_trace(&self, message: &Message) -> Trace {
        let of = |name: &str| message.metadata.get(name).map(String::as_str);
        let parent = of("traceparent").or_else(|| of("traceid"));
        Trace::of_event(parent, of("tracestate"), &self.sampling, self.runtime.host())
    }

    #[inline(never)]
    fn judge(&self, pubsub: &str, outcome: CallOutcome) -> Verdict {
        match outcome {
            CallOutcome::Answered { status: 200..=299, body } => judge_body(&body),
            CallOutcome::Answered { status: 404, .. } => {
                Verdict::Dropped(Cause::Fault("the application has no such route: it answered 404".to_owned()))
            }
            CallOutcome::Answered { status, .. } => Verdict::Refused(format!("the application answered {status}")),
            CallOutcome::Failed { status: 504 } => {
                let millis = u64::try_from(self.timeout(pubsub).as_millis()).unwrap_or(u64::MAX);
                Verdict::Refused(format!("no answer from the application in {millis} ms"))
            }
            CallOutcome::Failed { status } => {
                self.app_is_lost();
                Verdict::Refused(format!("the application cannot be reached (the proxy says {status})"))
            }
        }
    }

    /// An event that the application did not take: to the dead-letter topic if there is one.
    async fn untaken(&self, subscription: &Subscription, message: &Message, dropped: bool) -> Delivered {
        let Some(dead) = &subscription.dead_letter_topic else {
            return if dropped { Delivered::Settled } else { Delivered::Again };
        };
        let message = Message { topic: dead.clone(), ..message.clone() };
        match self.hand_over(What::Egress, &subscription.pubsub, message).await {
            Ok(()) => Delivered::Settled,
            Err(error) => {
                self.log_event(LogLevel::Error, subscription, "the dead-letter topic did not take it", &error.message);
                Delivered::Again
            }
        }
    }

    #[inline(never)]
    fn log_event(&self, level: LogLevel, subscription: &Subscription, what: &str, why: &str) {
        let Subscription { pubsub, topic, .. } = subscription;
        // With conditions it may have had another path, or none.
        let path = subscription.only_path().unwrap_or("by rules");
        let about = [("pubsub", pubsub.as_str()), ("topic", topic), ("path", path)];
        self.runtime.log(level, &Line { component: "pubsub", about: &about, what, why });
    }
}

/// Where an event goes.
///
/// # Errors
/// A condition has no answer for it. It never will, so the event cannot wait for one.
#[inline(never)]
fn routed<'s>(subscription: &'s Subscription, text: &str, members: &RawObject<'_>) -> Result<Option<&'s str>, String> {
    subscription.route(text, members).map_err(|why| format!("a routing rule cannot be asked: {why}"))
}

/// What a successful answer's body says: `{"status":"SUCCESS"|"RETRY"|"DROP"}`, or nothing of the kind.
fn judge_body(body: &[u8]) -> Verdict {
    if body.is_empty() {
        return Verdict::Taken;
    }
    let text = json::text(body);
    let status = RawObject::parse(&text).ok().and_then(|object| object.string("status").ok().flatten());
    judge_status(status.as_deref())
}

/// What a status says.
#[inline(never)]
fn judge_status(status: Option<&str>) -> Verdict {
    match status {
        None | Some("" | "SUCCESS") => Verdict::Taken,
        Some("RETRY") => Verdict::Refused("the application asked for a retry".to_owned()),
        Some("DROP") => Verdict::Dropped(Cause::Meant("the application asked to drop it".to_owned())),
        Some(other) => Verdict::Refused(format!("the application answered with the unknown status {other:?}")),
    }
}

#[cfg(test)]
mod tests;
