//! Events: publish and delivery as spans of the filter's own, and one tree over all hops.

use super::{PARENT, flags, trace, unsampled};
use hyper::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weft::bootstrap::Transport;
use weft_tests::app::{Reply, Seen};
use weft_tests::client::Answer;
use weft_tests::collector::{Collector, Span, assert_one_tree, target};
use weft_tests::dapr::unique;
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::Redis;
use weft_tests::{ports, wait};

/// OTLP's numbers.
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

fn subscription(bus: &str, topic: &str) -> Value {
    json!({"pubsubname": bus, "topic": topic, "route": format!("/{topic}")})
}

/// `orders` publishes, `warehouse` takes "one", "raw" and "many", `courier` takes "two" from it.
fn builder() -> Builder {
    let raw = json!({"pubsubname": "pubsub", "topic": "raw", "route": "/raw", "metadata": {"rawPayload": "true"}});
    let many = json!({"pubsubname": "pubsub", "topic": "many", "route": "/many", "bulkSubscribe":
        {"enabled": true, "maxMessagesCount": 2, "maxAwaitDurationMs": 5000}});
    Mesh::builder()
        .redis(Redis::start())
        .in_memory()
        .app("orders")
        .app("warehouse")
        .subscribes(json!([subscription("pubsub", "one"), raw, many]))
        .app("courier")
        .subscribes(json!([subscription("membus", "two")]))
}

fn started(builder: Builder) -> Mesh {
    let mesh = builder.start();
    mesh.wait_until_subscribed("warehouse");
    mesh.wait_until_subscribed("courier");
    for (app, path) in [("warehouse", "/one"), ("warehouse", "/raw"), ("warehouse", "/many"), ("courier", "/two")] {
        mesh.app(app).server.on(path, Reply::status(200));
    }
    mesh
}

/// Leaves Envoy's own tracer out, as where nobody has switched it on.
fn without_envoys_tracer(bootstrap: &mut Value) {
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        let config = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        config.as_object_mut().unwrap().remove("tracing");
        config["http_filters"].as_array_mut().unwrap().retain(|it| it["name"] != "weft_span");
    }
}

fn own_spans(collector: &Collector, transport: Transport) -> Mesh {
    started(builder().spans(collector.target(transport)).edit(without_envoys_tracer))
}

fn publish(mesh: &Mesh, from: &str, to: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let call = mesh.app(from).call(Method::POST, &format!("/v1.0/publish/{to}"));
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).body(body.to_owned()).send()
}

fn delivery(mesh: &Mesh, app: &str, path: &str) -> Seen {
    mesh.app(app).server.wait_for(path, 1).remove(0)
}

fn traceparent(seen: &Seen) -> String {
    seen.value("traceparent").expect("a traceparent")
}

fn invoke(mesh: &Mesh, from: &str, to: &str, headers: &[(&str, &str)]) -> Seen {
    let path = format!("/{}", unique("hop"));
    mesh.app(to).server.on(&path, Reply::status(200));
    let call = mesh.app(from).get(&format!("/v1.0/invoke/{to}/method{path}"));
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().expect(200);
    mesh.app(to).server.wait_for(&path, 1).remove(0)
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_call_two_events_and_what_their_subscribers_do_next_are_one_tree() {
    let collector = Collector::start();
    let mesh = started(builder().spans(collector.target(Transport::Grpc)));
    // A call, whose callee publishes, whose subscriber publishes raw bytes, whose subscriber calls.
    let called = traceparent(&invoke(&mesh, "orders", "warehouse", &[]));
    assert_eq!(publish(&mesh, "warehouse", "pubsub/one", &[("traceparent", &called)], "x").status, 204);
    let first = traceparent(&delivery(&mesh, "warehouse", "/one"));
    let raw = publish(&mesh, "warehouse", "membus/two?metadata.rawPayload=false", &[("traceparent", &first)], "x");
    assert_eq!(raw.status, 204);
    let second = traceparent(&delivery(&mesh, "courier", "/two"));
    let raw =
        publish(&mesh, "courier", "pubsub/raw?metadata.rawPayload=true", &[("traceparent", &second)], "raw bytes");
    assert_eq!(raw.status, 204);
    let third = traceparent(&delivery(&mesh, "warehouse", "/raw"));
    let last = traceparent(&invoke(&mesh, "warehouse", "orders", &[("traceparent", &third)]));
    // Calls: a span on each side. Events: Envoy's span of the request, ours of publishing and of the delivery.
    let spans = collector.trace(trace(&last), 2 + 3 * 3 + 2);
    assert_one_tree(&spans, "");
    for (topic, bus, delivered) in [("one", "pubsub", &first), ("two", "membus", &second), ("raw", "pubsub", &third)] {
        let name = format!("/v1.0/publish/{bus}/{topic}");
        let [of_envoy, of_filter] = named(&spans, &name)[..] else { panic!("{spans:#?}") };
        assert_eq!((of_filter.kind, &of_filter.parent), (CLIENT, &of_envoy.id));
        let [delivery] = named(&spans, &format!("pubsub/{topic}"))[..] else { panic!("{spans:#?}") };
        assert_eq!((delivery.kind, &delivery.parent), (CLIENT, &of_filter.id));
        assert_eq!(**delivered, format!("{}01", delivery.prefix()));
    }
    let services: Vec<&str> = named(&spans, "pubsub/two").iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, ["courier"]);
}

