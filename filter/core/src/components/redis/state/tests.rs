//! The store against a Redis without sockets: what goes over the wire, and what is made of the answers.

use super::fake::{FakeRedis, Kept};
use super::*;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use crate::host::TcpId;
use crate::runtime::{Runtime, Scope};
use crate::state::Concurrency;
use std::cell::RefCell;
use std::time::Duration;

type Outcome<T> = Rc<RefCell<Option<Result<T, StoreError>>>>;

struct Setup {
    host: Rc<FakeHost>,
    runtime: Runtime,
    store: Rc<dyn StateStore>,
    redis: RefCell<FakeRedis>,
}

impl Setup {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(metadata: &[(&str, &str)]) -> Self {
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), LogLevel::Debug);
        let site = Site::of_orders(&runtime, "redis");
        let component = Component {
            name: "s".to_owned(),
            kind: "state.redis".to_owned(),
            version: "v1".to_owned(),
            cluster: Some("redis".to_owned()),
            metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let store = build(&component, &site).unwrap();
        Self { host, runtime, store, redis: RefCell::default() }
    }

    /// Begins an operation and opens the connection if there is none.
    fn begin<T: 'static>(&self, flow: BoxFuture<'static, Result<T, StoreError>>) -> Outcome<T> {
        let outcome: Outcome<T> = Rc::default();
        let slot = Rc::clone(&outcome);
        self.runtime.spawn(Box::pin(async move {
            let ended = flow.await;
            *slot.borrow_mut() = Some(ended);
        }));
        self.runtime.run(Scope::Root);
        if let (Some(tcp), true) = (self.host.newest_tcp(), self.redis.borrow().commands.is_empty()) {
            self.runtime.on_tcp_open(tcp);
            self.runtime.run(Scope::Root);
        }
        outcome
    }

    fn tcp(&self) -> TcpId {
        self.host.newest_tcp().expect("a connection")
    }

    /// Redis takes what was sent and answers; false if nothing was.
    fn turn(&self) -> bool {
        let sent = self.host.take_sent(self.tcp());
        if sent.is_empty() {
            return false;
        }
        let replies = self.redis.borrow_mut().answer(&sent);
        self.runtime.on_tcp_data(self.tcp(), &replies);
        self.runtime.run(Scope::Root);
        true
    }

    fn wait<T: 'static>(&self, flow: BoxFuture<'static, Result<T, StoreError>>) -> Result<T, StoreError> {
        let outcome = self.begin(flow);
        while self.turn() {}
        outcome.take().expect("an outcome")
    }

    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.wait(self.store.get(key.to_owned()))
    }

    fn set(&self, request: SetRequest) -> Result<(), StoreError> {
        self.wait(self.store.set(request))
    }

    fn delete(&self, key: &str, etag: Option<&str>) -> Result<(), StoreError> {
        let etag = etag.map(str::to_owned);
        self.wait(self.store.delete(DeleteRequest { key: key.to_owned(), etag, ..DeleteRequest::default() }))
    }

    fn transact(&self, operations: Vec<Operation>) -> Result<(), StoreError> {
        self.wait(self.store.transact(operations))
    }

    /// Names of the commands since the last look.
    fn commands(&self) -> Vec<String> {
        self.redis.borrow_mut().commands.drain(..).map(|words| words[0].clone()).collect()
    }
}

fn set(key: &str, data: &str) -> SetRequest {
    SetRequest { key: key.to_owned(), data: data.as_bytes().to_vec(), ..SetRequest::default() }
}

fn with_etag(request: SetRequest, etag: &str) -> SetRequest {
    SetRequest { etag: Some(etag.to_owned()), ..request }
}

fn first_write(request: SetRequest) -> SetRequest {
    SetRequest { concurrency: Concurrency::FirstWrite, ..request }
}

fn delete(key: &str, etag: Option<&str>) -> Operation {
    let etag = etag.map(str::to_owned);
    Operation::Delete(DeleteRequest { key: key.to_owned(), etag, ..DeleteRequest::default() })
}

