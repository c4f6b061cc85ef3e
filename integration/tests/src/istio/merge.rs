//! How istiod applies the patches of an EnvoyFilter.

use super::Parts;
use serde_json::Value;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// Applies one entry of `configPatches`.
pub(super) fn apply(parts: &mut Parts, entry: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, operation) = (text(&entry["applyTo"]), text(&entry["patch"]["operation"]));
    let value = &entry["patch"]["value"];
    match (kind.as_str(), operation.as_str()) {
        ("LISTENER", "ADD") => parts.listeners.push(value.clone()),
        ("CLUSTER", "ADD") => parts.clusters.push(value.clone()),
        ("EXTENSION_CONFIG", "ADD") => {
            parts.extensions.insert(text(&value["name"]), value.clone());
        }
        ("VIRTUAL_HOST", "ADD") => {
            let name = text(&entry["match"]["routeConfiguration"]["name"]);
            let table = parts.routes.get_mut(&name).unwrap_or_else(|| panic!("there is no route table {name}"));
            list(&mut table["virtual_hosts"]).push(value.clone());
        }
        ("LISTENER", "MERGE") => merge(listener(parts, entry), value),
        ("NETWORK_FILTER", "MERGE") => merge(manager(listener(parts, entry)), value),
        ("HTTP_FILTER", "INSERT_FIRST") => filters(listener(parts, entry)).insert(0, value.clone()),
        ("HTTP_FILTER", "INSERT_BEFORE") => {
            let before = entry["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"].clone();
            let filters = filters(listener(parts, entry));
            let at = filters.iter().position(|it| it["name"] == before).expect("the filter that is named is there");
            filters.insert(at, value.clone());
        }
        other => panic!("{other:?} is unknown here"),
    }
}

/// The listener that the entry matches: by port, or the one for what comes in.
fn listener<'a>(parts: &'a mut Parts, entry: &Value) -> &'a mut Value {
    let is_inbound = entry["match"]["context"] == "SIDECAR_INBOUND";
    let port = &entry["match"]["listener"]["portNumber"];
    let found = parts.listeners.iter_mut().find(|it| match is_inbound {
        true => it["name"] == super::base::INBOUND_LISTENER,
        false => it["address"]["socket_address"]["port_value"] == *port,
    });
    found.unwrap_or_else(|| panic!("no listener matches {}", entry["match"]))
}

fn manager(listener: &mut Value) -> &mut Value {
    let filters = list(&mut listener["filter_chains"][0]["filters"]);
    filters.iter_mut().find(|it| it["name"] == MANAGER).expect("the listener speaks HTTP")
}

fn filters(listener: &mut Value) -> &mut Vec<Value> {
    list(&mut manager(listener)["typed_config"]["http_filters"])
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("a list")
}

/// As protobuf merges: members of messages one by one, lists at the end.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                merge(old.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(old), Value::Array(new)) => old.extend(new.iter().cloned()),
        (old, new) => *old = new.clone(),
    }
}
