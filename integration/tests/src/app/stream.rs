//! Requests whose two bodies the test itself drives, chunk by chunk.

use super::script::{Script, Seen};
use super::server::Body;
use crate::runtime::{block_on, runtime};
use crate::wait::SOON;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::Response;
use hyper::body::Incoming;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc as async_mpsc;

/// Hands a request over to the test.
pub(super) type Opener = mpsc::Sender<OpenStream>;

/// The requests to one path, in order.
pub struct Streams(Mutex<Receiver<OpenStream>>);

impl Streams {
    /// The next request; its head has come, its body may not have.
    ///
    /// # Panics
    /// If none comes soon.
    #[must_use]
    pub fn next(&self) -> OpenStream {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(SOON).expect("a request comes")
    }

    /// The next request, if one has come.
    #[must_use]
    pub fn try_next(&self) -> Option<OpenStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }
}

/// One request under way. The answer's head, status 200, is on its way already.
pub struct OpenStream {
    /// The request without its body.
    pub head: Seen,
    answer: Option<Sender<Bytes, std::io::Error>>,
    chunks: async_mpsc::UnboundedReceiver<Bytes>,
}

impl OpenStream {
    /// Sends one chunk of the answer's body.
    pub fn send(&mut self, chunk: &[u8]) {
        let answer = self.answer.as_mut().expect("the answer has not ended");
        block_on(answer.send_data(Bytes::copy_from_slice(chunk))).expect("the peer takes the answer");
    }

    /// The next chunk of the request's body, `None` at its end.
    ///
    /// # Panics
    /// If nothing comes soon.
    pub fn receive(&mut self) -> Option<Bytes> {
        block_on(async { tokio::time::timeout(SOON, self.chunks.recv()).await }).expect("a chunk or the end comes")
    }

    /// Ends the answer's body as it should end.
    pub fn end(mut self) {
        self.answer = None;
    }

    /// Breaks the answer off in the middle.
    pub fn abort(mut self) {
        if let Some(answer) = self.answer.take() {
            answer.abort(std::io::Error::other("the test broke the answer off"));
        }
    }
}

pub(super) fn pair() -> (Script, Streams) {
    let (opener, streams) = mpsc::channel();
    (Script::Stream(opener), Streams(Mutex::new(streams)))
}

pub(super) fn open(opener: &Opener, head: Seen, mut body: Incoming) -> Response<Body> {
    let (chunk, chunks) = async_mpsc::unbounded_channel();
    runtime().spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if chunk.send(data).is_err() {
                return;
            }
        }
    });
    let (answer, channel) = Channel::new(16);
    let handed = opener.send(OpenStream { head, answer: Some(answer), chunks });
    let mut response = Response::new(channel.boxed_unsync());
    if handed.is_err() {
        *response.status_mut() = hyper::StatusCode::GONE;
    }
    response
}
