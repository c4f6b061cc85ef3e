//! State.
use crate::components::Site;
use crate::config::Component;
use crate::state::StateStore;
use std::rc::Rc;

/// Builds the store.
///
/// # Errors
/// One line for each thing in the component that cannot be used.
pub fn build(_component: &Component, _site: &Site) -> Result<Rc<dyn StateStore>, Vec<String>> {
    Err(vec!["under construction".to_owned()])
}
