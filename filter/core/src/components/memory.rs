//! State and publish/subscribe kept in the memory that an Envoy's workers share.
pub mod pubsub;
pub mod state;
