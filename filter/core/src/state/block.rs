//! The block of one application: its stores.

use super::StateStore;
use crate::api::Route;
use crate::app::Request;
use crate::config::{PluginConfig, Problem};
use crate::error::DaprError;
use crate::http::Reply;
use crate::runtime::{BoxFuture, Runtime};
use std::collections::BTreeMap;
use std::rc::Rc;

/// State management for one application.
pub struct State {
    _stores: BTreeMap<String, Rc<dyn StateStore>>,
}

impl State {
    /// The block for the stores of these names.
    ///
    /// # Errors
    /// Each thing in the configuration that cannot be used.
    pub fn new(
        _config: &PluginConfig,
        stores: BTreeMap<String, Rc<dyn StateStore>>,
        _runtime: &Runtime,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self { _stores: stores })
    }

    /// The flow that answers a request of one of the state routes.
    pub fn serve(&self, _route: Route, _request: Request) -> BoxFuture<'static, Reply> {
        let error = DaprError::new(500, "ERR_STATE_STORE_NOT_CONFIGURED", "state stores are not served yet".to_owned());
        Box::pin(std::future::ready(error.reply()))
    }
}
