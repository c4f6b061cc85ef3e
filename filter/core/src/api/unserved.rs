//! Dapr's own answers for APIs that are not configured or not served.

use super::{Route, UnservedApi};
use crate::error::{DaprError, Detail};
use crate::http::Reply;

/// The answer for an API that this module does not serve, in the words that daprd uses when the API is not set up.
pub fn unserved(api: UnservedApi, name: &str) -> Reply {
    let (status, code, message) = match api {
        UnservedApi::Bindings => {
            let message = format!("error invoking output binding {name}: couldn't find output binding {name}");
            (500, "ERR_INVOKE_OUTPUT_BINDING", message)
        }
        UnservedApi::Secrets => (500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured".to_owned()),
        UnservedApi::Configuration => {
            (500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured".to_owned())
        }
        UnservedApi::Lock => (500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured".to_owned()),
        UnservedApi::Actors => {
            (400, "ERR_ACTOR_NO_PLACEMENT", "actors are not served by Weft: there is no placement service".to_owned())
        }
        UnservedApi::Jobs => (500, "DAPR_SCHEDULER_SCHEDULE_JOB", no_part("jobs", "scheduler")),
        UnservedApi::Workflows => (500, "ERR_START_WORKFLOW", no_part("workflows", "workflow engine")),
        UnservedApi::Crypto => {
            (500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured".to_owned())
        }
        UnservedApi::Conversation => {
            (500, "ERR_CONVERSATION_NOT_FOUND", format!("conversation component {name} is not configured"))
        }
        UnservedApi::Shutdown => (
            501,
            "ERR_NOT_SUPPORTED",
            "Weft lives in the proxy and ends with it; it cannot be shut down alone".to_owned(),
        ),
        UnservedApi::SetMetadata => {
            (501, "ERR_NOT_SUPPORTED", format!("metadata attribute {name} cannot be set: Weft keeps none"))
        }
    };
    DaprError::new(status, code, message).reply()
}

fn no_part(api: &str, part: &str) -> String {
    format!("{api} are not served by Weft: there is no {part}")
}

/// No state store is configured at all.
#[inline(never)]
pub fn no_stores(store: &str) -> DaprError {
    let message = format!("state store {store} is not configured");
    let error = DaprError::new(500, "ERR_STATE_STORE_NOT_CONFIGURED", message);
    error.with(Detail::ErrorInfo { reason: "DAPR_STATE_NOT_CONFIGURED", metadata: Vec::new() })
}

/// No broker is configured at all.
#[inline(never)]
pub fn no_brokers(pubsub: &str) -> DaprError {
    let error = DaprError::new(400, "ERR_PUBSUB_NOT_CONFIGURED", format!("pubsub {pubsub} is not configured"));
    error.with(Detail::ErrorInfo { reason: "DAPR_PUBSUB_NOT_CONFIGURED", metadata: Vec::new() })
}

impl Route {
    /// Whether the answer depends on the request's body.
    pub fn needs_body(&self) -> bool {
        matches!(
            self,
            Self::StateSave { .. }
                | Self::StateBulk { .. }
                | Self::StateTransaction { .. }
                | Self::StateQuery { .. }
                | Self::Publish { .. }
                | Self::PublishBulk { .. }
        )
    }
}

/// Dapr's error for a body above `limit` bytes, which differs from API to API.
#[inline(never)]
pub fn body_too_large(route: &Route, limit: usize) -> Reply {
    let why = format!("the body is larger than {limit} bytes, the plugin configuration's limits.maxBodyBytes");
    match route {
        Route::Publish { pubsub, topic } => {
            let message = format!("error when publishing to topic {topic} in pubsub {pubsub}: {why}");
            DaprError::new(500, "ERR_PUBSUB_PUBLISH_MESSAGE", message)
        }
        Route::PublishBulk { pubsub, topic } => {
            let message = format!("error when unmarshaling the request for topic {topic} pubsub {pubsub}: {why}");
            DaprError::new(400, "ERR_PUBSUB_EVENTS_SER", message)
        }
        _ => DaprError::new(400, "ERR_MALFORMED_REQUEST", why),
    }
    .reply()
}
