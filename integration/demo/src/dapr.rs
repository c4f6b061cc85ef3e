//! Dapr's HTTP API, as any application uses it.

use serde_json::{Value, json};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The store and the broker, by the names of the resources.
const STORE: &str = "statestore";
const BROKER: &str = "pubsub";
/// What an application waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of the API at `DAPR_HTTP_PORT`.
#[derive(Debug, Clone)]
pub struct Dapr {
    agent: Agent,
    base: String,
}

/// A stored value.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The value, null if there is none.
    pub value: Value,
    /// Its etag, absent if there is no value.
    pub etag: Option<String>,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, null if it is no JSON.
    pub body: Value,
    /// The header `traceparent`, empty if it is absent.
    pub trace: String,
}

impl Dapr {
    /// The API that the environment names.
    ///
    /// # Errors
    /// It names none.
    pub fn from_environment() -> Result<Self, String> {
        let port =
            std::env::var("DAPR_HTTP_PORT").map_err(|_| "DAPR_HTTP_PORT is not set: start this by `weft run`")?;
        Ok(Self::at(&port))
    }

    /// The API at this port of 127.0.0.1.
    pub fn at(port: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).proxy(None);
        Self { agent: config.build().into(), base: format!("http://127.0.0.1:{port}") }
    }

    /// Calls another application by its name.
    ///
    /// # Errors
    /// Nothing answered.
    pub fn invoke(&self, app: &str, path: &str, body: &Value, trace: &str) -> Result<Answer, String> {
        self.post(&format!("/v1.0/invoke/{app}/method{path}"), body, trace)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// Nothing answered.
    pub fn read(&self, key: &str) -> Result<Stored, String> {
        let answer = self.agent.get(format!("{}/v1.0/state/{STORE}/{key}", self.base)).call().map_err(text)?;
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(Stored { value: read(answer)?.body, etag })
    }

    /// Writes a value if nobody else has written it since it was read; `false` if somebody has.
    ///
    /// # Errors
    /// Nothing answered, or the store does not work.
    pub fn write(&self, key: &str, value: &Value, etag: Option<&str>) -> Result<bool, String> {
        let options = json!({"concurrency": "first-write"});
        let item = json!([{"key": key, "value": value, "etag": etag, "options": options}]);
        let answer = self.post(&format!("/v1.0/state/{STORE}"), &item, "")?;
        match answer.status {
            204 => Ok(true),
            409 => Ok(false),
            status => Err(format!("saving {key}: {status} {}", answer.body)),
        }
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// Nothing answered, or the broker does not work.
    pub fn publish(&self, topic: &str, data: &Value, trace: &str) -> Result<(), String> {
        let answer = self.post(&format!("/v1.0/publish/{BROKER}/{topic}"), data, trace)?;
        if answer.status == 204 { Ok(()) } else { Err(format!("publishing: {} {}", answer.status, answer.body)) }
    }

    /// Reads any path as JSON.
    ///
    /// # Errors
    /// Nothing answered.
    pub fn get(&self, path: &str) -> Result<Answer, String> {
        read(self.agent.get(format!("{}{path}", self.base)).call().map_err(text)?)
    }

    fn post(&self, path: &str, body: &Value, trace: &str) -> Result<Answer, String> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        if !trace.is_empty() {
            request = request.header("traceparent", trace);
        }
        read(request.send(body.to_string()).map_err(text)?)
    }
}

fn read(mut answer: Response<Body>) -> Result<Answer, String> {
    let trace =
        answer.headers().get("traceparent").and_then(|trace| trace.to_str().ok()).unwrap_or_default().to_owned();
    let bytes = answer.body_mut().read_to_vec().map_err(text)?;
    Ok(Answer { status: answer.status().as_u16(), body: serde_json::from_slice(&bytes).unwrap_or_default(), trace })
}

fn text(error: ureq::Error) -> String {
    error.to_string()
}
