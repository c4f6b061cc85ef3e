//! The one door to the world outside: what a proxy offers to a filter, without its quirks.

use std::fmt;
use std::time::Duration;

pub use crate::config::LogLevel;

/// Time since the Unix epoch, as the proxy tells it.
pub type Time = Duration;

/// An HTTP call under way; the answer carries the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub u32);

/// A TCP connection; every event of it carries the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpId(pub u32);

/// An HTTP request that the filter makes by itself. The proxy copies what it needs.
#[derive(Debug, Clone)]
pub struct HttpCall<'a> {
    /// Name of an Envoy cluster.
    pub cluster: &'a str,
    /// `:method`, `:path`, `:authority` and all others.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Body; empty for none.
    pub body: &'a [u8],
    /// At least 1 ms; Envoy takes 0 for "no timeout".
    pub timeout: Duration,
}

/// What came back for an [`HttpCall`].
#[derive(Debug, Clone, PartialEq)]
pub enum CallOutcome {
    /// The application or backend itself answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body, complete.
        body: Vec<u8>,
    },
    /// The proxy could not reach it, or it went away. Whether the request was acted on is unknown.
    Failed {
        /// The status that the proxy made up: 503 for a connection, 504 for a timeout, 0 for none.
        status: u16,
    },
}

impl CallOutcome {
    /// The status, whoever said it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Answered { status, .. } | Self::Failed { status } => *status,
        }
    }
}

/// What came back for a gRPC call of one message.
#[cfg(feature = "etcd")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcOutcome {
    /// Whether the backend itself answered; else the status is what the proxy made up.
    pub by_backend: bool,
    /// `grpc-status`; absent if the answer had none, or ended before it.
    pub status: Option<u32>,
    /// `grpc-message`, percent-encoded as it was sent.
    pub message: Vec<u8>,
    /// The message of the answer, with its five bytes before it.
    pub body: Vec<u8>,
}

/// Where a TCP connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTarget {
    /// Cluster of the internal listener that makes the connection.
    pub link: String,
    /// Cluster of the backend itself.
    pub backend: String,
    /// `host:port` of the one server of it that is meant, for a cluster that leads wherever it is told; sent as the
    /// header `x-weft-node`. Absent for a cluster that knows its servers.
    pub node: Option<String>,
}

impl fmt::Display for TcpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "{node} by {}", self.backend),
            None => f.write_str(&self.backend),
        }
    }
}

/// Why the proxy refused to begin something. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostError {
    /// The proxy knows no cluster of that name.
    UnknownCluster,
    /// The cluster has no usable host now.
    NoHealthyHost,
    /// The connection or stream has ended.
    Gone,
    /// Any other refusal, with the proxy's status number.
    Refused(u32),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCluster => f.write_str("the proxy has no such cluster"),
            Self::NoHealthyHost => f.write_str("the cluster has no healthy host"),
            Self::Gone => f.write_str("the connection has ended"),
            Self::Refused(status) => write!(f, "the proxy refused with status {status}"),
        }
    }
}

impl std::error::Error for HostError {}

/// The state of a shared value when it was read; what a later [`Host::shared_set`] compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedVersion {
    /// The key was never written.
    Absent,
    /// The proxy's number for the value.
    At(u32),
}

/// Another worker wrote the shared value first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// A counter that operators see among the proxy's statistics, with the prefix `weft.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// TCP connections opened.
    LinkOpened,
    /// TCP connections lost or given up.
    LinkClosed,
    /// Commands sent to backends.
    LinkCommands,
    /// Commands whose answer did not come in time.
    LinkTimeouts,
    /// Commands refused because a queue was full.
    LinkFull,
    /// Spans that a collector took.
    SpansSent,
    /// Spans that were dropped, because a collector did not take them or took them too slowly.
    SpansDropped,
}

impl Metric {
    /// Every counter, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::LinkOpened,
        Self::LinkClosed,
        Self::LinkCommands,
        Self::LinkTimeouts,
        Self::LinkFull,
        Self::SpansSent,
        Self::SpansDropped,
    ];

    /// The name under which the proxy shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinkOpened => "weft.link.opened",
            Self::LinkClosed => "weft.link.closed",
            Self::LinkCommands => "weft.link.commands",
            Self::LinkTimeouts => "weft.link.timeouts",
            Self::LinkFull => "weft.link.full",
            Self::SpansSent => "weft.spans.sent",
            Self::SpansDropped => "weft.spans.dropped",
        }
    }
}

/// A metric among the proxy's statistics, by the proxy's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricId(pub u32);

/// How a metric is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum.
    Counter,
    /// How often values were of which size.
    Histogram,
}

/// What a proxy offers to a filter. One object per root context; single-threaded.
///
/// The answers come back as calls of [`crate::runtime::Runtime`]'s `on_…` methods.
pub trait Host {
    /// The time now.
    fn now(&self) -> Time;
    /// Fills `buffer` with unpredictable bytes.
    fn fill_random(&self, buffer: &mut [u8]);
    /// Writes one line; the level was checked before.
    fn log(&self, level: LogLevel, line: &str);
    /// Adds to a counter.
    fn count(&self, metric: Metric, by: u32);
    /// The metric of that name, made if there is none. There is no way to remove one, so a name must not come from a
    /// request. `None` if the proxy refuses.
    fn define(&self, kind: MetricKind, name: &str) -> Option<MetricId>;
    /// Adds to a counter, or puts a value into a histogram. The kind has to be the one it was defined with.
    fn measure(&self, kind: MetricKind, id: MetricId, value: u64);

    /// A variable of the environment that the proxy shows to the filter.
    fn environment(&self, name: &str) -> Option<String>;

    /// Begins an HTTP call. The answer comes to `Runtime::on_call_answer`.
    fn http_call(&self, call: HttpCall<'_>) -> Result<CallId, HostError>;

    /// Begins a TCP connection. `on_tcp_open`, `on_tcp_data` and `on_tcp_close` follow.
    fn tcp_open(&self, target: &TcpTarget) -> Result<TcpId, HostError>;
    /// Sends bytes; the proxy buffers what the backend does not take at once.
    fn tcp_send(&self, id: TcpId, bytes: &[u8]) -> Result<(), HostError>;
    /// Ends a connection. No event follows.
    fn tcp_close(&self, id: TcpId);

    /// Reads a value that all workers of the proxy share.
    fn shared_get(&self, key: &str) -> (Option<Vec<u8>>, SharedVersion);
    /// Writes it if it is still as it was read.
    fn shared_set(&self, key: &str, value: &[u8], seen: SharedVersion) -> Result<(), Conflict>;

    /// Asks for a call of `Runtime::on_tick` after that time; `None` for no more ticks.
    fn set_tick(&self, after: Option<Duration>);
}
