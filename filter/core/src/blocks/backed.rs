//! State and publish/subscribe.
pub use super::routing::Blocks;
