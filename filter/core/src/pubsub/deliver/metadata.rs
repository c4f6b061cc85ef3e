//! A message's metadata as header fields of its delivery.

use super::super::options::Metadata;
use crate::http::Headers;

/// Fields of the connection, and those that this block sets itself.
const TAKEN: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "pubsubname",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a publisher must not say: Envoy's router obeys `x-envoy-…`, and the application trusts `dapr-…`.
const RESERVED: &[&str] = &["x-envoy-", "x-weft-", "dapr-"];

/// Appends each entry whose name and value a header may hold, in lower case. Others are left out: metadata is the
/// publisher's and may be anything.
pub(super) fn push(headers: &mut Headers, metadata: &Metadata) {
    for (name, value) in metadata {
        if is_token(name) && is_field_value(value) {
            let name = name.to_ascii_lowercase();
            if !TAKEN.contains(&&*name) && !RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
                headers.push(&name, value.as_bytes());
            }
        }
    }
}

/// RFC 9110, 5.6.2. A pseudo header's `:` is no part of it.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_field_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_lower_case_headers_and_the_rest_is_left_out() {
        let entries = [
            ("ttlInSeconds", "10"),
            ("partitionKey", "é"),
            ("Content-Length", "1"),
            ("content-type", "x"),
            (":path", "/admin"),
            ("transfer-encoding", "chunked"),
            ("x-envoy-upstream-rq-timeout-ms", "1"),
            ("dapr-caller-app-id", "admin"),
            ("pubsubName", "other"),
            ("traceparent", "x"),
            ("two words", "x"),
            ("", "x"),
            ("line", "a\r\nb: c"),
            ("nul", "\0"),
        ];
        let metadata = entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut headers = Headers::new();
        push(&mut headers, &metadata);
        assert_eq!(headers, Headers::new().with("partitionkey", "é").with("ttlinseconds", "10"));
    }
}
