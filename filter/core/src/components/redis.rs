//! Redis: state and publish/subscribe.
pub mod pubsub;
pub mod state;
