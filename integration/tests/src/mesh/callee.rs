//! What stands before the applications of a mesh: who may call them, and by which way.

use super::{Builder, MeshApp};
use crate::raw::Raw;
use serde_json::{Value, json};
use weft::bootstrap::{Guard, Proxy};

impl Builder {
    /// Lets only those call the last application whom this `accessControl` allows it.
    pub fn access(mut self, control: Value) -> Self {
        self.last().plugin["accessControl"] = control;
        self
    }

    /// Guards the port of the last application.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.last().guard = guard;
        self
    }

    /// How the last application tells its callers apart. It can then be reached by [`MeshApp::open`] too, as other
    /// proxies reach it.
    pub fn callers(mut self, callers: Value) -> Self {
        self.last().plugin["callers"] = callers;
        self
    }
}

impl MeshApp {
    /// A connection to what stands before the application, as another proxy makes one.
    #[must_use]
    pub fn open(&self) -> Raw {
        Raw::connect(&format!("127.0.0.1:{}", self.inbound))
    }
}

/// Gives what stands before the applications that tell their callers apart a port of this machine.
pub(super) fn open(bootstrap: &mut Value, proxy: &Proxy, apps: &[MeshApp]) {
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().expect("listeners");
    for app in apps.iter().filter(|app| proxy.apps.iter().any(|it| it.id == app.id && it.callers.is_some())) {
        let name = format!("weft_inbound_{}", app.id);
        let internal = listeners.iter().find(|it| it["name"] == name.as_str()).expect("a listener for the application");
        let mut listener = internal.clone();
        listener.as_object_mut().expect("an object").remove("internal_listener");
        listener["name"] = json!(format!("open_{}", app.id));
        listener["address"] = json!({"socket_address": {"address": "127.0.0.1", "port_value": app.inbound}});
        listeners.push(listener);
    }
}
