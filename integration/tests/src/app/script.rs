//! What a test application answers, and what it remembers.

use super::stream::Opener;
use bytes::Bytes;
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One request that reached the application.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The verb.
    pub method: String,
    /// The protocol that it came in.
    pub version: hyper::Version,
    /// The name that the client wanted in its TLS handshake.
    pub server_name: Option<String>,
    /// Path and query, as they stood in the request line.
    pub target: String,
    /// Names in lower case, values as bytes; those of one name are in the order in which they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it came.
    pub body: Bytes,
    /// Whether the whole body came.
    pub complete: bool,
    /// When it had come.
    pub at: Instant,
}

impl Seen {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The text after `?`, if there is a `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// All values of a header, as text.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        let found = self.headers.iter().filter(|(given, _)| given == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The only value of a header.
    ///
    /// # Panics
    /// If there are several.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let values = self.values(name);
        assert!(values.len() <= 1, "{name} has several values: {values:?}");
        values.into_iter().next()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// What the application answers.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Bytes,
    pub(super) delay: Duration,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO }
    }

    /// An answer with this body and no content type.
    #[must_use]
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::status(status) }
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string()).with("content-type", "application/json")
    }

    /// What a subscriber says about an event, such as `RETRY`.
    #[must_use]
    pub fn event(status: &str) -> Self {
        Self::json(200, &serde_json::json!({"status": status}))
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Answers only after this time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

pub(super) type Answer = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

#[derive(Clone)]
pub(super) enum Script {
    Turns(Arc<Mutex<VecDeque<Reply>>>),
    Call(Answer),
    Stream(Opener),
    Echo,
    HangUp,
}

impl Script {
    pub(super) fn in_turn(replies: Vec<Reply>) -> Self {
        assert!(!replies.is_empty(), "a script needs a reply");
        Self::Turns(Arc::new(Mutex::new(replies.into())))
    }
}

/// What the server's connections and the test share.
#[derive(Default)]
pub(super) struct State {
    scripts: Mutex<HashMap<String, Script>>,
    fallback: Mutex<Option<Answer>>,
    seen: Mutex<Vec<Seen>>,
    /// Paths of requests that are not remembered.
    forgotten: Mutex<HashSet<String>>,
    left: AtomicUsize,
}

impl State {
    pub(super) fn script(&self, path: &str, script: Script) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), script);
    }

    /// Notes that a call was ended by the other side.
    pub(super) fn left(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn calls_left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }

    pub(super) fn fallback(&self, answer: Answer) {
        *self.fallback.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    pub(super) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|it| it.path() == path).cloned().collect()
    }

    pub(super) fn all_seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget(&self, path: &str) {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    pub(super) fn remember(&self, seen: Seen) {
        if self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).contains(seen.path()) {
            return;
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    /// The script that takes the request before its body has come.
    pub(super) fn streamed(&self, path: &str) -> Option<Script> {
        let scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.get(path).filter(|script| matches!(script, Script::Stream(_) | Script::Echo)).cloned()
    }

    /// The answer, or nothing where the application hangs up.
    pub(super) fn reply(&self, seen: &Seen) -> Option<Reply> {
        let script = self.scripts.lock().unwrap_or_else(PoisonError::into_inner).get(seen.path()).cloned();
        match script {
            Some(Script::Turns(replies)) => Some(next(&mut replies.lock().unwrap_or_else(PoisonError::into_inner))),
            Some(Script::Call(answer)) => Some(answer(seen)),
            Some(Script::Stream(_) | Script::Echo) => Some(Reply::status(500)),
            Some(Script::HangUp) => None,
            None => Some(self.unscripted(seen)),
        }
    }

    fn unscripted(&self, seen: &Seen) -> Reply {
        let fallback = self.fallback.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fallback.map_or_else(|| Reply::status(404), |answer| answer(seen))
    }
}

fn next(replies: &mut VecDeque<Reply>) -> Reply {
    if replies.len() > 1
        && let Some(first) = replies.pop_front()
    {
        return first;
    }
    replies.front().cloned().expect("never emptied")
}
