//! A store that records what it is told, and an application's block around it.

use super::{DeleteRequest, Operation, Record, SetRequest, State, StateStore, StoreError};
use crate::api::{path, route};
use crate::app::Request;
use crate::by_name::ByName;
use crate::components::{Site, build_store};
use crate::config::PluginConfig;
use crate::fake::FakeHost;
use crate::http::{Headers, Reply};
use crate::runtime::{BoxFuture, Runtime, Scope, Sender, StreamId, channel};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

type Answer = Result<(), StoreError>;

#[derive(Default)]
pub(crate) struct FakeStore {
    /// Keys that were read.
    pub read: RefCell<Vec<String>>,
    pub set: RefCell<Vec<SetRequest>>,
    pub deleted: RefCell<Vec<DeleteRequest>>,
    pub transactions: RefCell<Vec<Vec<Operation>>>,
    /// What reads of these keys give; all others find nothing.
    pub records: RefCell<BTreeMap<String, Result<Option<Record>, StoreError>>>,
    /// What the next writes are answered with; `Ok` when it is empty.
    pub answers: RefCell<VecDeque<Answer>>,
    /// Whether writes and reads wait for [`FakeStore::release`].
    pub holds: Cell<bool>,
    held: RefCell<Vec<Sender<()>>>,
    pub has_no_transactions: Cell<bool>,
    pub max_operations: Cell<Option<usize>>,
}

impl FakeStore {
    fn answer<T: 'static>(&self, value: T) -> BoxFuture<'static, T> {
        if !self.holds.get() {
            return Box::pin(std::future::ready(value));
        }
        let (sender, receiver) = channel();
        self.held.borrow_mut().push(sender);
        Box::pin(async move {
            receiver.await.unwrap();
            value
        })
    }

    fn written(&self) -> BoxFuture<'static, Answer> {
        let answer = self.answers.borrow_mut().pop_front().unwrap_or(Ok(()));
        self.answer(answer)
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.held.borrow().len()
    }

    /// Answers everything that waits.
    pub fn release(&self) {
        let held = std::mem::take(&mut *self.held.borrow_mut());
        held.into_iter().for_each(|sender| sender.send(()));
    }

    /// What a read of this full key gives.
    pub fn holds_record(&self, key: &str, data: &[u8], etag: &str) {
        let record = Record { data: data.to_vec(), etag: Some(etag.to_owned()), expires: None };
        self.records.borrow_mut().insert(key.to_owned(), Ok(Some(record)));
    }
}

impl StateStore for FakeStore {
    fn capabilities(&self) -> &'static [&'static str] {
        if self.has_no_transactions.get() { &["ETAG"] } else { &["ETAG", "TRANSACTIONAL"] }
    }

    fn get(&self, key: String) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let record = self.records.borrow().get(&key).cloned().unwrap_or(Ok(None));
        self.read.borrow_mut().push(key);
        self.answer(record)
    }

    fn set(&self, request: SetRequest) -> BoxFuture<'static, Answer> {
        self.set.borrow_mut().push(request);
        self.written()
    }

    fn delete(&self, request: DeleteRequest) -> BoxFuture<'static, Answer> {
        self.deleted.borrow_mut().push(request);
        self.written()
    }

    fn transact(&self, operations: Vec<Operation>) -> BoxFuture<'static, Answer> {
        self.transactions.borrow_mut().push(operations);
        self.written()
    }

    fn max_operations(&self) -> Option<usize> {
        self.max_operations.get()
    }
}

/// The block of the application `myapp` with the fake store `s` and the in-memory store `m`.
pub(crate) struct Fixture {
    pub host: Rc<FakeHost>,
    pub runtime: Runtime,
    pub store: Rc<FakeStore>,
    block: State,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(&json!([{"name": "s", "type": "state.x"}, {"name": "m", "type": "state.in-memory"}]))
    }

    /// With these components: `s` is the fake store, every other one is what its type says.
    pub fn with(components: &Value) -> Self {
        let config = json!({"version": 1, "appId": "myapp", "namespace": "shop", "components": components});
        let config = PluginConfig::read(config.to_string().as_bytes()).unwrap();
        let host = FakeHost::new();
        let runtime = Runtime::new(host.clone(), config.log_level);
        let store = Rc::new(FakeStore::default());
        let site = Site { runtime: runtime.clone(), app_id: "myapp".into(), namespace: "shop".into(), target: None };
        let mut stores = ByName::default();
        for component in &config.components {
            let built = match component.name.as_str() {
                "s" => store.clone() as Rc<dyn StateStore>,
                _ => build_store(component, &site).unwrap(),
            };
            stores.insert(component.name.clone(), built);
        }
        let block = State::new(&config, &stores, &runtime).unwrap();
        Self { host, runtime, store, block }
    }

    /// Sends a request, such as `POST /v1.0/state/s`; gives its answer if it is there at once.
    pub fn begin(&self, line: &str, headers: Headers, body: impl Into<Vec<u8>>) -> Option<Reply> {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let (clean, query) = path::split_query(target);
        let request = Request { headers, query: query.unwrap_or_default().to_owned(), body: body.into() };
        let flow = self.block.serve(route(method.as_bytes(), clean), request);
        self.runtime.spawn_request(StreamId(1), flow);
        self.run()
    }

    /// The answer that is there now.
    pub fn run(&self) -> Option<Reply> {
        self.runtime.run(Scope::Root).pop().map(|(_, reply)| reply)
    }

    /// Sends a request that needs nothing from outside; it may take several turns.
    pub fn call(&self, line: &str, body: &str) -> Reply {
        let at_once = self.begin(line, Headers::new(), body);
        at_once.unwrap_or_else(|| self.host.pass(&self.runtime, Duration::from_secs(1)).pop().expect("an answer").1)
    }

    pub fn get(&self, target: &str) -> Reply {
        self.call(&format!("GET {target}"), "")
    }
}