#[test]
fn the_spans_of_an_event_say_what_dapr_says_and_what_messaging_says() {
    for transport in [Transport::Http, Transport::Grpc] {
        let collector = Collector::start();
        let mesh = own_spans(&collector, transport);
        let headers = [("traceparent", PARENT), ("tracestate", "a=1")];
        let answer = publish(&mesh, "orders", "pubsub/one", &headers, "hello");
        let seen = delivery(&mesh, "warehouse", "/one");
        let spans = collector.trace(trace(PARENT), 2);
        assert_one_tree(&spans, "00f067aa0ba902b7");
        let [publish, delivery] = &spans[..] else { panic!("{spans:#?}") };
        assert_eq!((publish.service.as_str(), delivery.service.as_str()), ("orders", "warehouse"));
        assert_eq!(answer.header("traceparent"), Some(format!("{}01", publish.prefix()).as_str()));
        assert_eq!(seen.json()["traceparent"], format!("{}01", publish.prefix()));
        assert_eq!(traceparent(&seen), format!("{}01", delivery.prefix()));
        let common = [("dapr.protocol", "http"), ("messaging.system", "pubsub"), ("messaging.destination.name", "one")];
        let of_publish = [
            ("dapr.api", "POST /v1.0/publish/pubsub/one"),
            ("dapr.status_code", "204"),
            ("messaging.operation.type", "send"),
            ("messaging.message.body.size", "5"),
        ];
        let of_delivery = [("dapr.status_code", "200"), ("messaging.operation.type", "process")];
        for (span, own) in [(publish, &of_publish[..]), (delivery, &of_delivery[..])] {
            for (name, value) in common.iter().chain(own) {
                assert_eq!(span.tag(name), *value, "{name} of {span:#?}");
            }
            assert_eq!((span.status, span.state.as_str(), span.flags), (0, "a=1", 1));
        }
        let (_, headers) = collector.requests().remove(0);
        assert_eq!(headers["x-tenant"], "50%");
        wait::until_true("the spans are counted", || mesh.envoy.admin().stat("wasmcustom.weft.spans.sent") == 2);
    }
}

#[test]
fn an_event_that_brings_its_own_trace_stays_in_it() {
    let collector = Collector::start();
    let mesh = own_spans(&collector, Transport::Http);
    let event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": 1, "traceparent": PARENT});
    let answer =
        publish(&mesh, "orders", "pubsub/one", &[("content-type", "application/cloudevents+json")], &event.to_string());
    assert_eq!(answer.status, 204);
    let seen = delivery(&mesh, "warehouse", "/one");
    let spans = collector.trace(trace(PARENT), 2);
    assert_one_tree(&spans, "00f067aa0ba902b7");
    assert_eq!(traceparent(&seen), format!("{}01", spans[1].prefix()));
    // By its metadata, and beside a raw payload.
    let other = PARENT.replace("4bf92f35", "4bf92f36");
    publish(&mesh, "orders", &format!("pubsub/one?metadata.cloudevent.traceparent={other}"), &[], "x").expect(204);
    let spans = collector.trace(trace(&other), 2);
    assert!(spans.iter().all(|span| span.parent == "00f067aa0ba902b7"), "{spans:#?}");
    let third = PARENT.replace("4bf92f35", "4bf92f37");
    let to = format!("pubsub/raw?metadata.rawPayload=true&metadata.traceparent={third}");
    publish(&mesh, "orders", &to, &[], "raw").expect(204);
    let spans = collector.trace(trace(&third), 2);
    assert!(spans.iter().all(|span| span.parent == "00f067aa0ba902b7"), "{spans:#?}");
}

