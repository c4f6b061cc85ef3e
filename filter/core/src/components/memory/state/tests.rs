//! The store's rules, one worker and two taking turns.

use super::bucket::bucket_of;
use super::*;
use crate::components::build_store;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use crate::host::Host;
use crate::runtime::{Runtime, Scope};
use crate::state::{Concurrency, Ttl};
use std::cell::RefCell;

const MIB: usize = 1024 * 1024;

fn component(metadata: &[(&str, &str)]) -> Component {
    Component {
        name: "statestore".to_owned(),
        kind: "state.in-memory".to_owned(),
        version: "v1".to_owned(),
        cluster: None,
        metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn site(host: &Rc<FakeHost>) -> Site {
    let host: Rc<dyn Host> = Rc::clone(host) as Rc<dyn Host>;
    Site {
        runtime: Runtime::new(host, LogLevel::Info),
        app_id: "orders".to_owned(),
        namespace: "default".to_owned(),
        target: None,
    }
}

/// A store of one worker, called as if it were synchronous.
struct Worker {
    host: Rc<FakeHost>,
    runtime: Runtime,
    store: Rc<dyn StateStore>,
}

impl Worker {
    fn with(host: Rc<FakeHost>, metadata: &[(&str, &str)]) -> Self {
        let site = site(&host);
        let store = build_store(&component(metadata), &site).unwrap();
        Self { host, runtime: site.runtime, store }
    }

    fn new() -> Self {
        Self::with(FakeHost::new(), &[])
    }

    fn neighbour(&self) -> Self {
        Self::with(self.host.neighbour(), &[])
    }

    fn wait<T: 'static>(&self, flow: BoxFuture<'static, T>) -> T {
        let result = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&result);
        self.runtime.spawn(Box::pin(async move {
            *slot.borrow_mut() = Some(flow.await);
        }));
        self.runtime.run(Scope::Root);
        if result.borrow().is_none() {
            self.host.pass(&self.runtime, Duration::from_secs(10));
        }
        result.take().expect("an answer within ten seconds")
    }

    fn get(&self, key: &str) -> Option<Record> {
        self.wait(self.store.get(key.to_owned())).unwrap()
    }

    fn data(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key).map(|record| record.data)
    }

    fn etag(&self, key: &str) -> String {
        self.get(key).and_then(|record| record.etag).unwrap()
    }

    fn set(&self, request: SetRequest) -> Result<(), StoreError> {
        self.wait(self.store.set(request))
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), StoreError> {
        self.wait(self.store.delete(request))
    }

    fn transact(&self, operations: Vec<Operation>) -> Result<(), StoreError> {
        self.wait(self.store.transact(operations))
    }
}

fn set(key: &str, data: &[u8]) -> SetRequest {
    SetRequest { key: key.to_owned(), data: data.to_vec(), ..SetRequest::default() }
}

fn delete(key: &str) -> DeleteRequest {
    DeleteRequest { key: key.to_owned(), ..DeleteRequest::default() }
}

fn is_mismatch(result: Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::EtagMismatch { .. }))
}

