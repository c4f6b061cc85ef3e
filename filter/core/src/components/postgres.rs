//! PostgreSQL: state, in the tables that daprd makes (version 2 of its component).

mod login;
mod message;
mod schema;
mod scram;
mod settings;
pub mod state;
mod wire;

use crate::runtime::link::Link;
use std::cell::Cell;
use wire::Wire;

/// A connection to PostgreSQL.
type PgLink = Link<Wire>;

/// The connections of one worker. All but the first are opened when several commands are under way at once: PostgreSQL
/// does those of one connection one after the other.
struct Pool {
    links: Vec<PgLink>,
    turn: Cell<usize>,
}

impl Pool {
    /// A connection with as few commands under way as any.
    fn pick(&self) -> Option<PgLink> {
        let turn = self.turn.get() % self.links.len().max(1);
        let from_turn = self.links.iter().cycle().skip(turn).take(self.links.len());
        let idle = self.links.iter().find(|link| link.waiting() == 0);
        let link = idle.or_else(|| from_turn.min_by_key(|link| link.waiting()));
        self.turn.set(turn + 1);
        link.cloned()
    }
}
