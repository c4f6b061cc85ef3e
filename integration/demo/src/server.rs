//! An HTTP server of a few lines, for the three applications.

use crate::journal::Journal;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::Arc;
use tiny_http::{Header, Method, Response, Server};

/// The largest body that an application reads.
const LARGEST: u64 = 1024 * 1024;

/// A request.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: Method,
    /// The path without query.
    pub path: String,
    /// The body, null if it is no JSON.
    pub body: Value,
    headers: Vec<Header>,
}

impl Request {
    /// A header, empty if it is absent.
    pub fn header(&self, name: &'static str) -> &str {
        self.headers
            .iter()
            .find(|header| header.field.equiv(name))
            .map(|header| header.value.as_str())
            .unwrap_or_default()
    }

    /// The trace that the request belongs to; an application hands it on with whatever it does for the request.
    pub fn trace(&self) -> &str {
        self.header("traceparent")
    }
}

/// An answer: status and JSON body.
pub type Answer = (u16, Value);

/// Serves `APP_PORT` until the process is ended. `GET /journal` gives the journal.
///
/// # Errors
/// There is no such port, or it is taken.
pub fn serve(journal: Arc<Journal>, handle: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<(), String> {
    let port = std::env::var("APP_PORT").map_err(|_| "APP_PORT is not set: start this by `weft run`")?;
    let server = Server::http(format!("127.0.0.1:{port}")).map_err(|error| format!("port {port}: {error}"))?;
    let handle = Arc::new(handle);
    for mut incoming in server.incoming_requests() {
        let (handle, journal) = (Arc::clone(&handle), Arc::clone(&journal));
        std::thread::spawn(move || {
            let request = read(&mut incoming);
            let (status, body) = match (&request.method, request.path.as_str()) {
                (Method::Get, "/journal") => (200, journal.all()),
                _ => handle(&request),
            };
            let response = Response::from_string(body.to_string()).with_status_code(status);
            let json = "content-type: application/json".parse::<Header>();
            // Who asked may have left.
            let _ = incoming.respond(match json {
                Ok(header) => response.with_header(header),
                Err(()) => response,
            });
        });
    }
    Ok(())
}

fn read(incoming: &mut tiny_http::Request) -> Request {
    let mut bytes = Vec::new();
    // A body that breaks off is no JSON either.
    let _ = incoming.as_reader().take(LARGEST).read_to_end(&mut bytes);
    Request {
        method: incoming.method().clone(),
        path: incoming.url().split('?').next().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        headers: incoming.headers().to_vec(),
    }
}

/// The answer to a path that an application does not have.
pub fn not_found() -> Answer {
    (404, json!({"error": "no such path"}))
}
