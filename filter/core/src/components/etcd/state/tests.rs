//! The store against bytes: what it sends, and what it makes of the answers.

use super::*;
use crate::fake::{Called, FakeHost};
use crate::host::GrpcOutcome;
use crate::protobuf::{Message, Value, read};
use crate::runtime::{Runtime, Scope};
use crate::state::{Concurrency, Ttl};

type Slot<T> = Rc<RefCell<Option<Result<T, StoreError>>>>;

struct Setup {
    host: Rc<FakeHost>,
    runtime: Runtime,
    store: Rc<dyn StateStore>,
}

fn ended(status: u32, message: &str) -> GrpcOutcome {
    GrpcOutcome { by_backend: true, status: Some(status), message: message.as_bytes().to_vec(), body: Vec::new() }
}

/// An answer that holds this message.
fn answered(message: &Message) -> GrpcOutcome {
    let length = u32::try_from(message.0.len()).unwrap();
    let body = [&[0][..], &length.to_be_bytes(), &message.0].concat();
    GrpcOutcome { body, ..ended(0, "") }
}

fn made_up(message: &str) -> GrpcOutcome {
    GrpcOutcome { by_backend: false, ..ended(14, message) }
}

/// A `RangeResponse` with one value.
fn found(revision: u64, value: &[u8]) -> Message {
    let (mut pair, mut out) = (Message::default(), Message::default());
    pair.bytes(1, b"/orders||k");
    pair.number(3, revision);
    pair.bytes(5, value);
    out.bytes(1, b"");
    out.bytes(2, &pair.0);
    out.number(4, 1);
    out
}

/// A `TxnResponse`.
fn transacted(succeeded: bool, looks: &[Message]) -> GrpcOutcome {
    let mut out = Message::default();
    if succeeded {
        out.number(2, 1);
    }
    for look in looks {
        let mut response = Message::default();
        response.bytes(1, &look.0);
        out.bytes(3, &response.0);
    }
    answered(&out)
}

impl Setup {
    fn new(version: &str) -> Self {
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), LogLevel::Debug);
        let site = Site::of_orders(&runtime, "weft_etcd");
        let component = Component {
            name: "s".to_owned(),
            kind: "state.etcd".to_owned(),
            version: version.to_owned(),
            cluster: Some("weft_etcd".to_owned()),
            metadata: Default::default(),
        };
        let store = build(&component, &site).unwrap();
        Self { host, runtime, store }
    }

    fn begin<T: 'static>(&self, flow: BoxFuture<'static, Result<T, StoreError>>) -> Slot<T> {
        let outcome: Slot<T> = Rc::default();
        let slot = Rc::clone(&outcome);
        self.runtime.spawn(Box::pin(async move {
            let ended = flow.await;
            *slot.borrow_mut() = Some(ended);
        }));
        self.runtime.run(Scope::Root);
        outcome
    }

    /// Answers the oldest call; gives its path and its message.
    fn answer(&self, outcome: GrpcOutcome) -> (String, Vec<u8>) {
        let (id, call): (_, Called) = self.host.calls.borrow_mut().pop_front().expect("a call");
        assert!(self.runtime.awaits_grpc(id));
        self.runtime.on_grpc_answer(id, outcome);
        self.runtime.run(Scope::Root);
        assert_eq!((call.cluster.as_str(), call.headers.text("te")), ("weft_etcd", Some("trailers")));
        let (frame, message) = call.body.split_at(5);
        assert_eq!(frame[0], 0);
        assert_eq!(u32::from_be_bytes(frame[1..].try_into().unwrap()) as usize, message.len());
        (call.headers.text(":path").unwrap().to_owned(), message.to_vec())
    }

    fn no_call(&self) -> bool {
        self.host.calls.borrow().is_empty()
    }

    fn set(&self, request: SetRequest, outcome: GrpcOutcome) -> (Vec<u8>, Result<(), StoreError>) {
        let ended = self.begin(self.store.set(request));
        let (path, message) = self.answer(outcome);
        assert_eq!(path, "/etcdserverpb.KV/Txn");
        (message, ended.take().expect("an outcome"))
    }
}

