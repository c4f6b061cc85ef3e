//! Running applications: the proxy first, then they, then the end of all.

mod console;
mod envoy;
mod envoy_log;
mod group;
pub mod guard;
mod health;
mod member;
mod output;
pub mod ports;
mod session;
mod signals;

pub use console::Console;
pub use envoy::find as find_envoy;
pub use session::{Plan, Program, run};
