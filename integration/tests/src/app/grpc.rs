//! The gRPC service of a test application: `weft.test.Talk`, whose messages are texts, and reflection.

use super::script::State;
use super::server::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::sync::Arc;
use tokio_stream::{Stream, StreamExt};
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt};
use tower::{ServiceExt, service_fn};

type Texts = std::pin::Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// Whether a request is gRPC.
pub(super) fn is_grpc(request: &Request<Incoming>) -> bool {
    let rest = request.headers().get("content-type").and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

/// Answers a gRPC request.
pub(super) async fn answer(request: Request<Incoming>, state: Arc<State>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let mut codec = Grpc::new(ProstCodec::<String, String>::default());
    let answer = match path.strip_prefix("/weft.test.Talk/") {
        Some("Say") => codec.unary(service_fn(say), request).await,
        Some("Give") => codec.unary(service_fn(give), request).await,
        Some("Break") => codec.server_streaming(service_fn(break_off), request).await,
        Some("Fail") => codec.unary(service_fn(fail), request).await,
        Some("Count") => codec.server_streaming(service_fn(count), request).await,
        Some("Join") => codec.client_streaming(service_fn(join), request).await,
        Some("Chat") => codec.streaming(service_fn(chat), request).await,
        Some("Hang") => codec.unary(service_fn(move |_| hang(Arc::clone(&state))), request).await,
        Some(_) => Status::unimplemented("no such method").into_http(),
        None => reflect(request).await,
    };
    answer.map(|body: tonic::body::Body| body.map_err(std::io::Error::other).boxed_unsync())
}

/// Gives the request back, and as metadata what came as `x-echo`.
async fn say(request: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    let echo = request.metadata().get("x-echo").cloned();
    let mut response = tonic::Response::new(request.into_inner());
    if let Some(echo) = echo {
        response.metadata_mut().insert("x-echo", echo);
    }
    Ok(response)
}

/// Fails with all that a status can hold.
async fn fail(request: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    let mut details = ErrorDetails::new();
    details.set_error_info("OUT_OF_STOCK", "weft.test", [("item".to_owned(), request.into_inner())]);
    details.set_bad_request(vec![tonic_types::FieldViolation::new("item", "is not there")]);
    let mut status = Status::with_error_details(tonic::Code::FailedPrecondition, "none left: 0 % \u{e9}", details);
    status.metadata_mut().insert("x-trailer", "kept".parse().expect("a value"));
    Err(status)
}

/// Gives the status whose number the request is, and nothing before.
async fn give(request: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    Err(Status::new(status_of(&request)?, "as asked"))
}

/// Gives a text, then in the trailers the status whose number the request is.
async fn break_off(request: tonic::Request<String>) -> Result<tonic::Response<Texts>, Status> {
    let end = Status::new(status_of(&request)?, "as asked");
    Ok(tonic::Response::new(Box::pin(tokio_stream::iter([Ok("text".to_owned()), Err(end)]))))
}

fn status_of(request: &tonic::Request<String>) -> Result<tonic::Code, Status> {
    request.get_ref().parse().map(tonic::Code::from_i32).map_err(|_| Status::invalid_argument("no number"))
}

/// As many texts as the request says.
async fn count(request: tonic::Request<String>) -> Result<tonic::Response<Texts>, Status> {
    let end: u32 = request.into_inner().parse().map_err(|_| Status::invalid_argument("no number"))?;
    let texts: Texts = Box::pin(tokio_stream::iter(0..end).map(|number| Ok(number.to_string())));
    Ok(tonic::Response::new(texts))
}

/// All texts of the request as one.
async fn join(request: tonic::Request<Streaming<String>>) -> Result<tonic::Response<String>, Status> {
    let texts: Result<Vec<String>, Status> = request.into_inner().collect().await;
    Ok(tonic::Response::new(texts?.join(",")))
}

/// Each text as it comes.
async fn chat(request: tonic::Request<Streaming<String>>) -> Result<tonic::Response<Texts>, Status> {
    Ok(tonic::Response::new(Box::pin(request.into_inner())))
}

/// Never answers, and tells when nobody waits any more.
async fn hang(state: Arc<State>) -> Result<tonic::Response<String>, Status> {
    let _end = Left(state);
    std::future::pending().await
}

struct Left(Arc<State>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.left();
    }
}

async fn reflect(request: Request<Incoming>) -> Response<tonic::body::Body> {
    let service = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("a service of published descriptors");
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
