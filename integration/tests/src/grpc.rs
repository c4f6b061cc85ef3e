//! A gRPC client of the service that every test application has.

use crate::runtime::runtime;
use std::time::Duration;
use tokio_stream::{Stream, StreamExt};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Calls of `weft.test.Talk`, each with the same metadata.
#[derive(Debug, Clone)]
pub struct Talk {
    channel: Channel,
    metadata: Vec<(AsciiMetadataKey, AsciiMetadataValue)>,
    timeout: Option<Duration>,
}

impl Talk {
    /// At `address`, `host:port`.
    ///
    /// # Panics
    /// If it is no address.
    #[must_use]
    pub fn at(address: &str) -> Self {
        let _inside = runtime().enter();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { channel: endpoint.connect_lazy(), metadata: Vec::new(), timeout: None }
    }

    /// Adds metadata to every call.
    ///
    /// # Panics
    /// If it cannot be metadata.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.parse().expect("a name"), value.parse().expect("a value")));
        self
    }

    /// Gives every call a deadline.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The connection, for other services.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request of any kind with the metadata.
    #[must_use]
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.metadata {
            request.metadata_mut().append(name.clone(), value.clone());
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        request
    }

    async fn grpc(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel());
        grpc.ready().await.map_err(|error| Status::unavailable(format!("no connection: {error}")))?;
        Ok(grpc)
    }

    /// One message there, one back, by the method of this path.
    ///
    /// # Errors
    /// The call's status.
    pub async fn unary(&self, path: &str, message: &str) -> Result<Response<String>, Status> {
        self.grpc().await?.unary(self.request(message.to_owned()), method(path), codec()).await
    }

    /// `Count`: texts come back.
    ///
    /// # Errors
    /// The call's status.
    pub async fn count(&self, end: u32) -> Result<Vec<String>, Status> {
        let request = self.request(end.to_string());
        let answer = self.grpc().await?.server_streaming(request, method("/weft.test.Talk/Count"), codec()).await?;
        answer.into_inner().collect().await
    }

    /// `Break`: a text comes back, then a status; gives that.
    ///
    /// # Panics
    /// If anything else comes.
    pub async fn broken_off(&self, status: Code) -> Status {
        let request = self.request((status as i32).to_string());
        let mut grpc = self.grpc().await.expect("a connection");
        let answer = grpc.server_streaming(request, method("/weft.test.Talk/Break"), codec()).await;
        let mut texts: Streaming<String> = answer.expect("a text first").into_inner();
        assert!(matches!(texts.message().await, Ok(Some(_))));
        texts.message().await.expect_err("a status in the trailers")
    }

    /// `Join`: texts go there, one comes back.
    ///
    /// # Errors
    /// The call's status.
    pub async fn join(&self, texts: &[&str]) -> Result<String, Status> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let request = self.request(tokio_stream::iter(texts));
        let answer = self.grpc().await?.client_streaming(request, method("/weft.test.Talk/Join"), codec()).await?;
        Ok(answer.into_inner())
    }

    /// `Chat`: each text comes back at once.
    ///
    /// # Errors
    /// The call's status.
    pub async fn chat(&self, texts: impl Stream<Item = String> + Send + 'static) -> Result<Streaming<String>, Status> {
        let request = self.request(texts);
        Ok(self.grpc().await?.streaming(request, method("/weft.test.Talk/Chat"), codec()).await?.into_inner())
    }
}

fn method(path: &str) -> PathAndQuery {
    path.parse().expect("a method's path")
}

fn codec() -> ProstCodec<String, String> {
    ProstCodec::default()
}
