//! The only file that calls the proxy.
//!
//! The SDK panics where a host call gives a status that it does not expect, and a panic stops the worker's VM. So
//! only forms that take and give bytes are used, and each call is made only with arguments for which Envoy's answer
//! is one of those the SDK knows.

use crate::convert;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, GrpcStatusCode, MapType, MetricType, Status};
use std::cell::{Cell, RefCell};
use std::time::{Duration, UNIX_EPOCH};
use weft_core::blocks::Blocks;
use weft_core::exchange::AnswerHead;
use weft_core::grpc::{GrpcStatus, Refusal};
#[cfg(feature = "etcd")]
use weft_core::host::GrpcOutcome;
use weft_core::host::{
    CallId, CallOutcome, Conflict, Host, HostError, HttpCall, LogLevel, Metric, MetricId, MetricKind, SharedVersion,
    TcpId, TcpTarget, Time,
};
use weft_core::http::{self, Headers, Reply};
use weft_core::invoke::Edits;
use weft_core::log_line::Line;
use weft_core::runtime::{Runtime, StreamId};

thread_local! {
    /// The context whose callback runs now; what `set_effective_context` must be set back to.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
    /// The time, once it was asked for in the callback that runs now: a callback asks many times and takes none.
    static NOW: Cell<Option<Time>> = const { Cell::new(None) };
    /// Random bytes that were fetched and not given out.
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; Pool::SIZE], left: 0 }) };
    /// Counters by number, made once per VM.
    static METRICS: [Cell<Option<u32>>; Metric::ALL.len()] = const { [const { Cell::new(None) }; Metric::ALL.len()] };
}

/// The gRPC service name of a link; the path of its request is `/weft.tcp/<cluster>`.
const LINK_SERVICE: &str = "weft.tcp";
/// Tells a cluster that leads wherever it is told which server is meant.
const NODE: &str = "x-weft-node";
/// A version that no value ever has: it makes Envoy write only where the key is absent (0 would mean "whatever").
const NEVER: u32 = u32::MAX;

/// Says whose callback begins. Every callback starts with it.
pub fn enter(context: u32) {
    CURRENT.with(|current| current.set(context));
    NOW.with(|now| now.set(None));
}

