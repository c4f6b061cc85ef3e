//! The block of one application: its stores, and which of their operations a request asks for.

use super::key::{IllegalPrefix, Prefix, SEPARATOR};
use super::{StateStore, bulk, error, save, single, transaction};
use crate::api::{self, Route};
use crate::app::Request;
use crate::by_name::ByName;
use crate::config::{PluginConfig, Problem};
use crate::error::DaprError;
use crate::host::Time;
use crate::http::Reply;
use crate::runtime::{BoxFuture, Runtime};
use crate::telemetry::meters::{Ended, Meters, What};
use std::rc::Rc;

/// State management for one application.
pub struct State {
    app_id: String,
    sites: ByName<Rc<Site>>,
}

/// A request under way, or the error that it has already ended with.
pub(super) type Flow = Result<BoxFuture<'static, Reply>, DaprError>;

/// A store, as this application sees it.
pub(super) struct Site {
    pub(super) name: String,
    pub(super) store: Rc<dyn StateStore>,
    prefix: Prefix,
    runtime: Runtime,
    meters: Meters,
}

impl Site {
    /// The key as the store knows it.
    ///
    /// # Errors
    /// Dapr's error for a key that holds `||`.
    pub(super) fn full_key(&self, key: &str) -> Result<String, DaprError> {
        if key.contains(SEPARATOR) {
            return Err(error::illegal_key(&self.name, key));
        }
        Ok(self.prefix.full(key))
    }

    /// When what is [noted](Site::note) later begins.
    pub(super) fn now(&self) -> Time {
        self.runtime.host().now()
    }

    /// Counts an operation of the store.
    #[inline(never)]
    pub(super) fn note(&self, what: What, start: Time, is_done: bool) {
        self.meters.note(self.runtime.host(), "", what, Ended::of(is_done), Some(start));
    }
}

impl State {
    /// The block for the stores of these names. Their components in `config` say what stands before the keys.
    ///
    /// # Errors
    /// Each thing in the configuration that cannot be used.
    #[inline(never)]
    pub fn new(
        config: &PluginConfig,
        stores: &ByName<Rc<dyn StateStore>>,
        runtime: &Runtime,
    ) -> Result<Self, Vec<Problem>> {
        let mut sites = ByName::default();
        let mut problems = Vec::new();
        for (at, component) in config.components.iter().enumerate() {
            if !component.kind.starts_with("state.") {
                continue;
            }
            // Judged for a store that could not be built, too: every mistake is told at once.
            match (Prefix::read(component, config), stores.get(&component.name)) {
                (Err(IllegalPrefix), _) => problems.push(illegal_prefix(at)),
                (Ok(_), None) => {}
                (Ok(prefix), Some(store)) => {
                    let name = component.name.clone();
                    let (meters, runtime) = (Meters::new(config, &name), runtime.clone());
                    let site = Site { name: name.clone(), store: Rc::clone(store), prefix, runtime, meters };
                    sites.insert(name, Rc::new(site));
                }
            }
        }
        if problems.is_empty() { Ok(Self { app_id: config.app_id.clone(), sites }) } else { Err(problems) }
    }

    /// The flow that answers a request of one of the state routes.
    pub fn serve(&self, route: Route, request: Request) -> BoxFuture<'static, Reply> {
        let flow = match route {
            Route::StateGet { store, key } => self.site(&store).and_then(|site| single::get(site, key)),
            Route::StateDelete { store, key } => self.site(&store).and_then(|site| single::delete(site, key, &request)),
            Route::StateSave { store } => self.site(&store).and_then(|site| save::save(site, &request)),
            Route::StateBulk { store } => self.site(&store).and_then(|site| bulk::get(site, &request)),
            Route::StateTransaction { store } => {
                self.site(&store).and_then(|site| transaction::transact(&site, &request))
            }
            Route::StateQuery { store } => self.site(&store).and_then(|site| Err(error::no_queries(&site.name))),
            _ => Err(DaprError::new(404, "ERR_DIRECT_INVOKE", "no route of the state API".to_owned())),
        };
        flow.unwrap_or_else(|error| Box::pin(std::future::ready(error.reply())))
    }

    fn site(&self, name: &str) -> Result<Rc<Site>, DaprError> {
        match self.sites.get(name) {
            Some(site) => Ok(Rc::clone(site)),
            None if self.sites.is_empty() => Err(api::no_stores(name)),
            None => Err(error::not_found(name, &self.app_id)),
        }
    }
}

/// For the component of that number.
fn illegal_prefix(at: usize) -> Problem {
    let path = format!("$.components[{at}].metadata.keyPrefix");
    Problem::new(&path, "holds \"||\", which stands between prefix and key", "take it out")
}