fn request(etag: &str, concurrency: Concurrency) -> SetRequest {
    let (key, data) = ("orders||k".to_owned(), b"\"v\"".to_vec());
    SetRequest { key, data, etag: Some(etag.to_owned()), concurrency, ..SetRequest::default() }
}

fn plain() -> SetRequest {
    request("", Concurrency::Unspecified)
}

/// The fields of a message that are bytes, with their numbers.
fn parts(message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let take = &mut |field, value: Value<'_>| {
        if let Value::Bytes(bytes) = value {
            found.push((field, bytes.to_vec()));
        }
    };
    read(message, take).unwrap();
    found
}

/// What daprd writes for `"v"` at 1,780,000,000 s and 5 ns: the value, the time of the write, and an empty duration.
const OF_DAPRD: &[u8] = b"\x0a\x03\"v\"\x12\x08\x08\x80\xca\xe2\xd0\x06\x10\x05\x1a\x00";

#[test]
fn a_value_is_written_as_daprd_writes_it_and_read_from_its_bytes() {
    let setup = Setup::new("v2");
    setup.host.advance(Duration::from_nanos(5));
    let (message, ended) = setup.set(plain(), transacted(true, &[]));
    assert_eq!(ended, Ok(()));
    let [(2, operation)] = &parts(&message)[..] else { panic!("one operation: {message:?}") };
    let [(2, put)] = &parts(operation)[..] else { panic!("a put: {operation:?}") };
    assert_eq!(parts(put), [(1, b"/orders||k".to_vec()), (2, OF_DAPRD.to_vec())]);

    let read = setup.begin(setup.store.get("orders||k".to_owned()));
    let (path, message) = setup.answer(answered(&found(77, OF_DAPRD)));
    assert_eq!((path.as_str(), parts(&message)), ("/etcdserverpb.KV/Range", vec![(1, b"/orders||k".to_vec())]));
    let record = Record { data: b"\"v\"".to_vec(), etag: Some("77".to_owned()), expires: None };
    assert_eq!(read.take().unwrap(), Ok(Some(record)));
}

#[test]
fn version_1_keeps_the_value_as_it_is() {
    let setup = Setup::new("v1");
    let (message, ended) = setup.set(plain(), transacted(true, &[]));
    assert_eq!(ended, Ok(()));
    assert!(message.windows(3).any(|it| it == b"\"v\"") && !message.windows(4).any(|it| it == &OF_DAPRD[..4]));
    let read = setup.begin(setup.store.get("orders||k".to_owned()));
    setup.answer(answered(&found(7, b"1")));
    assert_eq!(read.take().unwrap().unwrap().unwrap().data, b"1");
}

#[test]
fn what_is_no_value_of_version_2_is_told() {
    let setup = Setup::new("v2");
    for foreign in [&b"{\"a\":1}"[..], b"1", b"\"text\"", b"", b"null", b"\x0a\x01", b"\x0a\x01x"] {
        let read = setup.begin(setup.store.get("orders||k".to_owned()));
        setup.answer(answered(&found(7, foreign)));
        let Some(Err(StoreError::Failed { reason })) = read.take() else { panic!("{foreign:?}") };
        assert!(reason.contains("orders||k") && reason.contains("use version v1"), "{reason}");
    }
}

#[test]
fn a_life_is_a_lease_and_stands_in_the_value_and_the_lease_ends_with_a_write_that_was_not_done() {
    let setup = Setup::new("v2");
    let ended =
        setup.begin(setup.store.set(SetRequest { ttl: Ttl::Seconds(300), ..request("7", Concurrency::Unspecified) }));
    let mut lease = Message::default();
    lease.number(2, 5);
    assert_eq!(setup.answer(answered(&lease)), ("/etcdserverpb.Lease/LeaseGrant".to_owned(), b"\x08\xac\x02".to_vec()));
    let (_, message) = setup.answer(transacted(false, &[found(8, b"")]));
    let wanted = |bytes: &[u8]| message.windows(bytes.len()).any(|it| it == bytes);
    assert!(wanted(b"\x1a\x03\x08\xac\x02\x18\x05"), "the duration, then the lease: {message:?}");
    assert!(matches!(ended.take(), Some(Err(StoreError::EtagMismatch { .. }))));
    assert_eq!(
        setup.answer(answered(&Message::default())),
        ("/etcdserverpb.Lease/LeaseRevoke".to_owned(), b"\x08\x05".to_vec())
    );

    let value = b"\x0a\x011\x12\x06\x08\x80\xca\xe2\xd0\x06\x1a\x03\x08\xac\x02";
    let read = setup.begin(setup.store.get("orders||k".to_owned()));
    setup.answer(answered(&found(7, value)));
    let expires = read.take().unwrap().unwrap().unwrap().expires;
    assert_eq!(expires, Some(Duration::from_secs(1_780_000_300)));
}

