//! Calls to etcd.

use crate::api::path;
use crate::host::{GrpcOutcome, HttpCall, Time};
use crate::protobuf::Message;
use crate::runtime::Runtime;
use crate::state::StoreError;
use std::time::Duration;

/// How long a request may take, as with daprd's component.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read waits before it is asked again. Where a connection ends, the proxy tells those that wait for it before
/// it has put the connection away, and would send a new request on it.
const PAUSE: Duration = Duration::from_millis(5);

/// Bytes before the message of a call: whether it is compressed, and its length.
const FRAME: usize = 5;

/// What the proxy says where nothing was sent: no host, no connection, no room, or a stream that etcd has not begun
/// (Envoy's `StreamResetReason` as text).
const NOT_SENT: &[&str] =
    &["no healthy upstream", "connection failure", "connection timeout", "overflow", "refused stream"];

/// A method of etcd's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Reads.
    Range,
    /// Reads and writes, all or nothing.
    Txn,
    /// Makes a lease.
    Grant,
    /// Ends a lease.
    Revoke,
}

impl Method {
    fn path(self) -> &'static str {
        match self {
            Self::Range => "/etcdserverpb.KV/Range",
            Self::Txn => "/etcdserverpb.KV/Txn",
            Self::Grant => "/etcdserverpb.Lease/LeaseGrant",
            Self::Revoke => "/etcdserverpb.Lease/LeaseRevoke",
        }
    }
}

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// etcd has not got it.
    NotSent(String),
    /// etcd said no, and has done nothing.
    Refused(String),
    /// etcd may have done it.
    Unknown(String),
}

impl Failure {
    /// As the failure of a read or of what only prepares a write: whatever became of it, nothing was changed.
    pub(crate) fn of_read(self) -> StoreError {
        match self {
            Self::Refused(reason) => StoreError::Failed { reason },
            Self::NotSent(reason) | Self::Unknown(reason) => StoreError::Unavailable { reason },
        }
    }

    /// As the failure of a write.
    pub(crate) fn of_write(self) -> StoreError {
        match self {
            Self::Refused(reason) => StoreError::Failed { reason },
            Self::NotSent(reason) => StoreError::Unavailable { reason },
            Self::Unknown(reason) => StoreError::OutcomeUnknown { reason },
        }
    }

    /// What happened.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotSent(reason) | Self::Refused(reason) | Self::Unknown(reason) => reason,
        }
    }
}

/// Where etcd is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    runtime: Runtime,
    cluster: String,
}

/// An empty message of a call, to be filled.
pub(crate) fn message(room: usize) -> Message {
    let mut bytes = Vec::with_capacity(FRAME + room);
    bytes.extend_from_slice(&[0; FRAME]);
    Message(bytes)
}

impl Client {
    pub(crate) fn new(runtime: Runtime, cluster: String) -> Self {
        Self { runtime, cluster }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// When a request that begins now has to have its answer.
    pub(crate) fn deadline(&self) -> Time {
        self.runtime.now() + TIMEOUT
    }

    /// Calls once. `message` was begun by [`message()`]; the message of the answer comes back.
    pub(crate) async fn call(&self, method: Method, message: Message, until: Time) -> Result<Vec<u8>, Failure> {
        let Message(mut body) = message;
        frame(&mut body);
        self.send(method, &body, until).await
    }

    /// As [`Client::call`], for what changes nothing: it is asked once more where the answer is lost.
    pub(crate) async fn read(&self, method: Method, message: Message, until: Time) -> Result<Vec<u8>, Failure> {
        let Message(mut body) = message;
        frame(&mut body);
        match self.send(method, &body, until).await {
            Err(Failure::Unknown(_)) if self.runtime.now() < until => {
                self.runtime.sleep(PAUSE).await;
                self.send(method, &body, until).await
            }
            ended => ended,
        }
    }

    async fn send(&self, method: Method, body: &[u8], until: Time) -> Result<Vec<u8>, Failure> {
        let timeout = until.saturating_sub(self.runtime.now());
        if timeout.is_zero() {
            return Err(Failure::NotSent(["no time was left for a call to ", &self.cluster].concat()));
        }
        let headers = vec![
            (":method", "POST"),
            (":path", method.path()),
            (":authority", "etcd"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            // What was not sent may go to another host of the cluster.
            ("x-envoy-retry-on", "connect-failure,refused-stream"),
        ];
        let call = HttpCall { cluster: &self.cluster, headers, body, timeout };
        match self.runtime.grpc_call(call) {
            Ok(answer) => self.judge(answer.await),
            Err(why) => Err(Failure::NotSent(["no call to ", &self.cluster, ": ", &why.to_string()].concat())),
        }
    }

    #[inline(never)]
    fn judge(&self, outcome: GrpcOutcome) -> Result<Vec<u8>, Failure> {
        let GrpcOutcome { by_backend, status, message, mut body } = outcome;
        let said = String::from_utf8_lossy(&message);
        let said = path::decode(&said, false);
        let said = String::from_utf8_lossy(&said);
        let tell = |what: &str| [what, " ", &self.cluster, if said.is_empty() { "" } else { ": " }, &said].concat();
        match (by_backend, status) {
            (true, Some(0)) if is_whole(&body) => Ok(body.split_off(FRAME)),
            (true, Some(0)) => Err(Failure::Unknown(["an answer that is none from ", &self.cluster].concat())),
            (true, Some(status)) if is_refusal(status) => Err(Failure::Refused(said.into_owned())),
            (true, Some(_)) => Err(Failure::Unknown(said.into_owned())),
            (false, Some(_)) if NOT_SENT.iter().any(|sign| said.contains(sign)) => {
                Err(Failure::NotSent(tell("no connection to")))
            }
            (false, Some(_)) => Err(Failure::Unknown(tell("no answer from"))),
            (true, None) => Err(Failure::Unknown(tell("no answer of gRPC from"))),
            (false, None) => Err(Failure::Unknown(tell("the answer ended too early from"))),
        }
    }
}

#[inline(never)]
fn frame(body: &mut [u8]) {
    let length = u32::try_from(body.len().saturating_sub(FRAME)).unwrap_or(u32::MAX);
    if let Some(place) = body.get_mut(1..FRAME) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Whether these are one message, not compressed, with its frame.
fn is_whole(body: &[u8]) -> bool {
    let Some((&[0, a, b, c, d], message)) = body.split_first_chunk::<FRAME>() else { return false };
    usize::try_from(u32::from_be_bytes([a, b, c, d])) == Ok(message.len())
}

/// Statuses that etcd gives without having done anything: what is asked for cannot be, or not by us. With all others,
/// `UNAVAILABLE` above all, a write may have been done.
fn is_refusal(status: u32) -> bool {
    matches!(status, 3 | 5..=9 | 11 | 12 | 16)
}
