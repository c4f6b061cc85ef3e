//! A broker behind its outbound policy.

use super::{Broker, BrokerError, Deliver, Message};
use crate::resiliency::component::{Failure, Guard};
use crate::runtime::BoxFuture;
use std::rc::Rc;

/// Publishes as often as the policy says.
pub struct Guarded {
    broker: Rc<dyn Broker>,
    guard: Rc<Guard>,
}

impl Guarded {
    /// Puts the policy before the broker.
    pub fn before(broker: Rc<dyn Broker>, guard: Rc<Guard>) -> Rc<dyn Broker> {
        Rc::new(Self { broker, guard })
    }
}

impl Failure for BrokerError {
    fn held(why: &str) -> Self {
        Self::Failed { reason: why.to_owned() }
    }

    fn late(millis: u32) -> Self {
        Self::OutcomeUnknown { reason: format!("no answer in the {millis} ms of the component's policy") }
    }

    fn is_answer(&self) -> bool {
        false
    }
}

impl Broker for Guarded {
    fn capabilities(&self) -> &'static [&'static str] {
        self.broker.capabilities()
    }

    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), BrokerError>> {
        let broker = Rc::clone(&self.broker);
        Box::pin(Rc::clone(&self.guard).run(move || broker.publish(message.clone())))
    }

    fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        self.broker.subscribe(topics, deliver);
    }

    fn drain(&self) {
        self.broker.drain();
    }

    fn in_flight(&self) -> usize {
        self.broker.in_flight()
    }

    fn window(&self) -> usize {
        self.broker.window()
    }

    fn start(&self) {
        self.broker.start();
    }

    fn trouble(&self) -> Option<String> {
        self.broker.trouble()
    }
}
