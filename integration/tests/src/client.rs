//! An ordinary HTTP client, for requests that are as they should be.

use crate::runtime::{block_on, runtime};
use crate::wait::SOON;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::OnceLock;

type Inner = Client<HttpConnector, BoxBody<Bytes, Infallible>>;

/// A request that is being put together.
#[derive(Debug, Clone)]
#[must_use]
pub struct Call {
    address: String,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
    transport: Transport,
}

/// How a request travels.
#[derive(Debug, Clone, Copy)]
enum Transport {
    /// HTTP/1.1 on a connection of its own, which no other test can have ended.
    Alone,
    /// HTTP/1.1 on any connection that is free, for load.
    Kept,
    /// HTTP/2 without negotiation.
    Http2,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Trailers, if there were any.
    pub trailers: HeaderMap,
}

/// `GET` of `path` at `address` (`host:port`).
pub fn get(address: &str, path: &str) -> Call {
    Call::new(Method::GET, address, path)
}

impl Call {
    /// A request without a body. `path` includes the query.
    pub fn new(method: Method, address: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers: HeaderMap::new(),
            transport: Transport::Alone,
        }
    }

    /// Adds a header; one of the same name stays.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a trailer.
    pub fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.trailers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Sets a JSON body and its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sends it over HTTP/2 without negotiation.
    pub fn http2(mut self) -> Self {
        self.transport = Transport::Http2;
        self
    }

    /// Sends it on a connection that stays open for later requests, as a busy application does.
    pub fn keep_alive(mut self) -> Self {
        self.transport = Transport::Kept;
        self
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Panics
    /// If there is no whole answer within [`SOON`].
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// As [`Call::send`], for a request that may fail.
    ///
    /// # Errors
    /// What kept the answer from coming, in words.
    pub fn try_send(self) -> Result<Answer, String> {
        block_on(self.send_async())
    }

    /// As [`Call::try_send`], inside the runtime.
    ///
    /// # Errors
    /// What kept the answer from coming, in words.
    pub async fn send_async(self) -> Result<Answer, String> {
        let uri = format!("http://{}{}", self.address, self.path);
        let body = match self.trailers {
            none if none.is_empty() => Full::new(self.body).boxed(),
            some => Full::new(self.body).with_trailers(std::future::ready(Some(Ok(some)))).boxed(),
        };
        let mut request = Request::builder()
            .method(self.method)
            .uri(uri)
            .version(self.transport.version())
            .body(body)
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = self.headers;
        let sent = self.transport.client().request(request);
        let whole = async {
            let (head, body) = sent.await.map_err(|error| causes(&error))?.into_parts();
            let body = body.collect().await.map_err(|error| causes(&error))?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), trailers })
        };
        tokio::time::timeout(SOON, whole).await.unwrap_or_else(|_| Err(format!("no whole answer within {SOON:?}")))
    }
}

impl Answer {
    /// A header's first value, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the answer {}: {}", self.status, self.text()))
    }

    /// The answer itself, if it has this status.
    ///
    /// # Panics
    /// If it has another.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Transport {
    fn version(self) -> Version {
        match self {
            Self::Alone | Self::Kept => Version::HTTP_11,
            Self::Http2 => Version::HTTP_2,
        }
    }

    fn client(self) -> &'static Inner {
        static CLIENTS: [OnceLock<Inner>; 3] = [const { OnceLock::new() }; 3];
        let place = match self {
            Self::Alone => &CLIENTS[0],
            Self::Kept => &CLIENTS[1],
            Self::Http2 => &CLIENTS[2],
        };
        place.get_or_init(|| {
            let _inside = runtime().enter();
            let idle = if matches!(self, Self::Kept) { usize::MAX } else { 0 };
            let mut builder = Client::builder(TokioExecutor::new());
            builder.http2_only(matches!(self, Self::Http2)).pool_max_idle_per_host(idle);
            builder.build_http()
        })
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
