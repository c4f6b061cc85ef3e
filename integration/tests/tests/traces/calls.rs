//! Calls through two proxies whose own tracers are on.

use super::{PARENT, flags, trace, unsampled};
use hyper::Method;
use weft::bootstrap::Transport;
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Answer;
use weft_tests::collector::{Collector, assert_one_tree};
use weft_tests::dapr::unique;
use weft_tests::node::{Nodes, Spec};

/// `orders` and `warehouse`, each with a proxy that sends spans to the collector.
fn start(collector: &Collector, transport: Transport, rate: &str) -> Nodes {
    let spec = |id: &str| {
        let identity = format!("spiffe://cluster.local/ns/shop/sa/{id}");
        Spec::new(id, Some(&identity)).spans(collector.target(transport), rate)
    };
    Nodes::start(1, &[spec("orders"), spec("warehouse")])
}

fn call(nodes: &Nodes, headers: &[(&str, &str)]) -> (String, Answer, Seen) {
    let path = format!("/{}", unique("traced"));
    let warehouse = nodes.get("warehouse");
    warehouse.server.on(&path, Reply::status(200));
    let call = nodes.get("orders").call(Method::GET, &format!("/v1.0/invoke/warehouse/method{path}?x=1"));
    let answer = headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().expect(200);
    let seen = warehouse.server.wait_for(&path, 1).remove(0);
    (path, answer, seen)
}

#[test]
fn a_call_without_a_trace_is_one_tree_of_both_proxies() {
    for transport in [Transport::Http, Transport::Grpc] {
        let collector = Collector::start();
        let nodes = start(&collector, transport, "1");
        let (path, answer, seen) = call(&nodes, &[]);
        let at_callee = seen.value("traceparent").unwrap();
        let told = answer.header("traceparent").expect("the caller is told its trace");
        assert_eq!(trace(told), trace(&at_callee), "one trace");
        let spans = collector.trace(trace(told), 2);
        assert_one_tree(&spans, "");
        let [caller, callee] = &spans[..] else { panic!("{spans:#?}") };
        assert_eq!((caller.service.as_str(), callee.service.as_str()), ("orders", "warehouse"));
        assert_eq!(caller.name, callee.name);
        assert_eq!(callee.name, format!("CallLocal/warehouse{path}"));
        assert_eq!((caller.tag("dapr.protocol"), callee.tag("rpc.service")), ("http", "ServiceInvocation"));
        assert_eq!(callee.parent, caller.id);
        assert_eq!(at_callee, format!("{}01", callee.prefix()), "the application is below the callee's span");
        // Health checks and the like make no spans, and what the operator set reaches the collector.
        assert_eq!(collector.spans().len(), 2, "{:#?}", collector.spans());
        let (_, headers) = collector.requests().remove(0);
        assert_eq!(headers["x-tenant"], "50%");
        nodes.check_logs();
    }
}

#[test]
fn a_call_with_a_trace_belongs_to_it() {
    let collector = Collector::start();
    let nodes = start(&collector, Transport::Http, "0.000001");
    let (_, answer, seen) = call(&nodes, &[("traceparent", PARENT), ("tracestate", "a=1")]);
    let spans = collector.trace(trace(PARENT), 2);
    assert_one_tree(&spans, "00f067aa0ba902b7");
    let at_callee = seen.value("traceparent").unwrap();
    assert_eq!(at_callee, format!("{}01", spans[1].prefix()));
    assert_eq!(seen.value("tracestate").as_deref(), Some("a=1"));
    let told = answer.header("traceparent").unwrap();
    assert_eq!((trace(told), flags(told), answer.header("tracestate")), (trace(PARENT), "01", Some("a=1")));
    assert_eq!(seen.value("x-client-trace-id"), None);
    nodes.check_logs();
}

#[test]
fn a_call_that_is_not_sampled_makes_no_span_and_says_so() {
    let collector = Collector::start();
    let nodes = start(&collector, Transport::Http, "0.000001");
    let (_, answer, seen) = call(&nodes, &[]);
    let (told, at_callee) = (answer.header("traceparent").unwrap(), seen.value("traceparent").unwrap());
    assert_eq!((trace(told), flags(told), flags(&at_callee)), (trace(&at_callee), "00", "00"));
    let (_, answer, seen) = call(&nodes, &[("traceparent", &unsampled())]);
    let (told, at_callee) = (answer.header("traceparent").unwrap(), seen.value("traceparent").unwrap());
    assert_eq!((trace(told), trace(&at_callee)), (trace(PARENT), trace(PARENT)));
    assert_eq!((flags(told), flags(&at_callee)), ("00", "00"));
    // A sampled one comes last; whatever came before it would be there too.
    let other = PARENT.replace("4bf92f35", "4bf92f36");
    call(&nodes, &[("traceparent", &other)]);
    assert_one_tree(&collector.trace(trace(&other), 2), "00f067aa0ba902b7");
    assert_eq!(collector.spans().len(), 2);
    nodes.check_logs();
}

#[test]
fn what_is_no_traceparent_makes_one_trace_too() {
    let collector = Collector::start();
    let nodes = start(&collector, Transport::Http, "1");
    // Envoy takes capital letters, which are none of the standard's; then so does the filter.
    for junk in ["junk", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00---01", ""] {
        let (_, answer, seen) = call(&nodes, &[("traceparent", junk), ("tracestate", "a=1")]);
        let told = answer.header("traceparent").unwrap();
        assert_eq!(trace(told), trace(&seen.value("traceparent").unwrap()), "{junk}");
        assert_ne!(trace(told), "", "{junk}");
    }
    nodes.check_logs();
}
