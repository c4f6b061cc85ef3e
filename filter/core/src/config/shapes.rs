//! The tables of the plugin configuration: every member, its form, what stands for it where it is absent.

use super::form::Form::{
    BodySize, Condition, Flag, Label, List, Map, Name, Number, Object, OneOf, Path, Share, Text, Texts, Trip, Word,
    Words,
};
use super::form::{Absent, Member, Shape};
use super::{
    Action, ApiProtocol, ApiRule, DEFAULT_BREAKER_CACHE, DEFAULT_BREAKER_TIMEOUT_MS, DEFAULT_COMPONENT_VERSION,
    DEFAULT_MAX_BODY, DEFAULT_NAMESPACE, DEFAULT_SAMPLING, Identity, LARGEST_BREAKER_CACHE, LARGEST_MAX_BODY, VERSION,
};
#[cfg(feature = "blocks")]
use super::{Transport, otlp::DEFAULT_TIMEOUT_MS};

/// The whole configuration.
pub(super) const PLUGIN_CONFIG: Shape = Shape {
    members: &[
        Member::needed("version", Number(VERSION, VERSION), "Version of this schema."),
        Member::needed("appId", Label, "The application's Dapr app id."),
        Member::optional("namespace", Label, "The application's namespace.").or(Absent::Text(DEFAULT_NAMESPACE)),
        Member::optional(
            "app",
            Object(&APP),
            "How the proxy reaches its own application. Absent: no subscriptions, no self-invocation.",
        ),
        Member::optional("invoke", Object(&INVOKE), "Where other applications are."),
        Member::optional("resiliency", Object(&RESILIENCY), "How other applications are called, as Dapr's Resiliency."),
        Member::optional(
            "link",
            Object(&LINK),
            "The listener that turns streams into TCP connections. Needed by every component that has a cluster.",
        ),
        Member::optional("components", List(&COMPONENT), "State stores and brokers."),
        Member::optional(
            "subscriptions",
            List(&SUBSCRIPTION),
            "Declarative subscriptions. Those that the application names at /dapr/subscribe come on top.",
        ),
        Member::optional(
            "apiToken",
            Object(&ENVIRONMENT),
            "The token that requests to the API have to bring. Absent: none.",
        ),
        Member::optional("api", Object(&API), "Which of Dapr's APIs are offered. Absent: all."),
        Member::optional("accessControl", Object(&ACCESS_CONTROL), "Who may call the application. Absent: everybody."),
        Member::optional(
            "callers",
            Object(&CALLERS),
            "How callers are told apart. Absent: by certificate if access is controlled, else what the caller's proxy says \
             is taken as it is.",
        ),
        Member::optional("tracing", Object(&TRACING), "Distributed tracing."),
        Member::optional("logLevel", OneOf(LEVELS), "The least severe log line that is written.")
            .or(Absent::Text("info")),
        Member::optional("limits", Object(&LIMITS), "Bounds on what one request may use."),
        Member::optional("test", Object(&TEST), "Switches for tests of fault handling. Never set in production."),
    ],
};

/// The values of `logLevel`, least severe first.
pub(super) const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

const APP: Shape = Shape {
    members: &[
        Member::needed("cluster", Word, "Name of the Envoy cluster that holds the application's address."),
        Member::needed("authority", Word, "What the application sees as Host, usually 127.0.0.1:<port>."),
        Member::optional(
            "apiToken",
            Object(&ENVIRONMENT),
            "The token that the application gets with every request. Absent: none.",
        ),
    ],
};

const INVOKE: Shape = Shape {
    members: &[
        Member::optional("apps", Map(&TARGET), "Applications by app id. They go before the template."),
        Member::optional(
            "template",
            Object(&TARGET),
            "How to address an id that apps does not name. {app} and {namespace} are replaced.",
        ),
        Member::optional(
            "endpoints",
            Map(&ENDPOINT),
            "Servers outside of the mesh by name, as Dapr's HTTPEndpoint. They go before applications.",
        ),
        Member::optional(
            "external",
            Object(&EXTERNAL),
            "Hosts outside of the mesh that may be called by URL. Absent: none.",
        ),
    ],
};

