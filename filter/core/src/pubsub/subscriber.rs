//! The background flow that knows what the application subscribes to, also after it has been restarted.

use super::Deliver;
use super::block::{Inner, Table};
use super::deliver::ToApp;
use super::scopes::Direction;
use super::subscription::{Declared, Subscription, merge, read_list};
use crate::by_name::{ByName, in_order};
use crate::config::{AppChannel, LogLevel};
use crate::host::{CallOutcome, HttpCall};
use crate::log_line::Line;
use crate::runtime::{Receiver, Runtime, channel};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long the application may take to name its subscriptions.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses between questions until the application answers.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// After a delivery could not reach the application, the least time before it is asked again.
const LOST_PAUSE: Duration = Duration::from_secs(2);

/// Asks, makes the subscriptions, and asks again each time the application was away. Ends with the block.
pub(super) async fn follow(runtime: Runtime, block: Weak<Inner>) {
    while let Some(answer) = ask_until_answered(&runtime, &block).await {
        let Some(inner) = block.upgrade().filter(|inner| !inner.stopped.get()) else { return };
        inner.app_seen.set(true);
        inner.learn(answer);
        let lost = inner.watch();
        // Not kept while waiting: the block must be able to go away.
        drop(inner);
        if lost.await.is_none() {
            return;
        }
        runtime.sleep(LOST_PAUSE).await;
    }
}

/// What the application says about its subscriptions.
enum Answer {
    List(Vec<Declared>),
    /// It answered, but not with a list; what was known before stays.
    Unreadable(String),
}

/// `None` if the block has gone or reads no more events.
async fn ask_until_answered(runtime: &Runtime, block: &Weak<Inner>) -> Option<Answer> {
    let mut pause = FIRST_PAUSE;
    loop {
        let inner = block.upgrade().filter(|inner| !inner.stopped.get())?;
        let call = runtime.call(question(&inner.app_id, inner.app.as_ref()?));
        drop(inner);
        if let Ok(outcome) = call
            && let CallOutcome::Answered { status, body } = outcome.await
        {
            return Some(read_answer(status, &body));
        }
        runtime.sleep(pause).await;
        pause = LAST_PAUSE.min(pause * 2);
    }
}

#[inline(never)]
fn question<'a>(app_id: &'a str, app: &'a AppChannel) -> HttpCall<'a> {
    let mut headers = vec![
        (":method", "GET"),
        (":path", "/dapr/subscribe"),
        (":authority", app.authority.as_str()),
        ("content-type", "application/json"),
        ("dapr-app-id", app_id),
    ];
    headers.extend(app.token_header());
    HttpCall { cluster: &app.cluster, headers, body: b"", timeout: ASK_TIMEOUT }
}

#[inline(never)]
fn read_answer(status: u16, body: &[u8]) -> Answer {
    match status {
        200 => read_list(body).map_or_else(|why| Answer::Unreadable(why.to_string()), Answer::List),
        404 => Answer::List(Vec::new()),
        other => Answer::Unreadable(format!("status {other}")),
    }
}

impl Inner {
    /// Tells [`follow`] that the application could not be reached.
    pub(super) fn app_is_lost(&self) {
        let watch = self.app_lost.borrow_mut().take();
        if let Some(watch) = watch {
            watch.send(());
        }
    }

    fn watch(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        *self.app_lost.borrow_mut() = Some(sender);
        receiver
    }

    #[inline(never)]
    fn learn(self: &Rc<Self>, answer: Answer) {
        match answer {
            Answer::List(list) => *self.named.borrow_mut() = list,
            Answer::Unreadable(why) => {
                self.log(LogLevel::Error, "the answer to GET /dapr/subscribe is no list of subscriptions", &why);
            }
        }
        let merged = merge(&self.configured, self.named.borrow().clone());
        let is_known = self.table.borrow().declared.as_ref() == Some(&merged);
        if !is_known {
            let table = self.tabulate(merged);
            let before = std::mem::replace(&mut *self.table.borrow_mut(), table);
            self.subscribe(&before);
        }
    }

    /// Sorts out what cannot be served; each of those has a line in the log.
    #[inline(never)]
    fn tabulate(&self, declared: Vec<Declared>) -> Table {
        let mut table = Table::default();
        for one in &declared {
            match &one.checked {
                Ok(subscription) => {
                    let subscription = Rc::new(self.mortal(subscription.clone()));
                    table.usable.push(Rc::clone(&subscription));
                    self.route(&mut table, subscription);
                }
                Err(why) => self.refuse(LogLevel::Error, &one.pubsub, &one.topic, why),
            }
        }
        table.declared = Some(declared);
        table
    }

    /// Without a dead-letter topic that is its own: an event that is not taken would go round without a pause.
    #[inline(never)]
    fn mortal(&self, mut subscription: Subscription) -> Subscription {
        if subscription.dead_letter_topic.as_ref() == Some(&subscription.topic) {
            let Subscription { pubsub, topic, .. } = &subscription;
            let what = format!("topic {topic} of pubsub {pubsub} has no use of its dead-letter topic {topic}");
            self.log(LogLevel::Error, &what, "it is the subscription's own topic");
            subscription.dead_letter_topic = None;
        }
        subscription
    }

    #[inline(never)]
    fn route(&self, table: &mut Table, subscription: Rc<Subscription>) {
        let (pubsub, topic) = (&subscription.pubsub, &subscription.topic);
        let Some(site) = self.sites.get(pubsub) else {
            return self.refuse(LogLevel::Error, pubsub, topic, "no such pubsub component is configured");
        };
        if !site.allows(topic, Direction::Subscribe) {
            return self.refuse(LogLevel::Warn, pubsub, topic, "the component's scopes do not allow it to this app id");
        }
        let unheard = subscription.dead_letter_topic.as_ref().filter(|dead| !site.allows(dead, Direction::Publish));
        if let Some(dead) = unheard {
            let what = format!("topic {topic} of pubsub {pubsub} has no use of its dead-letter topic {dead}");
            self.log(LogLevel::Error, &what, "the component's scopes do not let this app id publish there");
        }
        [Some(topic), subscription.dead_letter_topic.as_ref()]
            .into_iter()
            .flatten()
            .for_each(|it| site.meters.know(it));
        let at_broker = site.broker_topic(topic);
        table.routed.get_or_insert_with(pubsub, ByName::default).insert(at_broker, Rc::clone(&subscription));
    }

    #[inline(never)]
    fn refuse(&self, level: LogLevel, pubsub: &str, topic: &str, why: &str) {
        let what = format!("no subscription to topic {topic} of pubsub {pubsub}");
        self.log(level, &what, why);
    }

    /// Tells each broker whose topics are others than before.
    #[inline(never)]
    fn subscribe(self: &Rc<Self>, before: &Table) {
        for (name, site) in self.sites.iter() {
            let topics = self.table.borrow().topics(name);
            if topics != before.topics(name) {
                let count = topics.len().to_string();
                let deliver: Rc<dyn Deliver> = Rc::new(ToApp::new(name, self));
                site.broker.subscribe(topics, deliver);
                let about = [("pubsub", name), ("topics", count.as_str())];
                let line = Line { component: "pubsub", about: &about, what: "subscribed", why: "" };
                self.runtime.log(LogLevel::Info, &line);
            }
        }
    }
}

impl Table {
    fn topics(&self, pubsub: &str) -> Vec<String> {
        let topics = self.routed.get(pubsub).into_iter().flat_map(ByName::iter);
        in_order(topics.map(|(topic, _)| topic.to_owned()))
    }
}

#[cfg(test)]
mod tests;
