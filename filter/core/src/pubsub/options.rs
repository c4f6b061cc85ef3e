//! What the metadata of a publish call asks of this block (`dapr-api` 2.2).

use crate::api::query::find;
use crate::duration::parse_go_duration;
use std::collections::BTreeMap;
use std::time::Duration;

/// Metadata of a publish call or of a subscription.
pub(crate) type Metadata = BTreeMap<String, String>;

/// Whether the event travels without an envelope. The name is matched with regard to case, as in daprd.
///
/// # Errors
/// The value is no boolean; the text is daprd's.
pub(crate) fn raw_payload(metadata: &Metadata) -> Result<bool, String> {
    match metadata.get("rawPayload") {
        None => Ok(false),
        Some(text) => {
            parse_go_bool(text).ok_or_else(|| format!("rawPayload value must be a valid boolean: actual is '{text}'"))
        }
    }
}

fn parse_go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// How long the event may wait: `ttlInSeconds`, else `ttl`, as a Go duration or as whole seconds above 0. Zero for
/// an event that expires at once; `None` if not given or unreadable.
pub(crate) fn ttl(metadata: &Metadata) -> Option<Duration> {
    let text = find(metadata, "ttlInSeconds").or_else(|| find(metadata, "ttl"))?;
    match parse_go_duration(text) {
        Some(nanos) => Some(u64::try_from(nanos).map_or(Duration::ZERO, Duration::from_nanos)),
        None => text.parse::<u64>().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs),
    }
}

/// The value that `cloudevent.<attribute>` gives to an attribute of the envelope; empty ones give none.
pub(crate) fn cloud_event<'a>(metadata: &'a Metadata, attribute: &str) -> Option<&'a str> {
    let matches = |key: &str| {
        let parts = key.split_at_checked("cloudevent.".len());
        parts.is_some_and(|(prefix, name)| {
            prefix.eq_ignore_ascii_case("cloudevent.") && name.eq_ignore_ascii_case(attribute)
        })
    };
    metadata.iter().find(|(key, value)| !value.is_empty() && matches(key)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(name: &str, value: &str) -> Metadata {
        Metadata::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn raw_payload_takes_gos_booleans_and_nothing_else() {
        assert_eq!(raw_payload(&Metadata::new()), Ok(false));
        for (text, raw) in [("true", true), ("T", true), ("1", true), ("False", false), ("0", false)] {
            assert_eq!(raw_payload(&metadata("rawPayload", text)), Ok(raw), "{text}");
        }
        for text in ["", "yes", "tRUE", " true"] {
            let error = raw_payload(&metadata("rawPayload", text)).unwrap_err();
            assert_eq!(error, format!("rawPayload value must be a valid boolean: actual is '{text}'"));
        }
        assert_eq!(raw_payload(&metadata("rawpayload", "x")), Ok(false), "another case is another key");
    }

    #[test]
    fn a_ttl_is_a_go_duration_or_whole_seconds() {
        for (text, time) in [
            ("10", Some(Duration::from_secs(10))),
            ("1m", Some(Duration::from_secs(60))),
            ("0s", Some(Duration::ZERO)),
            ("0", Some(Duration::ZERO)),
            ("-1h", Some(Duration::ZERO)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(ttl(&metadata("TTLinSeconds", text)), time, "{text}");
            assert_eq!(ttl(&metadata("Ttl", text)), time, "{text}");
        }
    }

    #[test]
    fn an_override_is_found_whatever_its_case() {
        assert_eq!(cloud_event(&metadata("CloudEvent.ID", "x"), "id"), Some("x"));
        assert_eq!(cloud_event(&metadata("cloudevent.id", ""), "id"), None);
        assert_eq!(cloud_event(&metadata("cloudevent.idea", "x"), "id"), None);
        assert_eq!(cloud_event(&metadata("id", "x"), "id"), None);
        assert_eq!(cloud_event(&metadata("cloudevént.id", "x"), "id"), None);
    }
}
