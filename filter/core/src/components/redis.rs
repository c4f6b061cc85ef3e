//! Redis: state and publish/subscribe, in the layout that daprd writes.

mod client;
mod command;
#[cfg(test)]
mod fake_redis;
#[cfg(feature = "redis-nodes")]
mod nodes;
pub mod pubsub;
mod resp;
mod settings;
pub mod state;

use crate::runtime::link::Link;
use client::{Client, Reach};
use command::Command;
use resp::Resp;

pub use settings::has_many_servers;

/// A connection to Redis.
pub(crate) type RedisLink = Link<Resp>;