fn ask_time() -> Time {
    let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Runs `action` as another context and comes back. `None` if the proxy does not know that context any more.
fn as_context<T>(context: u32, action: impl FnOnce() -> T) -> Option<T> {
    let current = CURRENT.with(Cell::get);
    if context == current {
        return Some(action());
    }
    hostcalls::set_effective_context(context).ok()?;
    let result = action();
    // The context whose callback is running is always known.
    let _ = hostcalls::set_effective_context(current);
    Some(result)
}

/// The proxy, as the root context `root` sees it.
pub struct Proxy {
    root: u32,
}

impl Proxy {
    /// For the root context of that number.
    pub fn new(root: u32) -> Self {
        Self { root }
    }

    /// Tells the proxy that a root which put off its end may be deleted.
    pub fn done(&self) {
        let ended = as_context(self.root, hostcalls::done);
        if ended.is_none_or(|result| result.is_err()) {
            self.complain(LogLevel::Warn, "could not end the root context");
        }
    }

    fn complain(&self, level: LogLevel, what: &str) {
        self.log(level, &Line { component: "filter", what, ..Line::default() }.text(""));
    }
}

impl Host for Proxy {
    fn now(&self) -> Time {
        NOW.with(|now| {
            now.get().unwrap_or_else(|| {
                let time = ask_time();
                now.set(Some(time));
                time
            })
        })
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        if POOL.with(|pool| pool.borrow_mut().take(buffer)).is_err() {
            self.complain(LogLevel::Error, "the proxy gives no random bytes");
        }
    }

    fn log(&self, level: LogLevel, line: &str) {
        log(level, line);
    }

    fn count(&self, metric: Metric, by: u32) {
        if !Blocks::HAVE_FLOWS {
            return;
        }
        let define = || hostcalls::define_metric(MetricType::Counter, metric.name()).ok();
        METRICS.with(|metrics| {
            let Some(slot) = metrics.get(metric as usize) else { return };
            slot.set(slot.get().or_else(define));
            if let Some(id) = slot.get() {
                let _ = hostcalls::increment_metric(id, i64::from(by));
            }
        });
    }

    fn define(&self, kind: MetricKind, name: &str) -> Option<MetricId> {
        if !Blocks::HAVE_FLOWS {
            return None;
        }
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Histogram => MetricType::Histogram,
        };
        hostcalls::define_metric(kind, name).ok().map(MetricId)
    }

    fn measure(&self, kind: MetricKind, id: MetricId, value: u64) {
        if !Blocks::HAVE_FLOWS {
            return;
        }
        let _ = match kind {
            MetricKind::Counter => hostcalls::increment_metric(id.0, value.cast_signed()),
            MetricKind::Histogram => hostcalls::record_metric(id.0, value),
        };
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn http_call(&self, call: HttpCall<'_>) -> Result<CallId, HostError> {
        if !Blocks::HAVE_FLOWS {
            return Err(HostError::Gone);
        }
        let body = (!call.body.is_empty()).then_some(call.body);
        let timeout = call.timeout.max(Duration::from_millis(1));
        hostcalls::dispatch_http_call(call.cluster, call.headers, body, Vec::new(), timeout)
            .map(CallId)
            .map_err(refusal)
    }

    fn tcp_open(&self, target: &TcpTarget) -> Result<TcpId, HostError> {
        if !Blocks::HAVE_FLOWS {
            return Err(HostError::Gone);
        }
        let node = target.node.as_ref().map(|node| (NODE, node.as_bytes()));
        let metadata = node.into_iter().collect();
        hostcalls::open_grpc_stream(&target.link, LINK_SERVICE, &target.backend, metadata).map(TcpId).map_err(refusal)
    }

    fn tcp_send(&self, id: TcpId, bytes: &[u8]) -> Result<(), HostError> {
        if !Blocks::HAVE_FLOWS {
            return Err(HostError::Gone);
        }
        as_context(self.root, || hostcalls::send_grpc_stream_message(id.0, Some(bytes), false))
            .unwrap_or(Err(Status::NotFound))
            .map_err(|_| HostError::Gone)
    }

    fn tcp_close(&self, id: TcpId) {
        if !Blocks::HAVE_FLOWS {
            return;
        }
        // A stream that has ended in the meantime is not found; that is as good.
        let _ = as_context(self.root, || hostcalls::cancel_grpc_stream(id.0));
    }

    fn shared_get(&self, key: &str) -> (Option<Vec<u8>>, SharedVersion) {
        match hostcalls::get_shared_data(key) {
            Ok((value, Some(version))) => (Some(value.unwrap_or_default()), SharedVersion::At(version)),
            Ok((_, None)) | Err(_) => (None, SharedVersion::Absent),
        }
    }

    fn shared_set(&self, key: &str, value: &[u8], seen: SharedVersion) -> Result<(), Conflict> {
        let version = match seen {
            SharedVersion::Absent => NEVER,
            SharedVersion::At(version) => version,
        };
        hostcalls::set_shared_data(key, Some(value), Some(version)).map_err(|_| Conflict)
    }

    fn set_tick(&self, after: Option<Duration>) {
        let _ = as_context(self.root, || hostcalls::set_tick_period(after.unwrap_or(Duration::ZERO)));
    }
}

/// Random bytes, fetched many at a time: a request needs a few, and each fetch is a host call.
struct Pool {
    bytes: [u8; Pool::SIZE],
    left: usize,
}

impl Pool {
    const SIZE: usize = 512;

    /// Fills `buffer` with bytes that are given out once.
    fn take(&mut self, buffer: &mut [u8]) -> Result<(), getrandom::Error> {
        if buffer.len() > Self::SIZE {
            return getrandom::fill(buffer);
        }
        if self.left < buffer.len() {
            getrandom::fill(&mut self.bytes)?;
            self.left = Self::SIZE;
        }
        let end = self.left;
        self.left -= buffer.len();
        if let Some(bytes) = self.bytes.get_mut(self.left..end) {
            buffer.copy_from_slice(bytes);
            bytes.fill(0);
        }
        Ok(())
    }
}

#[inline(never)]
fn refusal(status: Status) -> HostError {
    match status {
        Status::BadArgument | Status::ParseFailure => HostError::UnknownCluster,
        Status::InternalFailure => HostError::NoHealthyHost,
        other => HostError::Refused(other as u32),
    }
}

/// All fields of a header map. Empty when the proxy does not have the map now.
pub fn read_headers(map: MapType) -> Headers {
    convert::headers(hostcalls::get_map_bytes(map).unwrap_or_default())
}

/// Up to `size` bytes of a body from its beginning.
pub fn read_body(buffer: BufferType, size: usize) -> Vec<u8> {
    hostcalls::get_buffer(buffer, 0, size).ok().flatten().unwrap_or_default()
}

/// Gives the answer to a call to the flow that waits for it. The numbers are what the callback was given: of headers,
/// of bytes, of trailers.
pub fn hand_over(flows: &Runtime, token: u32, headers: usize, body_size: usize, _trailers: usize) {
    let id = CallId(token);
    #[cfg(feature = "etcd")]
    if flows.awaits_grpc(id) {
        return flows.on_grpc_answer(id, grpc_outcome(headers, body_size, _trailers));
    }
    flows.on_call_answer(id, call_outcome(headers, body_size));
}

/// As [`call_outcome`]. A map that is not there must not be asked for: that stops the VM.
#[cfg(feature = "etcd")]
#[inline(never)]
fn grpc_outcome(headers: usize, body_size: usize, trailers: usize) -> GrpcOutcome {
    let field = |name| {
        let maps = [(trailers, MapType::HttpCallResponseTrailers), (headers, MapType::HttpCallResponseHeaders)];
        let mut there = maps.into_iter().filter(|(count, _)| *count > 0);
        there.find_map(|(_, map)| hostcalls::get_map_value_bytes(map, name).ok().flatten())
    };
    let status = field("grpc-status").and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    GrpcOutcome {
        by_backend: field(FROM_HOST).is_some(),
        status,
        message: field("grpc-message").unwrap_or_default(),
        body: if body_size == 0 { Vec::new() } else { read_body(BufferType::HttpCallResponseBody, body_size) },
    }
}

/// The router adds this to every answer that came from a host; what Envoy makes up lacks it.
const FROM_HOST: &str = "x-envoy-upstream-service-time";

/// Reads the answer to an HTTP call while its buffers are there.
fn call_outcome(headers: usize, body_size: usize) -> CallOutcome {
    if headers == 0 {
        return CallOutcome::Failed { status: 0 };
    }
    let field = |name| hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name).ok().flatten();
    let status = field(":status").as_deref().and_then(http::status).unwrap_or(0);
    if field(FROM_HOST).is_none() {
        return CallOutcome::Failed { status };
    }
    let body = if body_size == 0 { Vec::new() } else { read_body(BufferType::HttpCallResponseBody, body_size) };
    CallOutcome::Answered { status, body }
}