const RESILIENCY: Shape = Shape {
    members: &[
        Member::optional(
            "apps",
            Map(&CALL_POLICY),
            "By the name that callers use: an app id, an endpoint's name or a URL.",
        ),
        Member::optional("others", Object(&CALL_POLICY), "For all that apps does not name."),
        #[cfg(feature = "policies")]
        Member::optional("components", Map(&COMPONENT_POLICIES), "Of components, by name."),
    ],
};

#[cfg(feature = "policies")]
const COMPONENT_POLICIES: Shape = Shape {
    members: &[
        Member::optional("inbound", Object(&COMPONENT_POLICY), "For its events on their way to the application."),
        Member::optional("outbound", Object(&COMPONENT_POLICY), "For what is asked of it."),
    ],
};

#[cfg(feature = "policies")]
const COMPONENT_POLICY: Shape = Shape {
    members: &[
        Member::optional("timeoutMs", Number(1, u32::MAX), "How long one try may take, in milliseconds."),
        Member::optional("retry", Object(&COMPONENT_RETRY), "When it is tried again. Absent: never."),
        Member::optional("circuitBreaker", Object(&CIRCUIT_BREAKER), "When nothing is tried."),
    ],
};

#[cfg(feature = "policies")]
const COMPONENT_RETRY: Shape = Shape {
    members: &[
        Member::optional("maxRetries", Number(0, u32::MAX), "Tries after the first one. Absent: no end."),
        Member::needed("pauseMs", Number(0, u32::MAX), "The pause before the next try, or the first one, in ms."),
        Member::optional(
            "maxPauseMs",
            Number(0, u32::MAX),
            "Each pause is half as long again as the one before, up to this, in milliseconds, for 15 minutes at most.",
        ),
    ],
};

const CALL_POLICY: Shape = Shape {
    members: &[
        Member::optional(
            "timeoutMs",
            Number(1, u32::MAX),
            "How long one try may wait for its answer to begin, in milliseconds, from the end of the request on.",
        ),
        Member::optional(
            "retry",
            Object(&RETRY),
            "When a call is tried again. Bodies of unknown length are sent once. Absent: as the proxy's routes say.",
        ),
        Member::optional("circuitBreaker", Object(&CIRCUIT_BREAKER), "When calls are held back."),
    ],
};

const RETRY: Shape = Shape {
    members: &[
        Member::needed("maxRetries", Number(0, u32::MAX), "Tries after the first one."),
        Member::needed("on", Word, "Envoy's x-envoy-retry-on of an HTTP call."),
        Member::optional("statusCodes", Word, "Envoy's x-envoy-retriable-status-codes of an HTTP call."),
        Member::optional("grpcOn", Word, "Envoy's x-envoy-retry-on of a gRPC call. Absent: it is tried once."),
        Member::optional("grpcStatuses", Word, "Envoy's x-envoy-retry-grpc-on of a gRPC call."),
    ],
};

const CIRCUIT_BREAKER: Shape = Shape {
    members: &[
        Member::needed(
            "trip",
            Trip,
            "When it opens: a condition in CEL over the whole numbers requests, totalSuccesses, totalFailures, \
             consecutiveSuccesses and consecutiveFailures.",
        ),
        Member::optional(
            "maxRequests",
            Number(1, u32::MAX),
            "How many calls go through while it is half open; as many have to succeed in a row.",
        )
        .or(Absent::Number(1)),
        Member::optional(
            "intervalMs",
            Number(0, u32::MAX),
            "After how many milliseconds a closed one forgets what it has counted; 0 for never.",
        )
        .or(Absent::Number(0)),
        Member::optional("timeoutMs", Number(1, u32::MAX), "How many milliseconds it stays open.")
            .or(Absent::Number(DEFAULT_BREAKER_TIMEOUT_MS)),
        Member::optional(
            "cacheSize",
            Number(1, LARGEST_BREAKER_CACHE),
            "For how many hosts of this target it counts; of more, the one that was called longest ago is forgotten.",
        )
        .or(Absent::Number(DEFAULT_BREAKER_CACHE)),
    ],
};