fn failure<T>(reason: &str) -> Result<T, StoreError> {
    Err(StoreError::Failed { reason: reason.to_owned() })
}

fn mismatch<T>(reason: &str) -> Result<T, StoreError> {
    Err(StoreError::EtagMismatch { reason: reason.to_owned() })
}

#[test]
fn a_value_is_a_hash_of_data_and_version_which_is_its_etag() {
    let setup = Setup::new();
    assert_eq!(setup.get("k"), Ok(None));
    assert_eq!(setup.set(set("k", "{\"a\": 1}")), Ok(()));
    assert_eq!(setup.set(set("k", "2")), Ok(()));
    assert_eq!(setup.redis.borrow().hash("k"), [("data", "2"), ("version", "2")]);
    let record = Record { data: b"2".to_vec(), etag: Some("2".to_owned()), expires: None };
    assert_eq!(setup.get("k"), Ok(Some(record)));
    assert_eq!(setup.delete("k", None), Ok(()));
    assert_eq!(setup.get("k"), Ok(None));
}

#[test]
fn a_script_is_sent_as_text_only_when_redis_does_not_know_it() {
    let setup = Setup::new();
    setup.set(set("k", "1")).unwrap();
    assert_eq!(setup.commands(), ["EVALSHA", "EVAL"]);
    setup.set(set("k", "2")).unwrap();
    assert_eq!(setup.commands(), ["EVALSHA"]);
    setup.redis.borrow_mut().known.clear();
    setup.delete("k", Some("2")).unwrap();
    setup.transact(vec![delete("k", None)]).unwrap();
    assert_eq!(setup.commands(), ["EVALSHA", "EVAL", "EVALSHA", "EVAL"]);
    setup.delete("k", None).unwrap();
    assert_eq!(setup.commands(), ["DEL"], "nothing is to be compared");
}

#[test]
fn an_etag_is_compared_and_last_write_compares_none() {
    let setup = Setup::new();
    setup.redis.borrow_mut().holds("k", &[("data", "1"), ("version", "7")]);
    assert_eq!(setup.set(with_etag(set("k", "2"), "6")), mismatch("failed to set key k: its version is not 6"));
    assert_eq!(setup.set(with_etag(set("k", "2"), "7")), Ok(()));
    assert_eq!(setup.set(with_etag(set("k", "3"), "")), Ok(()));
    let last = SetRequest { concurrency: Concurrency::LastWrite, ..with_etag(set("k", "4"), "no number") };
    assert_eq!(setup.set(last), Ok(()));
    assert_eq!(setup.redis.borrow().hash("k"), [("data", "4"), ("version", "10")]);
    assert_eq!(setup.delete("k", Some("9")), mismatch("failed to delete key k: its version is not 9"));
    assert_eq!(setup.delete("k", Some("10")), Ok(()));
    assert_eq!(setup.set(with_etag(set("k", "1"), "5")), Ok(()), "a missing key fits every etag");
}

#[test]
fn an_etag_that_is_no_number_is_invalid_for_a_set_and_unfit_for_a_delete() {
    let setup = Setup::new();
    for etag in ["abc", "1.5", "9223372036854775808", " 1"] {
        let expected = StoreError::EtagInvalid { reason: format!("{etag:?} is not the number of a version") };
        assert_eq!(*setup.begin(setup.store.set(with_etag(set("k", "1"), etag))).borrow(), Some(Err(expected)));
    }
    assert_eq!(setup.host.newest_tcp(), None, "Redis is not asked");
    setup.redis.borrow_mut().holds("k", &[("data", "1"), ("version", "1")]);
    assert_eq!(setup.delete("k", Some("abc")), mismatch("failed to delete key k: its version is not abc"));
}