/// Replaces `size` bytes at `start` of a body.
pub fn write_body(buffer: BufferType, start: usize, size: usize, bytes: &[u8]) {
    let _ = hostcalls::set_buffer(buffer, start, size, bytes);
}

/// Changes the headers of the message whose callback runs. Not after it was resumed: that stops the VM. A change of
/// a request's headers makes Envoy choose the route again: that is so for the ABI 0.2.1, which the SDK speaks; a newer
/// one would have to ask for it (envoyproxy/envoy#36671).
pub fn edit(map: MapType, edits: &Edits) {
    for name in edits.remove.iter().copied().chain(edits.remove_named.iter().map(String::as_str)) {
        let _ = hostcalls::remove_map_value(map, name);
    }
    for (name, value) in &edits.set {
        let _ = hostcalls::set_map_value_bytes(map, name, Some(value));
    }
    for (name, value) in &edits.add {
        add_field(map, name, value);
    }
}

/// Appends a trailer, header or metadata field.
pub fn add_field(map: MapType, name: &str, value: &[u8]) {
    let _ = hostcalls::add_map_value_bytes(map, name, value);
}

/// Answers the request of a stream. Nothing happens if the proxy does not know the stream any more.
pub fn reply(stream: StreamId, reply: &Reply) {
    let body = (!reply.body.is_empty()).then_some(reply.body.as_slice());
    as_context(stream.0, || {
        let _ = hostcalls::send_http_response(u32::from(reply.status), convert::text_fields(&reply.headers), body);
    });
}

