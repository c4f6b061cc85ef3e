//! How far a link's connection is.

use crate::host::{TcpId, Time};

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was asked for yet, or the link was closed.
    Idle,
    /// The next attempt is due at `until`, or from `soonest` on if somebody asks for it.
    Waiting { until: Time, soonest: Time },
    /// The connection has been asked for.
    Opening { tcp: TcpId, since: Time },
    /// That many replies to the greeting are still to come.
    Greeting { tcp: TcpId, left: usize, since: Time },
    /// In service.
    Up { tcp: TcpId },
}

impl State {
    /// The connection, if there is one or will be.
    pub(super) fn tcp(self) -> Option<TcpId> {
        match self {
            Self::Idle | Self::Waiting { .. } => None,
            Self::Opening { tcp, .. } | Self::Greeting { tcp, .. } | Self::Up { tcp } => Some(tcp),
        }
    }
}
