//! A message's metadata as header fields of its delivery.

use super::super::options::Metadata;

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

/// Bytes of all fields together. Node takes 16 KiB of headers; an event that no application can take would be delivered
/// again for ever, and keep those behind it waiting.
const MOST: usize = 8 * 1024;

/// Each entry whose name and value a header may hold, in lower case, as far as there is room. Others are left out:
/// metadata is the publisher's and may be anything.
pub(super) fn fields(metadata: &Metadata) -> Vec<(String, &str)> {
    let mut room = MOST;
    let mut fields = Vec::new();
    for (name, value) in metadata {
        let left = room.checked_sub(name.len() + value.len());
        if let Some(left) = left.filter(|_| is_token(name) && is_field_value(value)) {
            let name = name.to_ascii_lowercase();
            if is_free(&name) {
                room = left;
                fields.push((name, value.as_str()));
            }
        }
    }
    fields
}

fn is_free(name: &str) -> bool {
    !TAKEN.contains(&name) && !RESERVED.iter().any(|prefix| name.starts_with(prefix))
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
        let wanted = [("partitionkey".to_owned(), "é"), ("ttlinseconds".to_owned(), "10")];
        assert_eq!(fields(&metadata), wanted);
    }
    #[test]
    fn what_would_make_the_header_too_large_is_left_out() {
        let (long, most) = ("x".repeat(MOST), "y".repeat(MOST - 9));
        let entries = [("a", "1"), ("b", &long), ("c", &most), ("d", "12"), ("e", "12345"), ("f", "")];
        let metadata = entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let names: Vec<_> = fields(&metadata).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "c", "d", "f"]);
    }
}
