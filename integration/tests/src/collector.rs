//! A collector of spans, made of the types that OpenTelemetry publishes: it takes both forms of OTLP and keeps what came.

use crate::runtime::{runtime, served};
use crate::{ports, wait};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use weft::bootstrap::{Collector as Target, Transport};

type Body = UnsyncBoxBody<Bytes, tonic::Status>;

/// One span, ids in hexadecimal digits.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// `service.name` of the resource.
    pub service: String,
    /// Its name.
    pub name: String,
    /// OTLP's number of its kind: 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// The trace.
    pub trace: String,
    /// Its own number.
    pub id: String,
    /// The span above; empty for none.
    pub parent: String,
    /// `tracestate`.
    pub state: String,
    /// Its flags.
    pub flags: u32,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// OTLP's number of its status: 2 is an error.
    pub status: i32,
    /// What went wrong.
    pub message: String,
    /// When it began and ended, in nanoseconds of Unix time.
    pub times: (u64, u64),
}

impl Span {
    /// `traceparent` of something below this span begins so.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("00-{}-{}-", self.trace, self.id)
    }

    /// An attribute; empty if it is not there.
    #[must_use]
    pub fn tag(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Span>,
    requests: Vec<(String, BTreeMap<String, String>)>,
    refuses: bool,
}

/// A running collector.
pub struct Collector {
    port: u16,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    /// Starts one on a port of 127.0.0.1.
    ///
    /// # Panics
    /// If the port cannot be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(ports::free())
    }

    /// Starts one on that port.
    ///
    /// # Panics
    /// If the port cannot be had.
    #[must_use]
    pub fn start_at(port: u16) -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let listener = served(ports::listen(port));
        runtime().spawn(accept(listener, Arc::clone(&kept)));
        Self { port, kept }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// For a bootstrap.
    #[must_use]
    pub fn target(&self, transport: Transport) -> Target {
        target(self.port, transport)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it answers with an error, or no longer.
    pub fn refuse(&self, refuses: bool) {
        self.kept().refuses = refuses;
    }

    /// The paths and headers of all requests.
    #[must_use]
    pub fn requests(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.kept().requests.clone()
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.kept().spans.clone()
    }

    /// The spans of a trace, once there are so many, in the order in which they began.
    ///
    /// # Panics
    /// If they do not come, or if there are more.
    #[must_use]
    pub fn trace(&self, id: &str, count: usize) -> Vec<Span> {
        let of_trace = || self.spans().into_iter().filter(|span| span.trace == id).collect::<Vec<_>>();
        let start = std::time::Instant::now();
        while of_trace().len() < count {
            assert!(start.elapsed() < wait::SOON, "{count} spans of {id}, not {:#?}", self.spans());
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut found = of_trace();
        assert_eq!(found.len(), count, "{found:#?}");
        found.sort_by_key(|span| span.times.0);
        found
    }
}

/// A collector at a port of 127.0.0.1, for a bootstrap.
#[must_use]
pub fn target(port: u16, transport: Transport) -> Target {
    let headers = vec![("x-tenant".to_owned(), "50%".to_owned())];
    Target { host: "127.0.0.1".to_owned(), port, transport, tls: None, headers, timeout: Duration::from_secs(2) }
}

/// Makes Envoy's tracer send each span at once; by itself it waits five seconds.
pub fn send_at_once(bootstrap: &mut serde_json::Value) {
    let values = serde_json::json!({
        "tracing.opentelemetry.flush_interval_ms": 100,
        "tracing.opentelemetry.min_flush_spans": 1,
    });
    bootstrap["layered_runtime"] = serde_json::json!({"layers": [{"name": "tests", "static_layer": values}]});
}

/// Fails unless the spans form one tree: one of them has no parent among them, `root` names the parent it may have.
///
/// # Panics
/// If they do not.
pub fn assert_one_tree(spans: &[Span], root: &str) {
    for span in spans {
        assert_eq!(span.trace, spans[0].trace, "{spans:#?}");
        assert!(span.times.0 <= span.times.1, "{span:#?}");
    }
    let is_known = |id: &str| spans.iter().any(|span| span.id == id);
    let tops: Vec<&Span> = spans.iter().filter(|span| !is_known(&span.parent)).collect();
    assert_eq!(tops.len(), 1, "one span is above all others: {spans:#?}");
    assert_eq!(tops[0].parent, root, "{spans:#?}");
}

async fn accept(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    loop {
        let (socket, _) = listener.accept().await.expect("connections can be taken");
        let kept = Arc::clone(&kept);
        runtime().spawn(async move {
            let service = service_fn(move |request| {
                let kept = Arc::clone(&kept);
                async move { Ok::<_, Infallible>(answer(request, kept).await) }
            });
            let _gone = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, kept: Arc<Mutex<Kept>>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let refuses = {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.requests.push((path.clone(), headers.collect()));
        kept.refuses
    };
    match path.as_str() {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => by_grpc(request, kept, refuses).await,
        "/v1/traces" => {
            let body = request.into_body().collect().await.expect("a whole body").to_bytes();
            let sent = ExportTraceServiceRequest::decode(body).expect("an export request");
            let status = if refuses { 503 } else { 200 };
            if !refuses {
                keep(&kept, sent);
            }
            let mut answer = response(ExportTraceServiceResponse::default().encode_to_vec());
            *answer.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
            answer
        }
        other => panic!("{other} is no path of a collector"),
    }
}

async fn by_grpc(request: Request<Incoming>, kept: Arc<Mutex<Kept>>, refuses: bool) -> Response<Body> {
    let codec = ProstCodec::<ExportTraceServiceResponse, ExportTraceServiceRequest>::default();
    let service = tower::service_fn(move |request: tonic::Request<ExportTraceServiceRequest>| {
        let kept = Arc::clone(&kept);
        async move {
            if refuses {
                return Err(tonic::Status::unavailable("full"));
            }
            keep(&kept, request.into_inner());
            Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
        }
    });
    Grpc::new(codec).unary(service, request).await.map(|body: tonic::body::Body| body.boxed_unsync())
}

fn response(body: Vec<u8>) -> Response<Body> {
    Response::new(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync())
}

fn keep(kept: &Mutex<Kept>, sent: ExportTraceServiceRequest) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    for of_resource in sent.resource_spans {
        let attributes = attributes(&of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        let service = attributes.get("service.name").cloned().unwrap_or_default();
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.spans.push(read(&service, span));
        }
    }
}

fn read(service: &str, span: OtlpSpan) -> Span {
    let status = span.status.unwrap_or_default();
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    Span {
        service: service.to_owned(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        state: span.trace_state,
        flags: span.flags,
        attributes: attributes(&span.attributes),
        name: span.name,
        kind: span.kind,
        status: status.code,
        message: status.message,
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
    }
}

fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    list.iter().map(|it| (it.key.clone(), text(it.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
