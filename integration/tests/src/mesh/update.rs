//! New listeners for a running proxy, as a control plane sends them.

use super::Mesh;
use serde_json::{Value, json};
use tempfile::TempDir;

impl Mesh {
    /// Puts other listeners in place of the present ones, as a control plane does.
    pub fn update_listeners(&self, edit: impl FnOnce(&mut Value)) {
        let file = self.envoy.folder().join("listeners.json");
        let text = std::fs::read(file).expect("the mesh has its listeners in a file");
        let mut response: Value = serde_json::from_slice(&text).expect("JSON");
        edit(&mut response["resources"]);
        write_listeners(self.envoy.folder(), &response["resources"]);
    }

    /// Changes every plugin configuration and puts the listeners with them in place of the present ones.
    pub fn update_plugins(&self, mut edit: impl FnMut(&mut Value)) {
        self.update_listeners(|listeners| each_plugin(listeners, &mut edit));
    }
}

pub(super) fn listeners_to_file(config: &mut Value, folder: &TempDir) {
    let listeners = config["static_resources"]["listeners"].take();
    config["static_resources"]["listeners"] = json!([]);
    write_listeners(folder.path(), &listeners);
    config["node"] = json!({"id": "weft-tests", "cluster": "weft-tests"});
    let path = folder.path().join("listeners.json");
    config["dynamic_resources"] = json!({"lds_config": {
        "resource_api_version": "V3",
        "path_config_source": {"path": path, "watched_directory": {"path": folder.path()}},
    }});
}

fn write_listeners(folder: &std::path::Path, listeners: &Value) {
    let mut list = listeners.as_array().cloned().expect("a list of listeners");
    for listener in &mut list {
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    }
    let response = json!({"version_info": crate::dapr::unique("v"), "resources": list});
    let fresh = folder.join("listeners.next");
    std::fs::write(&fresh, response.to_string()).expect("the listeners can be written");
    std::fs::rename(fresh, folder.join("listeners.json")).expect("the listeners can be put in place");
}

fn each_plugin(value: &mut Value, edit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(members) if members.contains_key("root_id") => {
            if let Some(text) = members.get_mut("configuration").map(|configuration| &mut configuration["value"]) {
                let mut plugin = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
                edit(&mut plugin);
                *text = json!(plugin.to_string());
            }
        }
        Value::Object(members) => members.values_mut().for_each(|member| each_plugin(member, edit)),
        Value::Array(items) => items.iter_mut().for_each(|item| each_plugin(item, edit)),
        _ => {}
    }
}
