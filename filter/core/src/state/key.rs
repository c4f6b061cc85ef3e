//! What stands before an application's key in the store (`dapr-api` 3.4).

use crate::components;
use crate::config::{Component, PluginConfig};

/// Between the prefix and the key; so neither may hold it.
pub(super) const SEPARATOR: &str = "||";

/// A `keyPrefix` that holds the separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IllegalPrefix;

/// The prefix of a store's keys, with its separator; empty for the strategy `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    /// From the metadata `keyPrefix` of the store: `appid` (also if absent), `namespace`, `name`, `none`, or any other
    /// text, which is the prefix itself, its ASCII letters in lower case.
    ///
    /// # Errors
    /// The text holds `||`.
    #[inline(never)]
    pub(super) fn read(component: &Component, config: &PluginConfig) -> Result<Self, IllegalPrefix> {
        let strategy = components::metadata(component, "keyPrefix").unwrap_or_default().to_ascii_lowercase();
        let prefix = match strategy.as_str() {
            "none" => return Ok(Self(String::new())),
            "" | "appid" => config.app_id.clone(),
            "namespace" => [&config.namespace, ".", &config.app_id].concat(),
            "name" => component.name.clone(),
            text if text.contains(SEPARATOR) => return Err(IllegalPrefix),
            _ => strategy,
        };
        Ok(Self(prefix + SEPARATOR))
    }

    /// The key as the store knows it.
    pub(super) fn full(&self, key: &str) -> String {
        [&self.0, key].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn full(metadata: serde_json::Value) -> Result<String, IllegalPrefix> {
        let component = json!({"name": "Store", "type": "state.x", "metadata": metadata});
        let config = json!({"version": 1, "appId": "Orders", "namespace": "shop", "components": [component]});
        let config = PluginConfig::read(config.to_string().as_bytes()).unwrap();
        Prefix::read(&config.components[0], &config).map(|prefix| prefix.full("K"))
    }

    #[test]
    fn each_strategy_gives_daprs_key() {
        for (strategy, key) in [
            ("", "Orders||K"),
            ("appid", "Orders||K"),
            ("AppId", "Orders||K"),
            ("name", "Store||K"),
            ("namespace", "shop.Orders||K"),
            ("None", "K"),
            ("My Prefix", "my prefix||K"),
            ("a|b", "a|b||K"),
            // `weft` puts others into lower case; here their table would take 16 KiB.
            ("GrÖße", "grÖße||K"),
        ] {
            assert_eq!(full(json!({"keyPrefix": strategy})).as_deref(), Ok(key), "{strategy}");
        }
        assert_eq!(full(json!({})).as_deref(), Ok("Orders||K"));
        assert_eq!(full(json!({"KEYPREFIX": "name"})).as_deref(), Ok("Store||K"));
    }

    #[test]
    fn a_prefix_with_the_separator_is_refused() {
        assert_eq!(full(json!({"keyPrefix": "A||b"})), Err(IllegalPrefix));
    }
}