#[test]
fn events_in_bulk_have_a_span_each() {
    let collector = Collector::start();
    let mesh = own_spans(&collector, Transport::Grpc);
    let taken = ["0", "1"].map(|id| json!({"entryId": id, "status": "SUCCESS"}));
    mesh.app("warehouse").server.on("/many", Reply::json(200, &json!({"statuses": taken})));
    let entries = json!([{"entryId": "1", "event": "a", "contentType": "text/plain"},
        {"entryId": "2", "event": "b", "contentType": "text/plain"}]);
    let call = mesh.app("orders").call(Method::POST, "/v1.0/publish/bulk/pubsub/many").json(&entries);
    call.header("traceparent", PARENT).send().expect(204);
    let spans = collector.trace(trace(PARENT), 1 + 2 + 2);
    assert_one_tree(&spans, "00f067aa0ba902b7");
    let all = named(&spans, "/v1.0/publish/bulk/pubsub/many");
    let whole = all.iter().find(|span| span.kind == CLIENT).unwrap();
    let entries: Vec<_> = all.iter().filter(|span| span.kind == PRODUCER).collect();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|span| span.parent == whole.id));
    let deliveries = named(&spans, "pubsub/many");
    assert!(deliveries.iter().all(|span| entries.iter().any(|entry| entry.id == span.parent)), "{spans:#?}");
    assert_ne!(deliveries[0].parent, deliveries[1].parent);
}

#[test]
fn what_fails_is_a_span_with_an_error_and_each_try_of_a_delivery_is_one() {
    let collector = Collector::start();
    let mesh = own_spans(&collector, Transport::Http);
    publish(&mesh, "orders", "nowhere/one", &[("traceparent", PARENT)], "x").expect(404);
    let spans = collector.trace(trace(PARENT), 1);
    assert_eq!((spans[0].status, spans[0].tag("dapr.status_code")), (2, "404"));
    assert!(spans[0].message.contains("nowhere"), "{}", spans[0].message);
    let other = PARENT.replace("4bf92f35", "4bf92f36");
    mesh.app("warehouse").server.on_each("/one", vec![Reply::status(500), Reply::status(200)]);
    publish(&mesh, "orders", "pubsub/one", &[("traceparent", &other)], "x").expect(204);
    let spans = collector.trace(trace(&other), 3);
    assert_one_tree(&spans, "00f067aa0ba902b7");
    let tries = named(&spans, "pubsub/one");
    let codes: Vec<_> = tries.iter().map(|span| (span.tag("dapr.status_code"), span.status)).collect();
    assert_eq!(codes, [("500", 2), ("200", 0)]);
    assert!(tries[0].message.contains("500"), "{}", tries[0].message);
}

#[test]
fn an_event_of_a_trace_that_is_not_sampled_makes_no_span() {
    let collector = Collector::start();
    let mesh = started(builder().sampling("0.000001").spans(collector.target(Transport::Http)));
    publish(&mesh, "orders", "pubsub/one", &[("traceparent", &unsampled())], "x").expect(204);
    let seen = delivery(&mesh, "warehouse", "/one");
    assert_eq!((trace(&traceparent(&seen)), flags(&traceparent(&seen))), (trace(PARENT), "00"));
    let answer = publish(&mesh, "orders", "pubsub/one", &[], "x").expect(204);
    assert_eq!(flags(answer.header("traceparent").unwrap()), "00");
    // A sampled one comes last; what the others make would be there.
    let other = PARENT.replace("4bf92f35", "4bf92f36");
    publish(&mesh, "orders", "pubsub/one", &[("traceparent", &other)], "x").expect(204);
    assert_one_tree(&collector.trace(trace(&other), 3), "00f067aa0ba902b7");
    assert_eq!(collector.spans().len(), 3, "{:#?}", collector.spans());
}

#[test]
fn while_the_collector_is_away_spans_are_dropped_and_counted_and_no_event_waits() {
    let port = ports::free();
    let mesh = started(builder().spans(target(port, Transport::Grpc)).edit(without_envoys_tracer));
    let stat = |name: &str| mesh.envoy.admin().stat(&format!("wasmcustom.weft.spans.{name}"));
    let start = Instant::now();
    for _ in 0..50 {
        publish(&mesh, "orders", "pubsub/one", &[], "x").expect(204);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    wait::until_true("all spans are dropped", || stat("dropped") == 100);
    let collector = Collector::start_at(port);
    collector.refuse(true);
    publish(&mesh, "orders", "pubsub/one", &[], "x").expect(204);
    wait::until_true("what a collector refuses is dropped", || stat("dropped") == 102);
    collector.refuse(false);
    publish(&mesh, "orders", "pubsub/one", &[("traceparent", PARENT)], "x").expect(204);
    assert_one_tree(&collector.trace(trace(PARENT), 2), "00f067aa0ba902b7");
    assert_eq!((stat("dropped"), stat("sent")), (102, 2));
}
