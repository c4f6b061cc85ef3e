//! Publish/subscribe.
use crate::components::Site;
use crate::config::Component;
use crate::pubsub::Broker;
use std::rc::Rc;

/// Builds the broker.
///
/// # Errors
/// One line for each thing in the component that cannot be used.
pub fn build(_component: &Component, _site: &Site) -> Result<Rc<dyn Broker>, Vec<String>> {
    Err(vec!["under construction".to_owned()])
}
