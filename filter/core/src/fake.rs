//! A host for tests: it answers when and in which order the test likes.

use crate::host::{
    CallId, CallOutcome, Conflict, Host, HostError, HttpCall, LogLevel, Metric, MetricId, MetricKind, SharedVersion,
    TcpId, TcpTarget, Time,
};
use crate::http::{Headers, Reply};
use crate::runtime::{Runtime, Scope, StreamId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Values that workers share, with their versions.
type Shared = Rc<RefCell<HashMap<String, (Vec<u8>, u32)>>>;

/// An HTTP call that the filter has made.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

/// What the filter asked of the proxy and was not answered yet, and what it left behind.
#[derive(Default)]
pub(crate) struct FakeHost {
    now: Cell<Time>,
    next_id: Cell<u32>,
    random: Cell<u8>,
    /// Calls without an answer.
    pub calls: RefCell<VecDeque<(CallId, Called)>>,
    /// Connections that were opened and not closed.
    pub tcp: RefCell<BTreeMap<u32, TcpTarget>>,
    /// Bytes sent on each connection since they were last taken.
    sent: RefCell<HashMap<u32, Vec<u8>>>,
    /// What the next calls, connections and sends are refused with.
    pub refuse_call: Cell<Option<HostError>>,
    pub refuse_open: Cell<Option<HostError>>,
    pub refuse_send: Cell<Option<HostError>>,
    shared: Shared,
    /// How many of the next writes to shared memory meet another worker's.
    pub conflicts: Cell<u32>,
    pub log: RefCell<Vec<String>>,
    pub counts: RefCell<HashMap<Metric, u32>>,
    /// Metrics by name with what was measured, in the order of their definition.
    pub meters: RefCell<Vec<(String, Vec<u64>)>>,
    pub tick: Cell<Option<Time>>,
    pub environment: RefCell<HashMap<String, String>>,
}

impl Host for FakeHost {
    fn now(&self) -> Time {
        self.now.get()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            self.random.set(self.random.get().wrapping_mul(5).wrapping_add(77));
            *byte = self.random.get();
        }
    }

    fn log(&self, _level: LogLevel, line: &str) {
        self.log.borrow_mut().push(line.to_owned());
    }

    fn count(&self, metric: Metric, by: u32) {
        *self.counts.borrow_mut().entry(metric).or_default() += by;
    }

    fn define(&self, _kind: MetricKind, name: &str) -> Option<MetricId> {
        let mut meters = self.meters.borrow_mut();
        let at = meters.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            meters.push((name.to_owned(), Vec::new()));
            meters.len() - 1
        });
        Some(MetricId(at as u32))
    }

    fn measure(&self, _kind: MetricKind, id: MetricId, value: u64) {
        self.meters.borrow_mut()[id.0 as usize].1.push(value);
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.environment.borrow().get(name).cloned()
    }

    fn http_call(&self, call: HttpCall<'_>) -> Result<CallId, HostError> {
        if let Some(error) = self.refuse_call.get() {
            return Err(error);
        }
        let id = CallId(self.new_id());
        let mut headers = Headers::new();
        call.headers.iter().for_each(|(name, value)| headers.push(name, *value));
        let (cluster, body, timeout) = (call.cluster.to_owned(), call.body.to_vec(), call.timeout);
        self.calls.borrow_mut().push_back((id, Called { cluster, headers, body, timeout }));
        Ok(id)
    }

    fn tcp_open(&self, target: &TcpTarget) -> Result<TcpId, HostError> {
        if let Some(error) = self.refuse_open.get() {
            return Err(error);
        }
        let id = self.new_id();
        self.tcp.borrow_mut().insert(id, target.clone());
        Ok(TcpId(id))
    }

    fn tcp_send(&self, id: TcpId, bytes: &[u8]) -> Result<(), HostError> {
        if let Some(error) = self.refuse_send.get() {
            return Err(error);
        }
        if !self.tcp.borrow().contains_key(&id.0) {
            return Err(HostError::Gone);
        }
        self.sent.borrow_mut().entry(id.0).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn tcp_close(&self, id: TcpId) {
        assert!(self.tcp.borrow_mut().remove(&id.0).is_some(), "closed twice: {id:?}");
    }

    fn shared_get(&self, key: &str) -> (Option<Vec<u8>>, SharedVersion) {
        match self.shared.borrow().get(key) {
            Some((value, version)) => (Some(value.clone()), SharedVersion::At(*version)),
            None => (None, SharedVersion::Absent),
        }
    }

    fn shared_set(&self, key: &str, value: &[u8], seen: SharedVersion) -> Result<(), Conflict> {
        if self.conflicts.get() > 0 {
            self.conflicts.set(self.conflicts.get() - 1);
            return Err(Conflict);
        }
        let mut shared = self.shared.borrow_mut();
        let now = shared.get(key).map_or(SharedVersion::Absent, |(_, version)| SharedVersion::At(*version));
        if now != seen {
            return Err(Conflict);
        }
        let version = self.new_id();
        shared.insert(key.to_owned(), (value.to_vec(), version));
        Ok(())
    }

    fn set_tick(&self, after: Option<Duration>) {
        self.tick.set(after.map(|after| self.now.get() + after));
    }
}

