//! Redis: state and publish/subscribe, in the layout that daprd writes.

mod command;
#[cfg(test)]
mod fake_redis;
pub mod pubsub;
mod resp;
mod settings;
pub mod state;

use super::Site;
use crate::config::Problem;
use crate::host::TcpTarget;
use crate::runtime::link::{Link, LinkSettings};
use command::Command;
use resp::Resp;
use settings::Login;

/// A connection to Redis.
pub(crate) type RedisLink = Link<Resp>;

/// Where the component's Redis is.
fn target(site: &Site) -> Result<TcpTarget, Vec<Problem>> {
    site.target.clone().ok_or_else(|| vec![Problem::no_link()])
}

/// A link that logs in by itself on every new connection.
#[inline(never)]
fn link(site: &Site, target: TcpTarget, login: &Login, settings: LinkSettings) -> RedisLink {
    Link::new(site.runtime.clone(), target, Resp::new(login.clone()), settings)
}