#[test]
fn a_first_write_leaves_a_mark_that_asks_for_the_etag_from_then_on() {
    let setup = Setup::new();
    assert_eq!(setup.set(first_write(set("k", "1"))), Ok(()));
    assert_eq!(setup.redis.borrow().hash("k"), [("data", "1"), ("first-write", "0"), ("version", "1")]);
    let expected = "failed to set key k: it was stored with first-write, so its etag must be given";
    assert_eq!(setup.set(set("k", "2")), failure(expected));
    assert_eq!(setup.set(first_write(set("k", "2"))), failure(expected));
    assert_eq!(setup.set(with_etag(set("k", "2"), "1")), Ok(()));
}

#[test]
fn a_ttl_is_set_ended_or_left_alone() {
    let setup = Setup::new();
    let ttl = |ttl| SetRequest { ttl, ..set("k", "1") };
    let kept = || setup.redis.borrow().ttls.get("k").copied();
    for (request, expected) in [
        (Ttl::Seconds(60), Some(60)),
        (Ttl::Unspecified, Some(60)),
        (Ttl::Seconds(u32::MAX), Some(4_294_967_295)),
        (Ttl::Never, None),
        (Ttl::Unspecified, None),
    ] {
        setup.set(ttl(request)).unwrap();
        assert_eq!(kept(), expected, "{request:?}");
    }
}

#[test]
fn the_component_gives_a_ttl_to_values_that_have_none() {
    for (own, expected) in [("30", Some(30)), ("-1", None), ("0", None)] {
        let setup = Setup::with(&[("ttlInSeconds", own)]);
        setup.set(SetRequest { ttl: Ttl::Seconds(5), ..set("k", "1") }).unwrap();
        assert_eq!(setup.redis.borrow().ttls.get("k"), Some(&5));
        setup.set(set("k", "2")).unwrap();
        assert_eq!(setup.redis.borrow().ttls.get("k").copied(), expected, "{own}");
        setup.transact(vec![Operation::Upsert(set("t", "1"))]).unwrap();
        assert_eq!(setup.redis.borrow().ttls.get("t").copied(), expected, "{own}");
    }
}

#[test]
fn a_plain_string_is_read_without_etag_and_overwritten() {
    let setup = Setup::new();
    setup.redis.borrow_mut().keys.insert("k".to_owned(), Kept::Text("plain".to_owned()));
    let record = Record { data: b"plain".to_vec(), etag: None, expires: None };
    assert_eq!(setup.get("k"), Ok(Some(record)));
    setup.set(set("k", "1")).unwrap();
    assert_eq!(setup.redis.borrow().hash("k"), [("data", "1"), ("version", "1")]);
}

#[test]
fn a_hash_that_is_not_daprs_is_named() {
    let setup = Setup::new();
    let expected = "the Redis hash k has no data or no version: Dapr did not write it";
    for fields in [&[("data", "1")][..], &[("version", "1")], &[("other", "1")]] {
        setup.redis.borrow_mut().holds("k", fields);
        assert_eq!(setup.get("k"), failure(expected));
    }
}

#[test]
fn a_transaction_is_one_script_that_does_everything_or_nothing() {
    let setup = Setup::new();
    setup.redis.borrow_mut().holds("a", &[("data", "1"), ("version", "3")]);
    setup.redis.borrow_mut().known.extend([super::script::TRANSACT.sha.to_owned()]);
    let good = || {
        vec![
            Operation::Upsert(first_write(with_etag(set("a", "2"), "3"))),
            Operation::Upsert(SetRequest { ttl: Ttl::Seconds(9), ..set("b", "1") }),
            delete("c", None),
        ]
    };
    let mut bad = good();
    bad.push(delete("a", Some("3")));
    assert_eq!(setup.transact(bad), mismatch("failed to delete key a: its version is not 3"));
    let mut bad = good();
    bad.insert(1, Operation::Upsert(set("a", "4")));
    let expected = "failed to set key a: it was stored with first-write, so its etag must be given";
    assert_eq!(setup.transact(bad), failure(expected));
    assert_eq!(setup.redis.borrow().hash("a"), [("data", "1"), ("version", "3")]);
    assert_eq!(setup.redis.borrow().hash("b"), []);
    assert_eq!(setup.commands(), ["EVALSHA", "EVALSHA"]);
    assert_eq!(setup.transact(good()), Ok(()));
    assert_eq!(setup.redis.borrow().hash("a"), [("data", "2"), ("first-write", "0"), ("version", "4")]);
    assert_eq!((setup.redis.borrow().hash("b").len(), setup.redis.borrow().ttls.get("b")), (2, Some(&9)));
    assert_eq!(setup.commands(), ["EVALSHA"]);
    assert_eq!(setup.transact(Vec::new()), Ok(()));
    assert!(setup.commands().is_empty());
}