const ENDPOINT: Shape = Shape {
    members: &[
        Member::optional("cluster", Word, "As the cluster of an application. It adds headers and TLS."),
        Member::needed("authority", Word, "The request's :authority."),
        Member::optional("path", Path, "What goes before the path of every call."),
    ],
};

const EXTERNAL: Shape = Shape {
    members: &[
        Member::needed(
            "hosts",
            Words,
            "Names or addresses, IPv6 in brackets; one that begins with a dot stands for all names that end so.",
        ),
        Member::optional("httpCluster", Word, "As the cluster of an application, for http URLs."),
        Member::optional("httpsCluster", Word, "As the cluster of an application, for https URLs."),
    ],
};

const TARGET: Shape = Shape {
    members: &[
        Member::optional(
            "cluster",
            Word,
            "Put into the request header x-weft-cluster, for a route with cluster_header. Absent: the proxy's own \
             routes choose by authority, as Istio's do.",
        ),
        Member::needed("authority", Word, "The request's :authority."),
    ],
};

const LINK: Shape =
    Shape { members: &[Member::needed("cluster", Word, "Name of the Envoy cluster whose endpoint is that listener.")] };

const COMPONENT: Shape = Shape {
    members: &[
        Member::needed("name", Name, "Name that applications use in paths."),
        Member::needed("type", Name, "Dapr's component type, such as state.redis."),
        Member::optional("version", Name, "Component version.").or(Absent::Text(DEFAULT_COMPONENT_VERSION)),
        Member::optional("cluster", Word, "Name of the Envoy cluster of the backend. Components in memory have none."),
        Member::optional("metadata", Texts, "Dapr metadata: names are matched without regard to case."),
    ],
};

const SUBSCRIPTION: Shape = Shape {
    members: &[
        Member::needed("pubsubname", Name, "Name of the broker component."),
        Member::needed("topic", Name, "Topic at the broker."),
        Member::needed("routes", Object(&ROUTES), "Where events go in the application."),
        Member::optional("deadLetterTopic", Text, "Where an event goes that the application could not take."),
        Member::optional("metadata", Texts, "Dapr metadata of the subscription, such as rawPayload."),
        Member::optional("bulkSubscribe", Object(&BULK), "Whether events come many at a time."),
    ],
};

const BULK: Shape = Shape {
    members: &[
        Member::needed("enabled", Flag, "Whether they come many at a time at all."),
        Member::optional(
            "maxMessagesCount",
            Number(0, 1000),
            "The most events of one call; 0 stands for the default. Never more than the broker gives out at once.",
        )
        .or(Absent::Number(100)),
        Member::optional(
            "maxAwaitDurationMs",
            Number(0, 60_000),
            "How long the first one waits for others, in milliseconds; 0 stands for the default.",
        )
        .or(Absent::Number(1000)),
    ],
};

const ROUTES: Shape = Shape {
    members: &[
        Member::optional("rules", List(&RULE), "Rules, tried in order."),
        Member::optional("default", Path, "Path for events that no rule takes."),
    ],
};

const RULE: Shape = Shape {
    members: &[
        Member::optional(
            "match",
            Condition,
            "The condition, in CEL over the variable event. The empty one always holds.",
        ),
        Member::needed("path", Path, "Path in the application."),
    ],
};

const ENVIRONMENT: Shape = Shape {
    members: &[Member::needed(
        "env",
        Word,
        "Name of the environment variable that holds it, which vm_config.environment_variables has to name too.",
    )],
};

