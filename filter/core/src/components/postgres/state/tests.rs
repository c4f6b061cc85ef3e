//! The store against bytes: what it sends, and what it makes of the answers.

use super::super::schema::NOTHING_CHANGED;
use super::*;
use crate::config::LogLevel;
use crate::fake::FakeHost;
use crate::host::TcpId;
use crate::runtime::{Runtime, Scope};
use crate::state::Concurrency;
use std::cell::RefCell;

const ETAG: &str = "da298bd2-6b63-41e9-8f5e-25905903f5a0";

type Outcome<T> = Rc<RefCell<Option<Result<T, StoreError>>>>;

struct Setup {
    host: Rc<FakeHost>,
    runtime: Runtime,
    store: Rc<dyn StateStore>,
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn refusal(code: &str) -> Vec<u8> {
    [message(b'E', format!("SERROR\0VERROR\0C{code}\0Mno\0\0").as_bytes()), ready()].concat()
}

fn changed(counts: &[u32]) -> Vec<u8> {
    counts.iter().flat_map(|count| message(b'C', format!("UPDATE {count}\0").as_bytes())).chain(ready()).collect()
}

impl Setup {
    /// A store whose first connection is in service.
    fn new() -> Self {
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), LogLevel::Debug);
        let site = Site::of_orders(&runtime, "postgres");
        let component = Component {
            name: "s".to_owned(),
            kind: "state.postgresql".to_owned(),
            version: "v2".to_owned(),
            cluster: Some("postgres".to_owned()),
            metadata: [("user".to_owned(), "u".to_owned()), ("maxConns".to_owned(), "1".to_owned())].into(),
        };
        let store = build(&component, &site).unwrap();
        let setup = Self { host, runtime, store };
        setup.store.start();
        setup.runtime.run(Scope::Root);
        setup.runtime.on_tcp_open(setup.tcp());
        setup.receive(&[message(b'R', &[0; 4]), ready()].concat());
        setup.receive(&ready());
        setup.sent();
        setup
    }

    fn tcp(&self) -> TcpId {
        self.host.newest_tcp().expect("a connection")
    }

    fn sent(&self) -> Vec<u8> {
        self.host.take_sent(self.tcp())
    }

    fn receive(&self, bytes: &[u8]) {
        self.runtime.on_tcp_data(self.tcp(), bytes);
        self.runtime.run(Scope::Root);
    }

    fn begin<T: 'static>(&self, flow: BoxFuture<'static, Result<T, StoreError>>) -> Outcome<T> {
        let outcome: Outcome<T> = Rc::default();
        let slot = Rc::clone(&outcome);
        self.runtime.spawn(Box::pin(async move {
            let ended = flow.await;
            *slot.borrow_mut() = Some(ended);
        }));
        self.runtime.run(Scope::Root);
        outcome
    }

    /// The names of the statements that a transaction runs, and what comes of it when PostgreSQL answers so.
    fn transact(&self, operations: Vec<Operation>, answer: &[u8]) -> (Vec<String>, Result<(), StoreError>) {
        let outcome = self.begin(self.store.transact(operations));
        let names = names(&self.sent());
        if !names.is_empty() {
            self.receive(answer);
        }
        (names, outcome.take().expect("an outcome"))
    }
}

/// Of the statements that are bound in these messages.
fn names(mut bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [kind, rest @ ..] = bytes {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if *kind == b'B' {
            let name = rest[5..].split(|byte| *byte == 0).next().unwrap();
            names.push(String::from_utf8(name.to_vec()).unwrap());
        }
        bytes = &rest[size..];
    }
    names
}

fn set(etag: Option<&str>, concurrency: Concurrency) -> Operation {
    let (key, etag) = ("k".to_owned(), etag.map(str::to_owned));
    Operation::Upsert(SetRequest { key, etag, concurrency, data: b"1".to_vec(), ..SetRequest::default() })
}

fn delete(etag: Option<&str>, concurrency: Concurrency) -> Operation {
    Operation::Delete(DeleteRequest {
        key: "k".to_owned(),
        etag: etag.map(str::to_owned),
        concurrency,
        ..DeleteRequest::default()
    })
}

#[test]
fn etag_and_concurrency_choose_the_statement() {
    use Concurrency::{FirstWrite, LastWrite, Unspecified};
    let setup = Setup::new();
    for (operation, name) in [
        (set(None, Unspecified), "set"),
        (set(Some(""), Unspecified), "set"),
        (set(Some(ETAG), LastWrite), "set"),
        (set(Some("no uuid"), LastWrite), "set"),
        (set(Some(ETAG), Unspecified), "if"),
        (set(Some(ETAG), FirstWrite), "if"),
        (set(None, FirstWrite), "first"),
        (delete(None, Unspecified), "delete"),
        (delete(Some("no uuid"), LastWrite), "delete"),
        (delete(Some(ETAG), Unspecified), "delete-if"),
    ] {
        assert_eq!(setup.transact(vec![operation.clone()], &changed(&[1])), (vec![name.to_owned()], Ok(())));
        let strict = if matches!(name, "set" | "delete") { name.to_owned() } else { format!("{name}!") };
        let two = vec![operation, set(None, Unspecified)];
        assert_eq!(setup.transact(two, &changed(&[1, 1])), (vec![strict, "set".to_owned()], Ok(())));
    }
}