#[test]
fn what_redis_refuses_is_a_failure_in_its_own_words() {
    let setup = Setup::new();
    let refuse = |error| setup.redis.borrow_mut().refusals.push_back(error);
    refuse("LOADING Redis is loading the dataset in memory");
    assert_eq!(setup.get("k"), failure("LOADING Redis is loading the dataset in memory"));
    refuse("OOM command not allowed");
    assert_eq!(setup.set(set("k", "1")), failure("OOM command not allowed"));
    refuse("READONLY You can't write against a read only replica.");
    assert_eq!(setup.delete("k", None), failure("READONLY You can't write against a read only replica."));
    refuse("NOPERM no permissions");
    assert_eq!(setup.transact(vec![delete("k", None)]), failure("NOPERM no permissions"));
}

#[test]
fn a_write_is_unknown_once_it_has_left_and_a_failure_if_it_never_did() {
    let setup = Setup::new();
    setup.get("k").unwrap();
    for write in [
        setup.store.set(set("k", "1")),
        setup.store.delete(DeleteRequest { key: "k".to_owned(), ..DeleteRequest::default() }),
        setup.store.transact(vec![delete("k", None)]),
    ] {
        let sent = setup.begin(write);
        let waiting = setup.begin(setup.store.set(set("w", "1")));
        setup.runtime.on_tcp_close(setup.tcp(), 14);
        setup.runtime.run(Scope::Root);
        assert!(matches!(sent.take(), Some(Err(StoreError::OutcomeUnknown { .. }))));
        assert_eq!(*waiting.borrow(), None, "it waits for the next connection");
        setup.host.pass(&setup.runtime, Duration::from_millis(1500));
        setup.runtime.on_tcp_open(setup.tcp());
        setup.runtime.run(Scope::Root);
        while setup.turn() {}
        assert_eq!(waiting.take(), Some(Ok(())));
    }
    setup.runtime.on_tcp_close(setup.tcp(), 14);
    let never = setup.begin(setup.store.set(set("k", "1")));
    setup.host.pass(&setup.runtime, Duration::from_secs(3));
    assert!(matches!(never.take(), Some(Err(StoreError::Unavailable { .. }))));
}

#[test]
fn a_script_whose_text_was_sent_and_not_answered_is_unknown() {
    let setup = Setup::new();
    setup.get("k").unwrap();
    let outcome = setup.begin(setup.store.set(set("k", "1")));
    assert!(setup.turn(), "the hash, which Redis does not know");
    setup.runtime.on_tcp_close(setup.tcp(), 14);
    setup.runtime.run(Scope::Root);
    assert!(matches!(outcome.take(), Some(Err(StoreError::OutcomeUnknown { .. }))));
    assert_eq!(setup.redis.borrow().hash("k"), []);
}

#[test]
fn a_read_is_asked_once_more_when_the_connection_ends() {
    let setup = Setup::new();
    setup.redis.borrow_mut().holds("k", &[("data", "1"), ("version", "1")]);
    setup.get("other").unwrap();
    let outcome = setup.begin(setup.store.get("k".to_owned()));
    setup.runtime.on_tcp_close(setup.tcp(), 14);
    setup.host.pass(&setup.runtime, Duration::from_millis(1500));
    setup.runtime.on_tcp_open(setup.tcp());
    setup.runtime.run(Scope::Root);
    while setup.turn() {}
    assert_eq!(outcome.take().unwrap().unwrap().unwrap().data, b"1");
}