fn failure(result: Result<(), StoreError>) -> String {
    match result {
        Err(StoreError::Failed { reason }) => reason,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// Two keys of different buckets.
fn apart() -> (&'static str, &'static str) {
    assert_ne!(bucket_of(b"a"), bucket_of(b"b"));
    ("a", "b")
}

#[test]
fn a_value_comes_back_byte_by_byte_with_a_new_etag_for_each_write() {
    let worker = Worker::new();
    assert_eq!(worker.get("k"), None);
    worker.set(set("k", b"\x00\xff")).unwrap();
    let first = worker.get("k").unwrap();
    assert_eq!((first.data.as_slice(), first.expires), (&b"\x00\xff"[..], None));
    worker.set(set("k", b"\x00\xff")).unwrap();
    let second = worker.etag("k");
    assert_ne!(first.etag.unwrap(), second);
    assert_eq!(uuid::Uuid::parse_str(&second).unwrap().get_version_num(), 4);
}

#[test]
fn a_store_is_common_to_workers_and_apart_from_other_stores() {
    let worker = Worker::new();
    worker.set(set("k", b"v")).unwrap();
    assert_eq!(worker.neighbour().data("k"), Some(b"v".to_vec()));
    let mut other = component(&[]);
    other.name = "other".to_owned();
    let store = build_store(&other, &site(&worker.host)).unwrap();
    assert_eq!(worker.wait(store.get("k".to_owned())).unwrap(), None);
}

#[test]
fn deleting_removes_a_value_and_is_content_with_none() {
    let worker = Worker::new();
    worker.set(set("k", b"v")).unwrap();
    worker.delete(delete("k")).unwrap();
    assert_eq!(worker.get("k"), None);
    worker.delete(delete("k")).unwrap();
}

#[test]
fn an_etag_lets_a_write_through_once() {
    let worker = Worker::new();
    worker.set(set("k", b"1")).unwrap();
    let with_etag = |etag: &str| SetRequest { etag: Some(etag.to_owned()), ..set("k", b"2") };
    let etag = worker.etag("k");
    worker.set(with_etag(&etag)).unwrap();
    assert!(is_mismatch(worker.set(with_etag(&etag))));
    assert!(is_mismatch(worker.set(with_etag("no uuid"))));
    assert!(is_mismatch(worker.delete(DeleteRequest { etag: Some(etag), ..delete("k") })));
    worker.delete(DeleteRequest { etag: Some(worker.etag("k")), ..delete("k") }).unwrap();
    assert_eq!(worker.get("k"), None);
}

#[test]
fn an_etag_for_a_missing_key_is_a_mismatch_and_an_empty_one_counts_for_nothing() {
    let worker = Worker::new();
    let etag = |text: &str| Some(text.to_owned());
    assert!(is_mismatch(worker.set(SetRequest { etag: etag("x"), ..set("k", b"v") })));
    assert!(is_mismatch(worker.delete(DeleteRequest { etag: etag("x"), ..delete("k") })));
    worker.set(SetRequest { etag: etag(""), ..set("k", b"v") }).unwrap();
    worker.delete(DeleteRequest { etag: etag(""), ..delete("k") }).unwrap();
}

#[test]
fn last_write_overrides_any_etag() {
    let worker = Worker::new();
    let concurrency = Concurrency::LastWrite;
    let etag = Some("wrong".to_owned());
    worker.set(SetRequest { etag: etag.clone(), concurrency, ..set("k", b"v") }).unwrap();
    assert_eq!(worker.data("k"), Some(b"v".to_vec()));
    worker.delete(DeleteRequest { etag, concurrency, ..delete("k") }).unwrap();
    assert_eq!(worker.get("k"), None);
}

#[test]
fn first_write_without_an_etag_succeeds_only_where_there_is_no_value() {
    let worker = Worker::new();
    let first =
        |data: &[u8], etag: Option<String>| SetRequest { etag, concurrency: Concurrency::FirstWrite, ..set("k", data) };
    worker.set(first(b"1", None)).unwrap();
    assert!(is_mismatch(worker.set(first(b"2", None))));
    assert!(is_mismatch(worker.set(first(b"2", Some(String::new())))));
    worker.set(first(b"3", Some(worker.etag("k")))).unwrap();
    assert_eq!(worker.data("k"), Some(b"3".to_vec()));
}

#[test]
fn a_value_goes_away_when_its_time_has_come() {
    let worker = Worker::new();
    let start = worker.host.now();
    worker.set(SetRequest { ttl: Ttl::Seconds(5), ..set("k", b"v") }).unwrap();
    let expires = worker.get("k").unwrap().expires;
    assert_eq!(expires, Some(start + Duration::from_secs(5)));
    let etag = Some(worker.etag("k"));
    worker.host.pass(&worker.runtime, Duration::from_millis(4999));
    assert!(worker.get("k").is_some());
    worker.host.pass(&worker.runtime, Duration::from_millis(1));
    assert_eq!(worker.get("k"), None);
    assert!(is_mismatch(worker.set(SetRequest { etag, ..set("k", b"v") })));
    worker.set(SetRequest { concurrency: Concurrency::FirstWrite, ..set("k", b"new") }).unwrap();
    assert_eq!(worker.get("k").unwrap().expires, None);
}

#[test]
fn the_component_gives_a_lifetime_to_values_without_one() {
    let worker = Worker::with(FakeHost::new(), &[("TTLinSeconds", "7")]);
    let end = |seconds| Some(worker.host.now() + Duration::from_secs(seconds));
    for (ttl, expires) in [(Ttl::Unspecified, end(7)), (Ttl::Never, None), (Ttl::Seconds(2), end(2))] {
        worker.set(SetRequest { ttl, ..set("k", b"v") }).unwrap();
        assert_eq!(worker.get("k").unwrap().expires, expires);
    }
}

#[test]
fn a_transaction_does_everything_or_nothing() {
    let worker = Worker::new();
    let (a, b) = apart();
    worker.set(set(a, b"1")).unwrap();
    worker
        .transact(vec![
            Operation::Upsert(set(b, b"2")),
            Operation::Delete(delete(a)),
            Operation::Upsert(set("c", b"3")),
            Operation::Upsert(set("c", b"4")),
        ])
        .unwrap();
    assert_eq!(worker.get(a), None);
    assert_eq!(worker.data(b), Some(b"2".to_vec()));
    assert_eq!(worker.data("c"), Some(b"4".to_vec()));
    for wrong in [a, b, "c"] {
        let refused = worker.transact(vec![
            Operation::Upsert(set(a, b"x")),
            Operation::Upsert(set(b, b"x")),
            Operation::Delete(DeleteRequest { etag: Some("wrong".to_owned()), ..delete(wrong) }),
            Operation::Delete(delete("c")),
        ]);
        assert!(is_mismatch(refused));
        assert_eq!(worker.get(a), None);
        assert_eq!(worker.data(b), Some(b"2".to_vec()));
        assert_eq!(worker.data("c"), Some(b"4".to_vec()));
    }
    worker.set(set(b, b"no mark is left behind")).unwrap();
}

#[test]
fn a_transaction_of_one_bucket_and_an_empty_one_succeed() {
    let worker = Worker::new();
    worker.transact(Vec::new()).unwrap();
    worker.transact(vec![Operation::Upsert(set("k", b"1")), Operation::Delete(delete("k"))]).unwrap();
    assert_eq!(worker.get("k"), None);
}

#[test]
fn values_of_four_mebibytes_fit_and_one_beyond_a_bucket_is_refused() {
    let worker = Worker::new();
    for data in [vec![1; 4 * MIB], vec![2; 4 * MIB]] {
        worker.set(set("k", &data)).unwrap();
        assert_eq!(worker.data("k").as_deref(), Some(data.as_slice()));
    }
    let reason = failure(worker.set(set("k", &vec![3; BUCKET_BYTES])));
    assert!(reason.contains("statestore") && reason.contains("16 MiB"), "{reason}");
    assert_eq!(worker.data("k"), Some(vec![2; 4 * MIB]));
}

#[test]
fn a_full_store_refuses_more_keeps_what_it_has_and_takes_again_after_a_delete() {
    let worker = Worker::new();
    let large = vec![0; 3 * MIB];
    let mut stored = 0;
    let refused = loop {
        match worker.set(set(&format!("key {stored}"), &large)) {
            Ok(()) => stored += 1,
            refused => break refused,
        }
    };
    let reason = failure(refused);
    assert!(reason.contains("statestore") && reason.contains("ttlInSeconds"), "{reason}");
    assert_eq!(stored, STORE_BYTES / (large.len() + 100));
    assert!((0..stored).all(|number| worker.get(&format!("key {number}")).is_some()));
    let both = vec![Operation::Upsert(set("x", &large)), Operation::Upsert(set("y", b"small"))];
    failure(worker.transact(both));
    assert_eq!((worker.get("x"), worker.get("y")), (None, None));
    worker.set(set("key 0", &large)).unwrap();
    worker.delete(delete("key 0")).unwrap();
    worker.neighbour().set(set("x", &large)).unwrap();
}

#[test]
fn a_store_full_of_expired_values_takes_new_ones() {
    let worker = Worker::new();
    let large = vec![0; 3 * MIB];
    for number in 0..STORE_BYTES / (large.len() + 100) {
        worker.set(SetRequest { ttl: Ttl::Seconds(60), ..set(&format!("key {number}"), &large) }).unwrap();
    }
    failure(worker.set(set("new", &large)));
    worker.host.pass(&worker.runtime, Duration::from_secs(60));
    worker.set(set("new", &large)).unwrap();
}

#[test]
fn memory_of_another_release_is_refused_and_left_alone() {
    let worker = Worker::new();
    let key = format!("weft/mem/state/{}/statestore", bucket_of(b"k"));
    let (_, version) = worker.host.shared_get(&key);
    worker.host.shared_set(&key, b"\xffforeign", version).unwrap();
    assert!(failure(worker.set(set("k", b"v"))).contains("another release"));
    assert!(worker.wait(worker.store.get("k".to_owned())).is_err());
    assert_eq!(worker.host.shared_get(&key).0, Some(b"\xffforeign".to_vec()));
}

#[test]
fn metadata_that_has_no_effect_is_refused_by_name() {
    let host = FakeHost::new();
    let refused = component(&[("ttlInSeconds", "soon"), ("redisHost", "x"), ("keyprefix", "name")]);
    let errors = build_store(&refused, &site(&host)).err().unwrap();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().any(|error| error.path == ".metadata.redisHost"));
    assert!(errors.iter().any(|error| error.path == ".metadata.ttlInSeconds"));
    for ttl in ["1", "0", "-1"] {
        let fine = component(&[("ttlInSeconds", ttl), ("actorStateStore", "true")]);
        assert!(build_store(&fine, &site(&host)).is_ok());
    }
}

#[test]
fn what_is_not_served_is_not_reported() {
    let worker = Worker::new();
    assert_eq!(worker.store.capabilities(), ["ETAG", "TRANSACTIONAL", "TTL"]);
}
