//! `pubsub.redis`: a Redis stream per topic, a consumer group per application.
//!
//! The entries are daprd's: the fields `data` and `metadata`. Unlike daprd an entry is acknowledged only after it
//! was settled, and every worker is a consumer of its own, so nothing is lost and no two compete for one name.

mod acknowledge;
mod consumer;
mod delivery;
mod entries;
#[cfg(test)]
mod fake_streams;
mod ordered;
mod publish;
mod pump;
mod pumps;
mod read;
mod refresh;
mod tend;
mod topic;

use super::resp::Reply;
use super::settings::{self, Trim};
use super::{Client, Command, Reach};
use crate::components::Site;
use crate::config::{Component, Problem};
use crate::pubsub::{Broker, BrokerError, Deliver, Message};
use crate::runtime::link::LinkSettings;
use crate::runtime::{BoxFuture, Runtime};
use pumps::Pumps;
use std::rc::Rc;

/// Builds the broker of a `pubsub.redis` component.
///
/// # Errors
/// Each thing in the component that cannot be used.
#[inline(never)]
pub fn build(component: &Component, site: &Site) -> Result<Rc<dyn Broker>, Vec<Problem>> {
    let mut settings = settings::pubsub(component)?;
    settings.consumer_id = settings.consumer_id.map(|template| consumer::group(&template, site));
    let reach = Reach::new(site, settings.login.clone(), settings.servers.clone())?;
    let writer = reach.client(LinkSettings::default());
    let (trim, window) = (settings.trim, settings.window);
    let pumps = Pumps::new(pump::Parts {
        runtime: site.runtime.clone(),
        component: component.name.clone(),
        app_id: site.app_id.clone(),
        writer: writer.clone(),
        reach,
        settings,
    });
    Ok(Rc::new(RedisBroker { runtime: site.runtime.clone(), writer, trim, window, pumps }))
}

struct RedisBroker {
    runtime: Runtime,
    /// For everything that does not block.
    writer: Client,
    trim: Trim,
    window: usize,
    pumps: Pumps,
}

impl Broker for RedisBroker {
    fn capabilities(&self) -> &'static [&'static str] {
        &[]
    }

    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), BrokerError>> {
        let now = self.runtime.host().now();
        Box::pin(publish::publish(self.writer.clone(), self.trim, now, message))
    }

    fn subscribe(&self, topics: Vec<String>, deliver: Rc<dyn Deliver>) {
        self.pumps.subscribe(topics, deliver);
    }

    fn drain(&self) {
        self.pumps.drain();
    }

    fn in_flight(&self) -> usize {
        self.pumps.in_flight()
    }

    fn window(&self) -> usize {
        self.window
    }

    fn start(&self) {
        self.writer.open();
    }

    fn trouble(&self) -> Option<String> {
        self.writer.never_up()
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.pumps.drain();
    }
}

#[cfg(test)]
mod tests;
