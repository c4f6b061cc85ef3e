//! An application for Weft to stand beside: it answers as a test tells it and remembers every request.

mod grpc;
mod script;
mod server;
mod stream;
mod tls;

pub use script::{Reply, Seen};
pub use stream::{OpenStream, Streams};
pub use tls::Secure;

use crate::{ports, wait};
use script::{Script, State};
use serde_json::Value;
use server::Server;
use std::sync::{Arc, Mutex, PoisonError};

/// A server of HTTP/1.1 and HTTP/2 on a port of its own, without TLS unless it is [`TestApp::secure`]. What no script answers is answered 404. gRPC
/// calls are answered by the service of [`crate::grpc::Talk`].
pub struct TestApp {
    port: u16,
    state: Arc<State>,
    server: Mutex<Option<Server>>,
    secure: Option<Secure>,
}

impl TestApp {
    /// A server that runs already.
    #[must_use]
    pub fn start() -> Self {
        let app = Self::stopped();
        app.resume();
        app
    }

    /// A server that has a port but does not listen yet.
    #[must_use]
    pub fn stopped() -> Self {
        Self { port: ports::free(), state: Arc::default(), server: Mutex::new(None), secure: None }
    }

    /// As [`TestApp::start`], for clients that come with TLS only.
    #[must_use]
    pub fn secure(secure: Secure) -> Self {
        let mut app = Self::stopped();
        app.secure = Some(secure);
        app.resume();
        app
    }

    /// The port, on 127.0.0.1; the same after [`TestApp::resume`].
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server with all its connections, as a crash does. Scripts and memory stay.
    pub fn crash(&self) {
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            server.end();
        }
    }

    /// Listens, if it does not.
    pub fn resume(&self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_none() {
            *server = Some(Server::start(self.port, self.state.clone(), self.secure.clone()));
        }
    }

    /// Answers every request to `path` (without its query) with `reply`.
    pub fn on(&self, path: &str, reply: Reply) {
        self.on_each(path, vec![reply]);
    }

    /// Answers the requests to `path` with `replies` in turn; the last one also answers all that come later.
    pub fn on_each(&self, path: &str, replies: Vec<Reply>) {
        self.state.script(path, Script::in_turn(replies));
    }

    /// Answers the requests to `path` with what `answer` says.
    pub fn on_call(&self, path: &str, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.state.script(path, Script::Call(Arc::new(answer)));
    }

    /// As [`TestApp::on_call`], of requests that are too many to be remembered.
    pub fn forgets(&self, path: &str, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.state.forget(path);
        self.on_call(path, answer);
    }

    /// Answers every path that has no script of its own.
    pub fn on_any(&self, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.state.fallback(Arc::new(answer));
    }

    /// Reads the requests to `path` and closes the connection without an answer.
    pub fn hangs_up_on(&self, path: &str) {
        self.state.script(path, Script::HangUp);
    }

    /// Answers the requests to `path` with their own bodies while they come, trailers included.
    pub fn echoes(&self, path: &str) {
        self.state.script(path, Script::Echo);
    }

    /// How many calls of `/weft.test.Talk/Hang` were ended by the other side.
    #[must_use]
    pub fn calls_left(&self) -> usize {
        self.state.calls_left()
    }

    /// Lets the test itself drive the requests to `path`, both their bodies included.
    #[must_use]
    pub fn on_stream(&self, path: &str) -> Streams {
        let (script, streams) = stream::pair();
        self.state.script(path, script);
        streams
    }

    /// Answers `GET /dapr/subscribe` with this list.
    pub fn subscribes(&self, list: &Value) {
        self.on("/dapr/subscribe", Reply::json(200, list));
    }

    /// The requests to `path` (without its query) so far.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.state.seen(path)
    }

    /// All requests so far.
    #[must_use]
    pub fn all_seen(&self) -> Vec<Seen> {
        self.state.all_seen()
    }

    /// Waits until there were `count` requests to `path` and gives them.
    #[must_use]
    pub fn wait_for(&self, path: &str, count: usize) -> Vec<Seen> {
        wait::until(&format!("{count} requests to {path}"), wait::SOON, || {
            let seen = self.seen(path);
            (seen.len() >= count).then_some(seen)
        })
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.crash();
    }
}
