//! No blocks: the module for invocation only.

use crate::api::{self, Route};
use crate::app::Request;
use crate::config::{PluginConfig, Problem};
use crate::error::DaprError;
use crate::http::Reply;
use crate::runtime::{BoxFuture, Runtime};
use crate::telemetry::Trace;

/// Stands where the blocks would be.
pub struct Blocks;

impl Blocks {
    /// Whether anything here takes more than one callback.
    pub const HAVE_FLOWS: bool = false;

    /// Nothing to build.
    ///
    /// # Errors
    /// Components and subscriptions, which this module cannot serve.
    pub fn new(config: &PluginConfig, _runtime: &Runtime) -> Result<Self, Vec<Problem>> {
        let members =
            [("$.components", config.components.is_empty()), ("$.subscriptions", config.subscriptions.is_empty())];
        let problem = |(path, _)| {
            let (what, remedy) = ("are not served by the module for routing only", "load weft.wasm, or remove them");
            Problem::new(path, what, remedy)
        };
        let problems: Vec<Problem> = members.into_iter().filter(|(_, is_empty)| !is_empty).map(problem).collect();
        if problems.is_empty() { Ok(Self) } else { Err(problems) }
    }

    /// Nothing.
    pub fn none() -> Self {
        Self
    }

    /// Dapr's answers for blocks that are not configured.
    pub fn at_once(&self, route: &Route) -> Option<Reply> {
        let error = match route {
            Route::Publish { pubsub, .. } | Route::PublishBulk { pubsub, .. } => api::no_brokers(pubsub),
            Route::StateGet { store, .. }
            | Route::StateDelete { store, .. }
            | Route::StateSave { store }
            | Route::StateBulk { store }
            | Route::StateTransaction { store }
            | Route::StateQuery { store } => api::no_stores(store),
            _ => DaprError::new(404, "ERR_DIRECT_INVOKE", "no such route".to_owned()),
        };
        Some(error.reply())
    }

    /// Nothing: every answer is there at once.
    pub fn serve(&self, _route: Route, _request: Request, _trace: Trace) -> BoxFuture<'static, Reply> {
        Box::pin(std::future::ready(Reply::no_content()))
    }

    /// Nothing to start.
    pub fn start(&self, _runtime: &Runtime) {}

    /// Nothing to stop.
    pub fn drain(&self) {}

    /// Always none.
    pub fn in_flight(&self) -> usize {
        0
    }

    /// Nobody asks the application here, so it counts as seen.
    pub fn app_seen(&self, _runtime: &Runtime) -> bool {
        true
    }

    /// None.
    pub fn trouble(&self, _name: &str, _kind: &str) -> Option<String> {
        None
    }

    /// None.
    pub fn subscriptions(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// None.
    pub fn capabilities(&self, _name: &str, _kind: &str) -> &'static [&'static str] {
        &[]
    }
}