impl FakeHost {
    /// A host at a fixed time in the year 2026.
    pub fn new() -> Rc<Self> {
        let host = Self::default();
        host.now.set(Duration::from_secs(1_780_000_000));
        Rc::new(host)
    }

    /// Another worker's host that shares the memory of this one.
    pub fn neighbour(&self) -> Rc<Self> {
        let mut host = Self::default();
        host.shared = Rc::clone(&self.shared);
        host.now.set(self.now.get());
        // Far from this host's numbers: versions of shared values must never repeat.
        host.next_id.set(self.next_id.get() + 1_000_000);
        host.random.set(self.random.get().wrapping_add(1));
        Rc::new(host)
    }

    fn new_id(&self) -> u32 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    /// The bytes sent on a connection since the last look.
    pub fn take_sent(&self, id: TcpId) -> Vec<u8> {
        self.sent.borrow_mut().remove(&id.0).unwrap_or_default()
    }

    /// The newest open connection.
    pub fn newest_tcp(&self) -> Option<TcpId> {
        self.tcp.borrow().keys().next_back().copied().map(TcpId)
    }

    /// Lets time pass, with every tick that was asked for. Returns the requests answered on the way.
    pub fn pass(&self, runtime: &Runtime, time: Duration) -> Vec<(StreamId, Reply)> {
        let end = self.now.get() + time;
        let mut answered = runtime.run(Scope::Root);
        while let Some(at) = self.tick.get().filter(|at| *at <= end) {
            self.now.set(at.max(self.now.get()));
            runtime.on_tick();
            answered.extend(runtime.run(Scope::Root));
            if self.tick.get() == Some(at) {
                self.now.set(self.now.get() + Duration::from_millis(1));
            }
        }
        self.now.set(end);
        answered
    }

    /// Lets time pass where no flow waits for it.
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    /// The sum of all that was measured under names that hold all of these parts.
    pub fn measured(&self, parts: &[&str]) -> u64 {
        let meters = self.meters.borrow();
        let fits = |name: &str| parts.iter().all(|part| name.contains(part));
        meters.iter().filter(|(name, _)| fits(name)).flat_map(|(_, values)| values).sum()
    }

    /// Sets the clock back; what ticks are measured with goes on.
    pub fn set_back(&self, by: Duration) {
        self.now.set(self.now.get() - by);
        self.tick.set(self.tick.get().map(|at| at - by));
    }

    /// Answers the oldest call; panics if there is none.
    pub fn answer(&self, runtime: &Runtime, status: u16, body: &[u8]) -> Called {
        let (id, call) = self.calls.borrow_mut().pop_front().expect("a call to answer");
        runtime.on_call_answer(id, CallOutcome::Answered { status, body: body.to_vec() });
        call
    }

    /// Fails the oldest call as the proxy does; panics if there is none.
    pub fn fail(&self, runtime: &Runtime, status: u16) -> Called {
        let (id, call) = self.calls.borrow_mut().pop_front().expect("a call to fail");
        runtime.on_call_answer(id, CallOutcome::Failed { status });
        call
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.calls.borrow().iter().map(|(_, call)| call.cluster.clone()).collect::<Vec<_>>();
            assert!(left.is_empty(), "calls left unanswered: {left:?}");
        }
    }
}