#[test]
fn a_demand_that_is_not_met_is_a_mismatch_of_the_first_operation_that_made_it() {
    let setup = Setup::new("v2");
    let (message, ended) = setup.set(request("7", Concurrency::Unspecified), transacted(false, &[found(8, b"")]));
    let compare = b"\x10\x02\x1a\x0a/orders||k\x30\x07";
    assert!(parts(&message).contains(&(1, compare.to_vec())), "{message:?}");
    let Err(StoreError::EtagMismatch { reason }) = ended else { panic!("{ended:?}") };
    assert_eq!(reason, "failed to set key orders||k: its etag is not 7");
    let (message, ended) = setup.set(request("", Concurrency::FirstWrite), transacted(false, &[found(8, b"")]));
    assert!(parts(&message)[0].1.ends_with(b"\x30\x00"), "no value is write 0: {message:?}");
    let Err(StoreError::EtagMismatch { reason }) = ended else { panic!("{ended:?}") };
    assert_eq!(reason, "failed to set key orders||k: there is a value");

    let set = |key: &str, etag: &str| {
        Operation::Upsert(SetRequest { key: key.to_owned(), etag: Some(etag.to_owned()), ..plain() })
    };
    let ended = setup.begin(setup.store.transact(vec![set("c", "1"), set("b", "2"), set("a", "3"), set("d", "")]));
    // In the order of the keys: a is as it has to be.
    setup.answer(transacted(false, &[found(3, b""), Message::default(), found(9, b"")]));
    let Some(Err(StoreError::EtagMismatch { reason })) = ended.take() else { panic!("a mismatch") };
    assert_eq!(reason, "failed to set key c: its etag is not 1");
}

#[test]
fn an_etag_that_cannot_fit_is_told_without_asking() {
    let setup = Setup::new("v2");
    let ended = setup.begin(setup.store.set(request("abc", Concurrency::Unspecified)));
    assert!(matches!(ended.take(), Some(Err(StoreError::EtagMismatch { .. }))));
    assert!(setup.no_call());
}

#[test]
fn a_write_is_unknown_unless_etcd_refused_it_or_has_not_got_it() {
    let setup = Setup::new("v2");
    let kind = |outcome: GrpcOutcome| match setup.set(plain(), outcome).1 {
        Err(StoreError::Failed { reason }) => ("failed", reason),
        Err(StoreError::Unavailable { reason }) => ("not sent", reason),
        Err(StoreError::OutcomeUnknown { reason }) => ("unknown", reason),
        other => panic!("{other:?}"),
    };
    for status in [3, 5, 7, 8, 9, 16] {
        let text = "etcdserver: request is too large".to_owned();
        assert_eq!(kind(ended(status, "etcdserver: request is too%20large")), ("failed", text), "{status}");
    }
    for status in [1, 2, 4, 13, 14] {
        assert_eq!(kind(ended(status, "etcdserver: request timed out")).0, "unknown", "{status}");
    }
    for reason in [
        "no healthy upstream",
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        "upstream connect error or disconnect/reset before headers. reset reason: overflow",
        "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
    ] {
        let (kind, text) = kind(made_up(reason));
        assert!(kind == "not sent" && text.contains("no connection to weft_etcd: "), "{text}");
    }
    let cut = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    assert_eq!(kind(made_up(cut)).0, "unknown");
    assert_eq!(kind(GrpcOutcome::default()).0, "unknown", "the answer broke off");
    assert_eq!(kind(GrpcOutcome { status: None, ..ended(0, "") }).0, "unknown", "no answer of gRPC");
    for body in [&b""[..], b"\0\0\0\0\x01", b"\x01\0\0\0\0", b"\0\0\0\0\x01\xff", b"\0\0\0\0\0x"] {
        assert_eq!(kind(GrpcOutcome { body: body.to_vec(), ..ended(0, "") }).0, "unknown", "{body:?}");
    }
    assert!(setup.no_call());
}

