//! The query of a request: Dapr's `metadata.*` and single parameters (`dapr-api` 0.3).

use super::path;
use std::collections::BTreeMap;

/// The parameters `metadata.<key>` without that prefix; of a repeated one the first. Parameters that are not UTF-8
/// are left out.
pub fn metadata(query: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in pairs(query) {
        if let Some(key) = name.strip_prefix("metadata.") {
            found.entry(key.to_owned()).or_insert(value);
        }
    }
    found
}

/// A value of a request's metadata; the name without regard to case.
pub fn find<'a>(metadata: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The first value of a parameter.
pub fn parameter(query: &str, wanted: &str) -> Option<String> {
    pairs(query).find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((path::parameter(name)?, path::parameter(value)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_keeps_the_first_of_each_key_and_decodes_both() {
        let found = metadata("a=b&metadata.ttl=5&metadata.ttl=6&metadata.a%20b=c+d&Metadata.x=1&metadata.e");
        let expected = [("a b", "c d"), ("e", ""), ("ttl", "5")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
        assert!(metadata("").is_empty());
    }

    #[test]
    fn a_parameter_is_found_by_its_exact_name() {
        assert_eq!(parameter("x=1&concurrency=first-write", "concurrency").as_deref(), Some("first-write"));
        assert_eq!(parameter("Concurrency=1", "concurrency"), None);
        assert_eq!(parameter("metadata.%ff=1&c=%ff&c=2", "c").as_deref(), Some("2"));
    }
}
