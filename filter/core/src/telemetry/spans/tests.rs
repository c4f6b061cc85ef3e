use super::*;
use crate::fake::{Called, FakeHost};
use crate::host::Host as _;
use crate::runtime::Scope;
use crate::telemetry::Sampling;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Fixture {
    host: Rc<FakeHost>,
    runtime: Runtime,
    spans: Spans,
}

fn fixture(transport: Transport) -> Fixture {
    let host = FakeHost::new();
    let runtime = Runtime::new(host.clone(), LogLevel::Info);
    let (cluster, authority) = ("otel".to_owned(), "otel.example:4317".to_owned());
    let spans = Spans::new(Some(&Otlp { cluster, authority, transport, timeout_ms: 700 }), "orders", &runtime);
    Fixture { host, runtime, spans }
}

impl Fixture {
    fn record(&self, parent: &str, name: &str) {
        let trace = Trace::of_event(Some(parent), None, &Sampling::All, &*self.host);
        let texts = [("key", "value")];
        let span = Span {
            trace: &trace,
            name,
            kind: Kind::Client,
            start: self.host.now(),
            texts: &texts,
            numbers: &[("size", 300)],
            error: Some("why"),
        };
        self.spans.record(&span);
    }

    fn count(&self, metric: Metric) -> u32 {
        self.host.counts.borrow().get(&metric).copied().unwrap_or_default()
    }

    fn answer(&self, status: u16, body: &[u8]) -> Called {
        let called = self.host.answer(&self.runtime, status, body);
        self.runtime.run(Scope::Root);
        called
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn spans_wait_for_each_other_and_go_out_together() {
    let it = fixture(Transport::Http);
    it.record(PARENT, "one");
    it.record(PARENT, "two");
    it.host.pass(&it.runtime, PAUSE / 2);
    assert_eq!((it.host.calls.borrow().len(), it.spans.pending()), (0, 2));
    it.host.pass(&it.runtime, PAUSE);
    let call = it.answer(200, b"");
    assert_eq!(call.headers.text(":path"), Some("/v1/traces"));
    assert_eq!((call.cluster.as_str(), call.timeout), ("otel", Duration::from_millis(700)));
    for part in [&b"one"[..], b"two", b"service.name", b"orders", b"key", b"why", &[0x4b, 0xf9, 0x2f, 0x35]] {
        assert!(contains(&call.body, part), "{:?}", call.body);
    }
    // The whole is one field, whose length is that of all that follows it.
    let [0x0a, low, high, rest @ ..] = &call.body[..] else { panic!("{:?}", call.body) };
    assert_eq!(usize::from(low & 0x7f) + usize::from(*high) * 128, rest.len());
    assert_eq!((it.count(Metric::SpansSent), it.spans.pending()), (2, 0));
    // With nothing left the flow ends, and the next span begins another.
    it.host.pass(&it.runtime, PAUSE * 3);
    it.record(PARENT, "three");
    it.host.pass(&it.runtime, PAUSE * 2);
    it.answer(200, b"");
    assert_eq!(it.count(Metric::SpansSent), 3);
}

#[test]
fn by_grpc_an_answer_without_a_message_is_an_error() {
    let it = fixture(Transport::Grpc);
    for (body, sent, dropped) in [(&b""[..], 0, 1), (&[0; 5], 1, 1)] {
        it.record(PARENT, "one");
        it.host.pass(&it.runtime, PAUSE * 2);
        let call = it.answer(200, body);
        let length = u32::from_be_bytes(call.body[1..5].try_into().unwrap());
        assert_eq!((call.body[0], usize::try_from(length).unwrap()), (0, call.body.len() - 5));
        assert_eq!((it.count(Metric::SpansSent), it.count(Metric::SpansDropped)), (sent, dropped));
    }
    let log = it.host.log.borrow();
    assert!(log[0].contains("takes no spans") && log[1].contains("takes spans again"), "{log:?}");
}

#[test]
fn while_a_collector_does_not_answer_there_is_a_bound_above_which_spans_are_dropped() {
    let it = fixture(Transport::Http);
    let name = "x".repeat(LONGEST * 2);
    for _ in 0..ENOUGH / LONGEST {
        it.record(PARENT, &name);
    }
    it.host.pass(&it.runtime, Duration::from_millis(5));
    assert_eq!(it.host.calls.borrow().len(), 1, "enough of them do not wait");
    let most = u32::try_from(MOST / LONGEST).unwrap();
    for _ in 0..most + 100 {
        it.record(PARENT, &name);
    }
    let dropped = it.count(Metric::SpansDropped);
    assert!((100..most / 2).contains(&dropped), "{dropped}");
    let call = it.host.fail(&it.runtime, 504);
    assert!(call.body.len() < ENOUGH * 2);
    it.host.pass(&it.runtime, PAUSE * 2);
    assert!(it.answer(200, b"").body.len() < MOST + ENOUGH);
    assert_eq!(it.count(Metric::SpansSent) + it.count(Metric::SpansDropped), most + 100 + 128);
}

#[test]
fn what_is_not_sampled_and_what_nobody_takes_is_not_kept() {
    let it = fixture(Transport::Http);
    it.record(&PARENT.replace("-01", "-00"), "one");
    assert_eq!(it.spans.pending(), 0);
    let none = Fixture { spans: Spans::new(None, "orders", &it.runtime), ..it };
    none.record(PARENT, "one");
    assert_eq!(none.spans.pending(), 0);
}

#[test]
fn before_the_end_spans_go_out_at_once() {
    let it = fixture(Transport::Http);
    it.record(PARENT, "one");
    it.spans.flush();
    it.host.pass(&it.runtime, Duration::from_millis(5));
    it.answer(200, b"");
    assert_eq!(it.spans.pending(), 0);
}

#[test]
fn a_proxy_without_the_cluster_costs_the_spans_and_nothing_else() {
    let it = fixture(Transport::Http);
    it.host.refuse_call.set(Some(crate::host::HostError::UnknownCluster));
    it.record(PARENT, "one");
    it.host.pass(&it.runtime, PAUSE * 2);
    assert_eq!((it.count(Metric::SpansDropped), it.spans.pending()), (1, 0));
}