#[test]
fn a_read_whose_answer_is_lost_is_asked_once_more() {
    let setup = Setup::new("v2");
    let read = setup.begin(setup.store.get("k".to_owned()));
    setup.answer(GrpcOutcome::default());
    setup.host.pass(&setup.runtime, Duration::from_millis(10));
    setup.answer(answered(&Message::default()));
    assert_eq!(read.take(), Some(Ok(None)));
    let read = setup.begin(setup.store.get("k".to_owned()));
    setup.answer(GrpcOutcome::default());
    setup.host.pass(&setup.runtime, Duration::from_millis(10));
    setup.answer(made_up("reset reason: connection termination"));
    assert!(matches!(read.take(), Some(Err(StoreError::Unavailable { .. }))));
    let read = setup.begin(setup.store.get("k".to_owned()));
    setup.host.advance(Duration::from_secs(6));
    setup.answer(made_up("upstream request timeout"));
    assert!(matches!(read.take(), Some(Err(StoreError::Unavailable { .. }))), "no time is left");
    assert!(setup.no_call());
}

#[test]
fn health_tells_why_etcd_was_never_reached_until_it_is() {
    let setup = Setup::new("v2");
    setup.store.start();
    setup.runtime.run(Scope::Root);
    assert_eq!(setup.store.trouble(), None);
    for _ in 0..3 {
        setup.answer(ended(3, "etcdserver: user name is empty"));
        assert_eq!(setup.store.trouble().as_deref(), Some("etcdserver: user name is empty"));
        setup.host.pass(&setup.runtime, Duration::from_secs(2));
    }
    assert_eq!(setup.host.log.borrow().len(), 1, "a reason is told once");
    setup.answer(answered(&Message::default()));
    assert_eq!(setup.store.trouble(), None);
}

#[test]
fn several_values_are_read_with_one_call_or_one_by_one_where_that_gives_nothing() {
    let setup = Setup::new("v2");
    let keys = || vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
    assert_eq!(setup.store.at_a_time(), 20);
    let begin = || {
        let flow = setup.store.get_many(keys());
        setup.begin(Box::pin(async move { Ok(flow.await) }))
    };
    let read = begin();
    let (path, message) = setup.answer(transacted(true, &[found(7, OF_DAPRD), Message::default(), found(7, b"x")]));
    assert_eq!(path, "/etcdserverpb.KV/Txn");
    let asked: Vec<_> =
        parts(&message).iter().map(|(_, operation)| parts(&parts(operation)[0].1)[0].1.clone()).collect();
    assert_eq!(asked, [b"/a", b"/b", b"/a"]);
    let [Ok(Some(first)), Ok(None), Err(StoreError::Failed { .. })] = &read.take().unwrap().unwrap()[..] else {
        panic!("each has its own")
    };
    assert_eq!((first.data.as_slice(), first.etag.as_deref()), (&b"\"v\""[..], Some("7")));

    for lost in [GrpcOutcome::default(), ended(3, "etcdserver: too many operations in txn request")] {
        let read = begin();
        setup.answer(lost);
        for _ in keys() {
            assert_eq!(setup.answer(answered(&found(7, OF_DAPRD))).0, "/etcdserverpb.KV/Range");
        }
        assert!(read.take().unwrap().unwrap().iter().all(Result::is_ok));
    }
    for away in [made_up("no healthy upstream"), transacted(true, &[])] {
        let read = begin();
        setup.answer(away);
        let read = read.take().unwrap().unwrap();
        assert!(read.len() == 3 && read.iter().all(|it| matches!(it, Err(StoreError::Unavailable { .. }))), "{read:?}");
    }
    assert!(setup.no_call());
}
