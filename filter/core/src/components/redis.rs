//! Redis: state and publish/subscribe, in the layout that daprd writes.

mod command;
pub mod pubsub;
mod resp;
mod settings;
pub mod state;

use super::Site;
use crate::config::Component;
use crate::host::TcpTarget;
use crate::runtime::link::{Link, LinkSettings};
use command::Command;
use resp::Resp;
use settings::Login;

/// A connection to Redis.
pub(crate) type RedisLink = Link<Resp>;

/// Where the component's Redis is.
fn target(component: &Component, site: &Site) -> Result<TcpTarget, String> {
    site.target.clone().ok_or_else(|| {
        format!(
            "component {:?} needs `cluster` (the Envoy cluster of Redis) and the configuration `link`",
            component.name
        )
    })
}

/// A link that logs in by itself on every new connection.
fn link(site: &Site, target: TcpTarget, login: &Login, settings: LinkSettings) -> RedisLink {
    Link::new(site.runtime.clone(), target, Resp::new(login.clone()), settings)
}