/// Clients bound the size of header fields, and a message may hold what the request said.
const LONGEST_GRPC_MESSAGE: usize = 1024;

/// Answers a gRPC request with a status other than OK. Of a message no more than a KiB is sent.
pub fn reply_grpc(status: GrpcStatusCode, message: &str) {
    let message = message.get(..message.floor_char_boundary(LONGEST_GRPC_MESSAGE)).unwrap_or_default();
    let _ = hostcalls::send_grpc_response(status, Some(message), Vec::new());
}

/// Answers a gRPC request that the filter does not let go on.
pub fn refuse(refusal: &Refusal) {
    let status = match refusal.status {
        GrpcStatus::Unknown => GrpcStatusCode::Unknown,
        GrpcStatus::InvalidArgument => GrpcStatusCode::InvalidArgument,
        GrpcStatus::Unimplemented => GrpcStatusCode::Unimplemented,
        GrpcStatus::Unavailable => GrpcStatusCode::Unavailable,
        GrpcStatus::Unauthenticated => GrpcStatusCode::Unauthenticated,
    };
    reply_grpc(status, &refusal.message);
}

/// The URI in the certificate of the connection's other end, if it has shown one.
pub fn peer_uri() -> Option<Vec<u8>> {
    hostcalls::get_property(vec!["connection", "uri_san_peer_certificate"]).ok().flatten()
}

/// The answer whose headers are here now.
pub struct Answer;

impl AnswerHead for Answer {
    fn value(&self, name: &str) -> Option<Vec<u8>> {
        hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten()
    }

    fn details(&self) -> String {
        property(vec!["response", "code_details"])
    }

    fn host(&self) -> Option<String> {
        Some(property(vec!["upstream", "address"])).filter(|address| !address.is_empty())
    }

    fn tries(&self) -> u32 {
        let count = hostcalls::get_property(vec!["upstream", "request_attempt_count"]).ok().flatten();
        let count = count.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// The first value of a field of the answer's trailers.
pub fn trailer(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseTrailers, name).ok().flatten()
}

/// A property that is text; empty if the proxy has none.
#[inline(never)]
fn property(path: Vec<&str>) -> String {
    String::from_utf8(hostcalls::get_property(path).ok().flatten().unwrap_or_default()).unwrap_or_default()
}

/// The plugin configuration's bytes.
pub fn plugin_configuration() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).ok().flatten().unwrap_or_default()
}

/// Writes one line outside of any runtime.
pub fn log(level: LogLevel, line: &str) {
    let _ = hostcalls::log(convert::level(level), line);
}

/// The plugin's `root_id`, which names the role.
pub fn root_id() -> String {
    property(vec!["plugin_root_id"])
}

/// Stops the VM on purpose: a test of what a trap does asked for it in the configuration.
#[allow(clippy::panic)]
pub fn trap() -> ! {
    panic!("trap asked for by the configuration's test switch")
}
