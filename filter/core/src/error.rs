//! The body of Dapr's errors (`dapr-api` 0.3).

use crate::http::Reply;
use crate::json::write_string;

/// Longest message and description, in bytes; longer ones are cut.
pub const MAX_MESSAGE: usize = 2048;

/// One of the objects in an error's `details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// `google.rpc.ErrorInfo` of the domain `dapr.io`.
    ErrorInfo {
        /// Stable name of the error, such as `DAPR_PUBSUB_FORBIDDEN`.
        reason: &'static str,
        /// What it is about; names in bytewise order.
        metadata: Vec<(&'static str, String)>,
    },
    /// `google.rpc.ResourceInfo`.
    ResourceInfo {
        /// Kind of resource, such as `pubsub`.
        resource_type: &'static str,
        /// Its name.
        resource_name: String,
        /// Its owner; usually empty.
        owner: String,
        /// What is wrong with it.
        description: String,
    },
    /// `google.rpc.BadRequest`: fields, and what is wrong with each.
    BadRequest(Vec<(String, String)>),
    /// `google.rpc.Help`: descriptions, and a URL for each.
    Help(Vec<(String, String)>),
}

/// An error in Dapr's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaprError {
    /// HTTP status.
    pub status: u16,
    /// Stable `errorCode`.
    pub code: &'static str,
    /// What happened, for people. Without secrets.
    pub message: String,
    /// Rich details; left out of the body if empty.
    pub details: Vec<Detail>,
}

impl DaprError {
    /// An error without details.
    pub fn new(status: u16, code: &'static str, message: String) -> Self {
        Self { status, code, message, details: Vec::new() }
    }

    /// Appends a detail.
    #[must_use]
    pub fn with(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    /// The answer with this error as its JSON body.
    #[inline(never)]
    pub fn reply(&self) -> Reply {
        let mut out = Vec::with_capacity(128 + self.message.len());
        out.extend_from_slice(b"{\"errorCode\":");
        write_string(&mut out, self.code);
        member(&mut out, "message", &self.message);
        if !self.details.is_empty() {
            out.extend_from_slice(b",\"details\":");
            list(&mut out, &self.details, Detail::write);
        }
        out.push(b'}');
        Reply::json(self.status, out)
    }
}

impl Detail {
    #[inline(never)]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::ErrorInfo { reason, metadata } => {
                begin(out, "ErrorInfo");
                member(out, "domain", "dapr.io");
                out.extend_from_slice(b",\"metadata\":");
                write_metadata(out, metadata);
                member(out, "reason", reason);
            }
            Self::ResourceInfo { resource_type, resource_name, owner, description } => {
                begin(out, "ResourceInfo");
                member(out, "description", description);
                member(out, "owner", owner);
                member(out, "resource_name", resource_name);
                member(out, "resource_type", resource_type);
            }
            Self::BadRequest(violations) => {
                begin(out, "BadRequest");
                out.extend_from_slice(b",\"field_violations\":");
                list(out, violations, |(field, what), out| pair(out, ("description", what), ("field", field)));
            }
            Self::Help(links) => {
                begin(out, "Help");
                out.extend_from_slice(b",\"links\":");
                list(out, links, |(what, url), out| pair(out, ("description", what), ("url", url)));
            }
        }
        out.push(b'}');
    }
}

fn begin(out: &mut Vec<u8>, kind: &str) {
    out.extend_from_slice(b"{\"@type\":\"type.googleapis.com/google.rpc.");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
    write_string(out, bounded(value));
}

fn pair(out: &mut Vec<u8>, first: (&str, &str), second: (&str, &str)) {
    out.push(b'{');
    write_string(out, first.0);
    out.push(b':');
    write_string(out, bounded(first.1));
    member(out, second.0, second.1);
    out.push(b'}');
}

fn write_metadata(out: &mut Vec<u8>, metadata: &[(&'static str, String)]) {
    let mut separator = b'{';
    for (name, value) in metadata {
        out.push(separator);
        write_string(out, name);
        out.push(b':');
        write_string(out, bounded(value));
        separator = b',';
    }
    out.extend_from_slice(if metadata.is_empty() { b"null" } else { b"}" });
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// The text, or as much of it as [`MAX_MESSAGE`] allows.
fn bounded(text: &str) -> &str {
    if text.len() <= MAX_MESSAGE {
        return text;
    }
    text.get(..text.floor_char_boundary(MAX_MESSAGE)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(error: &DaprError) -> Value {
        serde_json::from_slice(&error.reply().body).unwrap()
    }

    #[test]
    fn an_error_without_details_has_code_and_message_only() {
        let reply = DaprError::new(404, "ERR_X", "nothing \"here\" <b>".to_owned()).reply();
        assert_eq!(reply.status, 404);
        assert_eq!(reply.headers.text("content-type"), Some("application/json"));
        assert_eq!(reply.body, br#"{"errorCode":"ERR_X","message":"nothing \"here\" \u003cb\u003e"}"#);
    }

    #[test]
    fn every_kind_of_detail_has_its_type_and_members() {
        let metadata = vec![("app", "a".to_owned()), ("topic", "t".to_owned())];
        let error = DaprError::new(403, "ERR_X", "m".to_owned())
            .with(Detail::ErrorInfo { reason: "DAPR_X", metadata })
            .with(Detail::ErrorInfo { reason: "DAPR_Y", metadata: Vec::new() })
            .with(Detail::ResourceInfo {
                resource_type: "pubsub",
                resource_name: "p".to_owned(),
                owner: String::new(),
                description: "m".to_owned(),
            })
            .with(Detail::BadRequest(vec![("f".to_owned(), "wrong".to_owned())]))
            .with(Detail::Help(vec![("docs".to_owned(), "https://docs.dapr.io".to_owned())]));
        let prefix = "type.googleapis.com/google.rpc.";
        let expected = json!([
            {"@type": format!("{prefix}ErrorInfo"), "domain": "dapr.io", "metadata": {"app": "a", "topic": "t"}, "reason": "DAPR_X"},
            {"@type": format!("{prefix}ErrorInfo"), "domain": "dapr.io", "metadata": null, "reason": "DAPR_Y"},
            {"@type": format!("{prefix}ResourceInfo"), "resource_type": "pubsub", "resource_name": "p", "owner": "", "description": "m"},
            {"@type": format!("{prefix}BadRequest"), "field_violations": [{"field": "f", "description": "wrong"}]},
            {"@type": format!("{prefix}Help"), "links": [{"description": "docs", "url": "https://docs.dapr.io"}]},
        ]);
        assert_eq!(body(&error), json!({"errorCode": "ERR_X", "message": "m", "details": expected}));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = DaprError::new(500, "ERR_X", "é".repeat(MAX_MESSAGE) + "x");
        let message = body(&error)["message"].as_str().unwrap().to_owned();
        assert_eq!(message, "é".repeat(MAX_MESSAGE / 2));
    }
}