const API: Shape = Shape {
    members: &[
        Member::optional("allowed", List(&API_RULE), "Only these, if there are any of a protocol."),
        Member::optional("denied", List(&API_RULE), "Not these, whatever is allowed."),
    ],
};

const API_RULE: Shape = Shape {
    members: &[
        Member::needed("name", OneOf(ApiRule::NAMES), "Dapr's name of the API."),
        Member::needed("version", OneOf(ApiRule::VERSIONS), "Its version."),
        Member::needed("protocol", OneOf(ApiProtocol::WORDS), "How it is asked."),
    ],
};

const ACCESS_CONTROL: Shape = Shape {
    members: &[
        Member::optional(
            "defaultAction",
            OneOf(Action::WORDS),
            "What holds where no policy says otherwise. Absent: deny if there are policies, else allow.",
        ),
        Member::optional("policies", List(&POLICY), "What single callers may do."),
        Member::optional("probes", Words, "Paths that are not judged when they are read with GET or HEAD."),
    ],
};

const POLICY: Shape = Shape {
    members: &[
        Member::needed("appId", Label, "The caller's app id."),
        Member::needed("namespace", Label, "The caller's namespace."),
        Member::needed("trustDomain", Word, "The trust domain of the caller's certificate."),
        Member::optional(
            "defaultAction",
            OneOf(Action::WORDS),
            "What holds where no operation says otherwise. Absent: the default of all.",
        ),
        Member::optional("operations", List(&OPERATION), "Rules for single paths."),
    ],
};

const OPERATION: Shape = Shape {
    members: &[
        Member::needed(
            "name",
            Name,
            "The path, encoded as in a URL. * stands for any part of one segment, ** for any part of the path.",
        ),
        Member::optional("httpVerb", Words, "Verbs; * for any. None: any."),
        Member::needed("action", OneOf(Action::WORDS), "What holds for them."),
    ],
};

const CALLERS: Shape = Shape {
    members: &[
        Member::optional("identity", OneOf(Identity::WORDS), "What says who calls.").or(Absent::Text("certificate")),
        Member::optional(
            "serviceAccounts",
            Texts,
            "Which application runs under which service account, <namespace>/<account>. Empty: accounts are named as their \
             applications.",
        ),
    ],
};

const TRACING: Shape = Shape {
    members: &[
        Member::optional(
            "samplingRate",
            Share,
            "Share of new traces that are sampled, from 0 to 1; 0 turns tracing off, as in Dapr.",
        )
        .or(Absent::Text(DEFAULT_SAMPLING)),
        #[cfg(feature = "blocks")]
        Member::optional(
            "otlp",
            Object(&OTLP),
            "What takes the spans that the filter makes, of events, by OpenTelemetry's protocol. Absent: there are none.",
        ),
    ],
};

#[cfg(feature = "blocks")]
const OTLP: Shape = Shape {
    members: &[
        Member::needed("cluster", Word, "Name of the Envoy cluster of the collector; with HTTP/2 for gRPC."),
        Member::needed("authority", Word, "The requests' :authority."),
        Member::optional("protocol", OneOf(Transport::WORDS), "Protocol buffers by HTTP, to /v1/traces, or gRPC.")
            .or(Absent::Text("http")),
        Member::optional("timeoutMs", Number(1, 60_000), "How long a request may take, in milliseconds.")
            .or(Absent::Number(DEFAULT_TIMEOUT_MS)),
    ],
};

const LIMITS: Shape = Shape {
    members: &[Member::optional(
        "maxBodyBytes",
        BodySize(LARGEST_MAX_BODY),
        "Largest body, in bytes, of a request that the filter itself answers. Invocations are not bounded. \
         One command to a backend has at most 64 MiB, with what is added to a body.",
    )
    .or(Absent::Number(DEFAULT_MAX_BODY))],
};

const TEST: Shape = Shape { members: &[Member::optional("trap", Flag, "GET /weft-test/trap makes the module panic.")] };
