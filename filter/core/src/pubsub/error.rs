//! Dapr's errors for publishing (`dapr-api` 2.6).

use crate::error::{DaprError, Detail};

#[inline(never)]
pub(super) fn not_found(pubsub: &str) -> DaprError {
    bare(404, "ERR_PUBSUB_NOT_FOUND", format!("pubsub {pubsub} is not found"), "DAPR_PUBSUB_NOT_FOUND")
}

#[inline(never)]
pub(super) fn empty_name() -> DaprError {
    rich("", 404, "ERR_PUBSUB_EMPTY", "pubsub name is empty".to_owned(), "DAPR_PUBSUB_NAME_EMPTY")
}

#[inline(never)]
pub(super) fn empty_topic(pubsub: &str) -> DaprError {
    let message = format!("topic is empty in pubsub {pubsub}");
    rich(pubsub, 404, "ERR_TOPIC_NAME_EMPTY", message, "DAPR_PUBSUB_TOPIC_NAME_EMPTY")
}

#[inline(never)]
pub(super) fn forbidden(pubsub: &str, topic: &str, app_id: &str) -> DaprError {
    let message = format!("topic {topic} is not allowed for app id {app_id}");
    rich(pubsub, 403, "ERR_PUBSUB_FORBIDDEN", message, "DAPR_PUBSUB_FORBIDDEN")
}

#[inline(never)]
pub(super) fn broker_failed(pubsub: &str, topic: &str, why: &str) -> DaprError {
    let message = format!("error when publishing to topic {topic} in pubsub {pubsub}: {why}");
    rich(pubsub, 500, "ERR_PUBSUB_PUBLISH_MESSAGE", message, "DAPR_PUBSUB_PUBLISH_MESSAGE")
}

#[inline(never)]
pub(super) fn bad_metadata(pubsub: &str, why: &str) -> DaprError {
    let message = format!("failed deserializing metadata. Error: {why}");
    rich(pubsub, 400, "ERR_PUBSUB_REQUEST_METADATA", message, "DAPR_PUBSUB_METADATA_DESERIALIZATION")
}

/// daprd's message says nothing more; the reason goes to the log.
#[inline(never)]
pub(super) fn bad_cloud_event(pubsub: &str) -> DaprError {
    let message = "cannot create cloudevent".to_owned();
    rich(pubsub, 500, "ERR_PUBSUB_CLOUD_EVENTS_SER", message, "DAPR_PUBSUB_CLOUD_EVENT_CREATION")
}

/// The body of a bulk publish is no array of entries.
#[inline(never)]
pub(super) fn unreadable_entries(pubsub: &str, topic: &str, why: &str) -> DaprError {
    let message = format!("error when unmarshaling the request for topic {topic} pubsub {pubsub}: {why}");
    rich(pubsub, 400, "ERR_PUBSUB_EVENTS_SER", message, "DAPR_PUBSUB_UNMARSHAL_EVENTS")
}

/// An entry of a bulk publish cannot be published as it is.
#[inline(never)]
pub(super) fn bad_entry(pubsub: &str, topic: &str, why: &str) -> DaprError {
    let message = format!("error when marshaling events for topic {topic} pubsub {pubsub}: {why}");
    rich(pubsub, 400, "ERR_PUBSUB_EVENTS_SER", message, "DAPR_PUBSUB_MARSHAL_EVENTS")
}

fn bare(status: u16, code: &'static str, message: String, reason: &'static str) -> DaprError {
    DaprError::new(status, code, message).with(Detail::ErrorInfo { reason, metadata: Vec::new() })
}

fn rich(pubsub: &str, status: u16, code: &'static str, message: String, reason: &'static str) -> DaprError {
    let resource = Detail::ResourceInfo {
        resource_type: "pubsub",
        resource_name: pubsub.to_owned(),
        owner: String::new(),
        description: message.clone(),
    };
    bare(status, code, message, reason).with(resource)
}
