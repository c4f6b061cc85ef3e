//! Publish/subscribe: the rules of Dapr's building block, whatever the broker.

mod block;
mod deliver;
mod envelope;
mod error;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(feature = "policies")]
pub mod guarded;
mod options;
mod order;
mod publish;
mod scopes;
mod spans;
mod subscriber;
mod subscription;

pub use block::PubSub;
pub use deliver::DELIVERY_TIMEOUT;
pub use order::Order;
pub use publish::PublishRequest;

use crate::runtime::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// What a broker stores for one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic at the broker.
    pub topic: String,
    /// A CloudEvents envelope in JSON, or for raw events the publisher's bytes.
    pub data: Vec<u8>,
    /// Metadata of the publish call (`metadata.*` of its query).
    pub metadata: BTreeMap<String, String>,
}

/// Why a broker did not take an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerError {
    /// It certainly does not have it.
    Failed {
        /// What the broker said, without secrets.
        reason: String,
    },
    /// It may or may not have it.
    OutcomeUnknown {
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { reason } => f.write_str(reason),
            Self::OutcomeUnknown { reason } => {
                write!(f, "the outcome is unknown, the event may or may not have been published: {reason}")
            }
        }
    }
}

impl std::error::Error for BrokerError {}

/// What became of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The event is done with: taken, dropped by the application's word, or kept in the dead-letter topic.
    /// The broker may forget it.
    Settled,
    /// The application did not take it. The broker must deliver it again, after a back-off.
    Again,
}

/// Gives one event to the application and judges the answer. Made by this block, called by brokers.
pub trait Deliver {
    /// Delivers an event of a topic that was passed to [`Broker::subscribe`]. Never fails: what cannot be
    /// delivered comes back as [`Delivered::Again`]. Call it from a background flow.
    fn deliver(&self, message: Rc<Message>) -> BoxFuture<'static, Delivered>;
}

/// A broker component.
pub trait Broker {
    /// What `/v1.0/metadata` reports, in Dapr's words.
    fn capabilities(&self) -> &'static [&'static str];

    /// Publishes; answers only after the broker has the event.
    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), BrokerError>>;

    /// Makes these topics, and no others, flow to `deliver` from now on. Called from a root callback of a
    /// worker, again when the application has named other topics.
    fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>);

    /// Stops reading new events and gives up what is in flight only when it has ended.
    fn drain(&self);

    /// How many events are with the application now.
    fn in_flight(&self) -> usize;

    /// How many events of one topic are given to the application at once.
    fn window(&self) -> usize;

    /// Opens what is needed to serve, before the first request. Called from a root callback of a worker.
    fn start(&self) {}

    /// Why it does not serve; `None` once its backend was reached, or where it has none.
    fn trouble(&self) -> Option<String> {
        None
    }
}
