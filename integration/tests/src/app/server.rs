//! The server under a test application.

use super::script::{Reply, Script, Seen, State};
use super::{Secure, grpc, stream};
use crate::ports;
use crate::runtime::{block_on, runtime, served};
use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) struct Server(JoinHandle<()>);

impl Server {
    pub(super) fn start(port: u16, state: Arc<State>, secure: Option<Secure>) -> Self {
        let listener = served(ports::listen(port));
        Self(runtime().spawn(accept(listener, state, secure)))
    }

    /// Closes the listener and every connection before it returns.
    pub(super) fn end(self) {
        self.0.abort();
        let ended = block_on(self.0);
        assert!(ended.is_err_and(|error| error.is_cancelled()), "the server runs until it is told to end");
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, secure: Option<Secure>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("connections can be taken");
        socket.set_nodelay(true).expect("a connected socket");
        let (state, secure) = (state.clone(), secure.clone());
        connections.spawn(async move {
            match secure {
                None => serve(socket, state, None).await,
                Some(secure) => {
                    // A client that does not like the certificate is no fault of the application.
                    if let Ok(socket) = secure.accept(socket).await {
                        let name = socket.get_ref().1.server_name().map(ToOwned::to_owned);
                        serve(socket, state, name).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin + 'static, state: Arc<State>, name: Option<String>) {
    let service = service_fn(move |request| {
        let (state, seen) = (state.clone(), head(&request, name.clone()));
        async move { answer(request, seen, &state).await.ok_or(HangUp) }
    });
    // A peer that goes away is no fault of the application.
    let _gone = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
}

/// The application closes the connection in place of an answer.
#[derive(Debug)]
struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script says to hang up")
    }
}

impl std::error::Error for HangUp {}

fn head(request: &Request<Incoming>, server_name: Option<String>) -> Seen {
    let headers = request.headers().iter();
    Seen {
        method: request.method().as_str().to_owned(),
        version: request.version(),
        server_name,
        target: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        headers: headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body: Bytes::new(),
        complete: false,
        at: Instant::now(),
    }
}

async fn answer(request: Request<Incoming>, mut seen: Seen, state: &Arc<State>) -> Option<Response<Body>> {
    if grpc::is_grpc(&request) {
        state.remember(seen);
        return Some(grpc::answer(request, Arc::clone(state)).await);
    }
    let mut body = request.into_body();
    if let Some(script) = state.streamed(seen.path()) {
        state.remember(seen.clone());
        return Some(match script {
            Script::Stream(opener) => stream::open(&opener, seen, body),
            _ => Response::new(body.map_err(std::io::Error::other).boxed_unsync()),
        });
    }
    let mut whole = BytesMut::new();
    seen.complete = loop {
        match body.frame().await {
            Some(Ok(frame)) => whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    seen.body = whole.freeze();
    seen.at = Instant::now();
    state.remember(seen.clone());
    let reply = state.reply(&seen)?;
    tokio::time::sleep(reply.delay).await;
    Some(response(reply))
}

fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Full::new(reply.body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).expect("a status");
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_bytes(&value).expect("a header's value");
        response.headers_mut().append(name, value);
    }
    response
}
