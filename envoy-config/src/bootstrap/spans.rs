//! Spans: the collector that takes them, and what Envoy needs to make one for each request.
//!
//! A call and its answer are spans of Envoy's own tracer, so the module has no part in them. It makes those that Envoy
//! cannot know of: of events.

use super::{Backend, Servers, Tls, clusters, endpoint, names, protocol};
use serde_json::{Map, Value, json};
use std::time::Duration;
use weft_core::config::{Otlp, Tracing, Transport};

const TRACER: &str = "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig";
const MUTATION: &str = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
const EARLY: &str = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";

/// Envoy's span as `traceparent`. The tracer says its ids, the request's id whether Envoy's own draw took it, and what
/// came in whether the caller's did. Without a span the value is no `traceparent`, so the filter starts a trace.
const SPAN: &str = concat!(
    "00-%TRACE_ID%-%SPAN_ID%-",
    r#"%CEL(request.id.matches("-[9ab]\\w+-\\w+-\\w+$") && !("traceparent" in request.headers && "#,
    r#"request.headers["traceparent"].matches("[02468ace]$")) ? "01" : "00")%"#,
);

/// What makes Envoy take a request whose caller's trace is sampled, whatever the share of new traces.
const SAMPLED_PARENT: &str = concat!(
    r#"%CEL("traceparent" in request.headers && request.headers["traceparent"].matches("[13579bdf]$") "#,
    r#"? "sampled" : "")%"#,
);

/// What stands before the path in the name of a call's span, by what the filter has told the callee; its path is the
/// callee's by then.
const CALLED: &str = concat!(
    r#"%CEL("dapr-callee-app-id" in request.headers ? "CallLocal/" : "")%"#,
    r#"%CEL("dapr-callee-app-id" in request.headers ? request.headers["dapr-callee-app-id"] : "")%"#,
);

/// What takes spans by OpenTelemetry's protocol (OTLP).
#[derive(Clone, PartialEq, Eq)]
pub struct Collector {
    /// Host name or address; one of IP version 6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
    /// How the connection is secured; absent for not at all.
    pub tls: Option<Tls>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
}

// Not derived: headers hold secrets.
impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Which side of an application a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Dapr's HTTP API.
    Http,
    /// Dapr's gRPC API.
    Grpc,
    /// What stands before the application.
    Callee,
}

impl Collector {
    /// `host:port` for headers and URLs.
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// For an application's plugin configuration.
    pub(super) fn target(&self, app: &str) -> Otlp {
        Otlp {
            cluster: names::spans(app),
            authority: self.authority(),
            transport: self.transport,
            timeout_ms: u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX).clamp(1, 60_000),
        }
    }

    pub(super) fn cluster(&self, app: &str) -> Value {
        let mut cluster = clusters::backend(&Backend {
            cluster: names::spans(app),
            servers: Servers::at(&self.host, self.port),
            // Its own options say it.
            http2: false,
            tls: self.tls.clone(),
            connect_timeout: Duration::from_secs(2),
        });
        let explicit = match self.transport {
            Transport::Grpc => json!({"http2_protocol_options": {}}),
            Transport::Http => json!({"http_protocol_options": {}}),
        };
        if let Some(members) = cluster.as_object_mut() {
            let options = endpoint::options(&explicit, &self.headers);
            members.insert("typed_extension_protocol_options".to_owned(), json!({protocol::OPTIONS_NAME: options}));
        }
        cluster
    }

    fn tracer(&self, app: &str) -> Value {
        let (cluster, timeout) = (names::spans(app), format!("{}s", self.timeout.as_secs_f64()));
        let mut config = json!({"@type": TRACER, "service_name": app});
        let (name, service) = match self.transport {
            Transport::Grpc => ("grpc_service", json!({"envoy_grpc": {"cluster_name": cluster}, "timeout": timeout})),
            Transport::Http => {
                let uri = format!("http://{}/v1/traces", self.authority());
                ("http_service", json!({"http_uri": {"uri": uri, "cluster": cluster, "timeout": timeout}}))
            }
        };
        if let Some(members) = config.as_object_mut() {
            members.insert(name.to_owned(), service);
        }
        json!({"name": "envoy.tracers.opentelemetry", "typed_config": config})
    }

    /// Lets a connection manager make spans, and tells the filter in it of them.
    pub(super) fn trace(&self, app: &str, tracing: &Tracing, side: Side, manager: &mut Value) {
        let share = tracing.sampling_rate.parse::<f64>().unwrap_or(1.0);
        let Some(members) = manager.pointer_mut("/typed_config").and_then(Value::as_object_mut) else { return };
        if share <= 0.0 {
            // Off, as in Dapr.
            return;
        }
        let name = match side {
            Side::Http | Side::Grpc => format!("{CALLED}%PATH(NQ)%"),
            Side::Callee => format!("CallLocal/{app}%PATH(NQ)%"),
        };
        let tag = |name: &str, value: &str| json!({"tag": name, "literal": {"value": value}});
        let tags = match side {
            Side::Http => vec![tag("dapr.protocol", "http")],
            Side::Grpc => vec![tag("dapr.protocol", "grpc")],
            Side::Callee => vec![tag("rpc.service", "ServiceInvocation")],
        };
        let settings = json!({
            "provider": self.tracer(app),
            "random_sampling": {"value": share * 100.0},
            "operation": name,
            "custom_tags": tags,
        });
        members.insert("tracing".to_owned(), settings);
        if share < 1.0 {
            members.insert("early_header_mutation_extensions".to_owned(), json!([follow_parent()]));
        }
        tell(members, side, share < 1.0);
    }
}

/// Envoy draws for each request. One that a trace is sampled for already must not be left out.
fn follow_parent() -> Value {
    let header = json!({"key": "x-client-trace-id", "value": SAMPLED_PARENT});
    let mutation = json!({"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    json!({
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {"@type": EARLY, "mutations": [mutation]},
    })
}

/// Puts a filter first that makes Envoy's span the parent of ours. Envoy tells its span to the next one only when the
/// filter has done its work, so ours would be of another trace. Before an application nothing of ours is told to anybody.
fn tell(members: &mut Map<String, Value>, side: Side, has_mark: bool) {
    let mut mutations = Vec::new();
    if side != Side::Callee {
        let header = json!({"key": "traceparent", "value": SPAN});
        mutations.push(json!({"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}));
    }
    if has_mark {
        mutations.push(json!({"remove": "x-client-trace-id"}));
    }
    let Some(filters) = members.get_mut("http_filters").and_then(Value::as_array_mut) else { return };
    if !mutations.is_empty() {
        let config = json!({"@type": MUTATION, "mutations": {"request_mutations": mutations}});
        filters.insert(0, json!({"name": "weft_span", "typed_config": config}));
    }
}

/// Health checks make no spans, as in Dapr.
pub(super) fn untraced_health() -> Value {
    let never = json!({"numerator": 0});
    json!({
        "match": {"prefix": "/v1.0/healthz"},
        "direct_response": {"status": 404},
        "tracing": {"client_sampling": never, "random_sampling": never, "overall_sampling": never},
    })
}