#[test]
fn an_etag_that_no_row_can_have_is_a_mismatch_and_asks_nobody() {
    let setup = Setup::new();
    for etag in ["1", "*", &ETAG.to_uppercase(), &ETAG.replace('-', "x")] {
        for operation in [set(Some(etag), Concurrency::Unspecified), delete(Some(etag), Concurrency::Unspecified)] {
            let (names, outcome) = setup.transact(vec![operation], b"");
            assert!(names.is_empty() && matches!(outcome, Err(StoreError::EtagMismatch { .. })), "{etag}: {outcome:?}");
        }
    }
}

#[test]
fn what_changed_nothing_is_a_mismatch_of_the_operation_that_did_not() {
    let setup = Setup::new();
    let fits = || set(Some(ETAG), Concurrency::Unspecified);
    let (_, outcome) = setup.transact(vec![fits()], &changed(&[0]));
    let reason = format!("failed to set key k: its etag is not {ETAG}");
    assert_eq!(outcome, Err(StoreError::EtagMismatch { reason }));
    let (_, outcome) = setup.transact(vec![delete(None, Concurrency::Unspecified)], &changed(&[0]));
    assert_eq!(outcome, Ok(()), "a key that is not there");
    let (_, outcome) = setup.transact(vec![set(None, Concurrency::FirstWrite)], &changed(&[0]));
    assert_eq!(outcome, Err(StoreError::Failed { reason: "failed to set key k: there is a value".to_owned() }));
    let second = [message(b'C', b"SELECT 1\0"), refusal(NOTHING_CHANGED)].concat();
    let (_, outcome) = setup.transact(vec![fits(), delete(Some(ETAG), Concurrency::Unspecified)], &second);
    let reason = format!("failed to delete key k: its etag is not {ETAG}");
    assert_eq!(outcome, Err(StoreError::EtagMismatch { reason }));
    let (_, outcome) = setup.transact(vec![fits()], &refusal("53100"));
    assert_eq!(outcome, Err(StoreError::Failed { reason: "no (53100)".to_owned() }));
}

#[test]
fn a_transaction_that_was_in_the_way_of_another_is_tried_again_and_not_for_ever() {
    let setup = Setup::new();
    let begin = || setup.begin(setup.store.transact(vec![set(None, Concurrency::Unspecified)]));
    let outcome = begin();
    setup.receive(&refusal("40P01"));
    assert_eq!(*outcome.borrow(), None);
    setup.receive(&changed(&[1]));
    assert_eq!(outcome.take(), Some(Ok(())));
    let outcome = begin();
    for _ in 0..5 {
        setup.receive(&refusal("40001"));
    }
    assert_eq!(outcome.take(), Some(Err(StoreError::Failed { reason: "no (40001)".to_owned() })));
}

#[test]
fn a_write_is_unknown_once_it_has_left_and_a_read_is_asked_again() {
    let setup = Setup::new();
    let write = setup.begin(setup.store.transact(vec![set(Some(ETAG), Concurrency::Unspecified)]));
    let read = setup.begin(setup.store.get("k".to_owned()));
    // What ends a connection is no answer to what was sent on it.
    setup.receive(&message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mshut down\0\0"));
    let Some(Err(StoreError::OutcomeUnknown { reason })) = write.take() else { panic!("an unknown outcome") };
    assert!(reason.contains("shut down (57P01)"), "{reason}");
    assert_eq!(*read.borrow(), None, "it waits for the next connection");
}

#[test]
fn a_row_is_a_value_with_its_etag_and_time() {
    let setup = Setup::new();
    let outcome = setup.begin(setup.store.get("k".to_owned()));
    assert_eq!(names(&setup.sent()), ["get"]);
    let (etag, millis) = (ETAG.as_bytes(), 1_780_000_000_000_i64.to_be_bytes());
    let columns: [&[u8]; 3] = [b"\"v\"", etag, &millis];
    let column = |bytes: &&[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), *bytes].concat();
    let row = message(b'D', &[vec![0, 3], columns.iter().flat_map(column).collect()].concat());
    setup.receive(&[row, message(b'C', b"SELECT 1\0"), ready()].concat());
    let expires = Some(Duration::from_millis(1_780_000_000_000));
    let record = Record { data: b"\"v\"".to_vec(), etag: Some(ETAG.to_owned()), expires };
    assert_eq!(outcome.take(), Some(Ok(Some(record))));
    let outcome = setup.begin(setup.store.get("k".to_owned()));
    setup.receive(&[message(b'C', b"SELECT 0\0"), ready()].concat());
    assert_eq!(outcome.take(), Some(Ok(None)));
}