#[test]
fn a_new_connection_logs_in_and_chooses_its_database_before_anything_else() {
    let setup = Setup::with(&[("redisUsername", "u"), ("redisPassword", "p w"), ("redisDB", "3")]);
    setup.get("k").unwrap();
    let expected = [&["AUTH", "u", "p w"][..], &["SELECT", "3"], &["HGETALL", "k"]];
    assert_eq!(setup.redis.borrow().commands, expected);
}

#[test]
fn a_strong_write_asks_how_many_replicas_there_are_and_waits_for_them() {
    let setup = Setup::new();
    let strong = |key: &str| SetRequest { consistency: Consistency::Strong, ..set(key, "1") };
    assert_eq!(setup.set(strong("k")), Ok(()));
    assert_eq!(setup.commands(), ["INFO", "EVALSHA", "EVAL"], "nobody to wait for");
    setup.redis.borrow_mut().replicas = (2, 2);
    assert_eq!(setup.set(strong("k")), Ok(()));
    assert_eq!(setup.redis.borrow().commands.last().unwrap(), &["WAIT", "2", "1000"]);
    assert_eq!(setup.commands(), ["INFO", "EVALSHA", "WAIT"]);
    let delete = DeleteRequest { key: "k".to_owned(), consistency: Consistency::Strong, ..DeleteRequest::default() };
    assert_eq!(setup.wait(setup.store.delete(delete.clone())), Ok(()));
    assert_eq!(setup.commands(), ["INFO", "DEL", "WAIT"]);
    let operations = vec![Operation::Upsert(set("a", "1")), Operation::Delete(delete)];
    assert_eq!(setup.transact(operations), Ok(()));
    assert_eq!(setup.commands(), ["INFO", "EVALSHA", "EVAL", "WAIT"]);
}

#[test]
fn a_strong_write_that_not_all_replicas_have_is_unknown_and_one_that_may_not_ask_is_not_done() {
    let setup = Setup::new();
    setup.redis.borrow_mut().replicas = (2, 1);
    let strong = || SetRequest { consistency: Consistency::Strong, ..set("k", "1") };
    let reason = "Redis has stored it, and not all replicas: 1 of 2 replicas have it".to_owned();
    assert_eq!(setup.set(strong()), Err(StoreError::OutcomeUnknown { reason }));
    assert_eq!(setup.redis.borrow().hash("k"), [("data", "1"), ("version", "1")]);
    setup.commands();
    setup.redis.borrow_mut().refusals.push_back("NOPERM this user has no permissions to run the 'info' command");
    assert_eq!(setup.set(strong()), failure("NOPERM this user has no permissions to run the 'info' command"));
    assert_eq!(setup.commands(), ["INFO"]);
}

#[test]
fn a_wait_over_another_connection_than_the_write_says_nothing_of_it() {
    let setup = Setup::new();
    setup.redis.borrow_mut().replicas = (1, 1);
    let strong = || SetRequest { consistency: Consistency::Strong, ..set("k", "1") };
    assert_eq!(setup.set(strong()), Ok(()));
    let outcome = setup.begin(setup.store.set(strong()));
    assert!(setup.turn(), "INFO");
    let (tcp, sent) = (setup.tcp(), setup.host.take_sent(setup.tcp()));
    let reply = setup.redis.borrow_mut().answer(&sent);
    // The connection ends before the flow has its turn.
    setup.runtime.on_tcp_data(tcp, &reply);
    setup.host.tcp.borrow_mut().remove(&tcp.0);
    setup.runtime.on_tcp_close(tcp, 14);
    setup.host.pass(&setup.runtime, Duration::from_millis(200));
    setup.runtime.on_tcp_open(setup.tcp());
    setup.runtime.run(Scope::Root);
    while setup.turn() {}
    assert_eq!(setup.redis.borrow().commands.last().unwrap()[0], "WAIT");
    let reason = "Redis has stored it, and not all replicas: the connection was lost in between".to_owned();
    assert_eq!(outcome.take(), Some(Err(StoreError::OutcomeUnknown { reason })));
}
