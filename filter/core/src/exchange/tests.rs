use super::*;
use crate::fake::FakeHost;
use crate::grpc::GrpcStatus;
use crate::worker::Vm;

const CONFIG: &[u8] = br#"{"version":1,"appId":"orders","limits":{"maxBodyBytes":10},"test":{"trap":true},
    "invoke":{"apps":{"warehouse":{"cluster":"to_warehouse","authority":"warehouse.example"}}},"tracing":{"samplingRate":"0"}}"#;

fn exchange() -> Exchange {
    let app = App::read(CONFIG, FakeHost::new(), Vm::default()).unwrap();
    Exchange::new(app, StreamId(7))
}

fn head(method: &str, path: &str) -> Headers {
    Headers::new().with(":method", method).with(":path", path)
}

/// An answer; `details` are the proxy's, `None` where nobody may ask for them.
struct Answer(Headers, Option<&'static str>);

impl AnswerHead for Answer {
    fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).map(<[u8]>::to_vec)
    }

    fn details(&self) -> String {
        self.1.expect("nobody asks for details").to_owned()
    }

    fn host(&self) -> Option<String> {
        None
    }

    fn tries(&self) -> u32 {
        0
    }
}

/// One that came from a host.
fn answer(status: u16) -> Answer {
    Answer(Headers::new().with(":status", status.to_string()).with("x-envoy-upstream-service-time", "1"), None)
}

fn made_up(status: u16, details: &'static str) -> Answer {
    Answer(Headers::new().with(":status", status.to_string()), Some(details))
}

fn goes_on(step: &ResponseStep) -> bool {
    matches!(step, ResponseStep::Edit(edits) if edits.set.is_empty() && edits.add.is_empty())
}

fn reply(step: Step) -> Reply {
    match step {
        Step::Reply(reply) => reply,
        other => panic!("no reply: {other:?}"),
    }
}

#[test]
fn an_invocation_goes_on_without_waiting_for_its_body() {
    let mut exchange = exchange();
    let step = exchange.request_head(head("POST", "/v1.0/invoke/warehouse/method/x"), false);
    assert!(matches!(step, Step::Forward(_)));
    assert_eq!(exchange.request_body(1 << 30, false, || panic!("read")), Step::Continue);
}

#[test]
fn the_applications_own_error_goes_back_verbatim() {
    let mut exchange = exchange();
    exchange.request_head(head("GET", "/v1.0/invoke/warehouse/method/x"), true);
    assert!(goes_on(&exchange.response_head(&answer(503))));
}

#[test]
fn what_the_proxy_made_up_becomes_daprs_error() {
    let mut exchange = exchange();
    exchange.request_head(head("GET", "/v1.0/invoke/warehouse/method/x"), true);
    let step = exchange.response_head(&made_up(503, "no_healthy_upstream"));
    let ResponseStep::Replace(reply) = step else { panic!("{step:?}") };
    assert_eq!(reply.status, 500);
    let body = String::from_utf8(reply.body).unwrap();
    for part in ["ERR_DIRECT_INVOKE", "id: warehouse", "no healthy host", "host warehouse.example"] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
    // The replacement itself comes through the same callback.
    assert_eq!(exchange.response_head(&made_up(500, "")), ResponseStep::Continue);
}

#[test]
fn a_response_without_the_routers_header_is_the_applications_if_the_proxy_says_so() {
    let mut exchange = exchange();
    exchange.request_head(head("GET", "/v1.0/invoke/warehouse/method/x"), true);
    assert!(goes_on(&exchange.response_head(&made_up(404, "via_upstream"))));
}

#[test]
fn a_body_above_the_limit_is_refused_by_its_announced_and_by_its_real_size() {
    let announced = head("POST", "/v1.0/state/s").with("content-length", "11");
    assert_eq!(reply(exchange().request_head(announced, false)).status, 400);
    let mut exchange = exchange();
    assert_eq!(exchange.request_head(head("POST", "/v1.0/state/s"), false), Step::Pause);
    assert_eq!(exchange.request_body(10, false, || panic!("read")), Step::Pause);
    let refused = reply(exchange.request_body(11, false, || panic!("read")));
    assert!(String::from_utf8(refused.body).unwrap().contains("maxBodyBytes"));
    assert_eq!(exchange.request_body(12, true, || panic!("read")), Step::Continue);
}

#[test]
fn trailers_complete_a_body() {
    let mut exchange = exchange();
    assert_eq!(exchange.request_head(head("POST", "/v1.0/state/s"), false), Step::Pause);
    assert_eq!(exchange.request_body(2, false, Vec::new), Step::Pause);
    assert_eq!(exchange.request_trailers(|| b"[]".to_vec()), Step::Pause);
    assert!(exchange.app.flows().unwrap().is_running(StreamId(7)));
}

#[test]
fn a_client_that_leaves_takes_its_flow_along() {
    let mut exchange = exchange();
    exchange.request_head(head("POST", "/v1.0/state/s"), false);
    exchange.request_body(2, true, || b"[]".to_vec());
    exchange.gone();
    assert!(!exchange.app.flows().unwrap().is_running(StreamId(7)));
    assert!(exchange.app.flows().unwrap().run(crate::runtime::Scope::Root).is_empty());
}

#[test]
fn grpc_is_answered_as_unimplemented() {
    let headers = head("POST", "/dapr.proto.runtime.v1.Dapr/GetState").with("content-type", "application/grpc+proto");
    let step = exchange().request_head(headers, false);
    assert!(matches!(step, Step::Refuse(refusal) if refusal.message.contains("GetState")));
}

#[test]
fn a_grpc_call_that_names_an_application_goes_there() {
    let call = |path| {
        let headers = head("POST", path).with("content-type", "application/grpc").with("te", "trailers");
        exchange().request_head(headers.with("dapr-app-id", "warehouse").with("dapr-callee-app-id", "warehouse"), false)
    };
    let Step::Forward(edits) = call("/pkg.Stock/Count") else { panic!("it goes on") };
    assert!(!edits.remove.contains(&"te"), "{:?}", edits.remove);
    assert!(edits.remove.contains(&"dapr-app-id"), "{:?}", edits.remove);
    for path in ["/pkg.Stock/Count?x", "/pkg.Stock/%41", "/a/../b", "pkg.Stock/Count"] {
        let step = call(path);
        assert!(matches!(&step, Step::Refuse(it) if it.status == GrpcStatus::InvalidArgument), "{path}: {step:?}");
    }
}

#[test]
fn what_only_looks_like_grpc_is_an_ordinary_request() {
    for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grpcs", "application/grpc;x=y"] {
        let headers = head("POST", "/v1.0/invoke/warehouse/method/x").with("content-type", kind);
        assert!(matches!(exchange().request_head(headers, false), Step::Forward(_)), "{kind}");
    }
}

#[test]
fn the_trap_switch_works_only_where_it_is_set() {
    assert_eq!(exchange().request_head(head("GET", "/weft-test/trap"), true), Step::Trap);
    let app = App::read(br#"{"version":1,"appId":"orders"}"#, FakeHost::new(), Vm::default()).unwrap();
    assert_eq!(reply(Exchange::new(app, StreamId(1)).request_head(head("GET", "/weft-test/trap"), true)).status, 404);
}
