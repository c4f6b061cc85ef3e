//! Flows: plain `async fn`s driven by the proxy's callbacks.
//!
//! A leaf future keeps its waker under the call or connection that it waits for. The callback fills the slot,
//! wakes, and [`Runtime::run`] polls the flows that are ready. Nothing polls by tick; ticks serve deadlines only.
//! Dropping a future cancels it, and an answer that comes later is ignored.

mod calls;
mod channels;
mod join;
pub mod link;
mod oneshot;
mod ready;
mod signal;
mod tasks;
mod timers;

pub use calls::Call;
#[cfg(feature = "etcd")]
pub use calls::GrpcCall;
pub use channels::Channels;
pub use join::join_some;
pub use oneshot::{Receiver, Sender, channel};
pub use signal::Signal;
pub use timers::Sleep;

#[cfg(feature = "etcd")]
use crate::host::GrpcOutcome;
use crate::host::{CallId, CallOutcome, Host, HostError, HttpCall, LogLevel, TcpId, TcpTarget, Time};
use crate::http::Reply;
use crate::log_line::Line;
use calls::Calls;
use ready::{ReadyQueue, TaskWaker};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tasks::{Task, TaskId, Tasks};
use timers::Timers;

/// A boxed future of this single thread. Boxing keeps each flow a function of its own, which costs the
/// proxy's compiler far less memory than one large function.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The proxy's number of an HTTP request (its context id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// Who is asking for flows to be polled; it decides which of them may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A callback of the root context: every flow may run.
    Root,
    /// A callback of one request: only its own flow may run, because the SDK books calls and streams
    /// that begin now under this request.
    Stream(StreamId),
}

/// Hears what happens on a TCP connection.
pub trait TcpEvents {
    /// The backend has accepted.
    fn opened(&self);
    /// Bytes from the backend.
    fn data(&self, bytes: &[u8]);
    /// The connection ended; `status` is the proxy's gRPC status for it.
    fn closed(&self, status: u32);
}

struct Inner {
    host: Rc<dyn Host>,
    app_id: String,
    log_level: LogLevel,
    tasks: RefCell<Tasks>,
    ready: Arc<ReadyQueue>,
    calls: RefCell<Calls<CallOutcome>>,
    #[cfg(feature = "etcd")]
    grpc_calls: RefCell<Calls<GrpcOutcome>>,
    timers: RefCell<Timers>,
    tcp: RefCell<Vec<(TcpId, Weak<dyn TcpEvents>)>>,
    channels: Channels,
    /// What the proxy last said of the time.
    told: Cell<Time>,
    /// By how much its clock was set back so far.
    ahead: Cell<Duration>,
    armed: Cell<Option<Time>>,
    next_task: Cell<u32>,
}

/// The flows of one root context. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(Rc<Inner>);

impl Runtime {
    /// A runtime without flows, the only one of its VM. Lines below `log_level` are not written.
    pub fn new(host: Rc<dyn Host>, log_level: LogLevel) -> Self {
        Self::beside(Channels::default(), host, String::new(), log_level)
    }

    /// One of the runtimes of a VM that share these channels. Its lines carry the application's id.
    #[inline(never)]
    pub fn beside(channels: Channels, host: Rc<dyn Host>, app_id: String, log_level: LogLevel) -> Self {
        Self(Rc::new(Inner {
            host,
            app_id,
            log_level,
            tasks: RefCell::default(),
            ready: Arc::default(),
            calls: RefCell::default(),
            #[cfg(feature = "etcd")]
            grpc_calls: RefCell::default(),
            timers: RefCell::default(),
            tcp: RefCell::default(),
            channels,
            told: Cell::default(),
            ahead: Cell::default(),
            armed: Cell::new(None),
            next_task: Cell::new(0),
        }))
    }

    /// The proxy.
    pub fn host(&self) -> &dyn Host {
        &*self.0.host
    }

    /// The time now, for deadlines: it never goes back. Where the proxy's clock is set back, it goes on from where it
    /// was; so what is written or compared with other clocks takes [`Host::now`].
    pub fn now(&self) -> Time {
        let told = self.0.host.now();
        let before = self.0.told.replace(told);
        self.0.ahead.set(self.0.ahead.get() + before.saturating_sub(told));
        told + self.0.ahead.get()
    }

    /// Writes one line if its level is wanted.
    pub fn log(&self, level: LogLevel, line: &Line<'_>) {
        if level >= self.0.log_level {
            self.0.host.log(level, &line.text(&self.0.app_id));
        }
    }

    /// Adds the flow that will answer a request. It is polled by the next [`Runtime::run`].
    pub fn spawn_request(&self, stream: StreamId, flow: BoxFuture<'static, Reply>) {
        self.insert(TaskId::Request(stream), Task::Request(flow));
    }

    /// Adds a flow that belongs to no request. It is polled by the next [`Runtime::run`] of [`Scope::Root`].
    pub fn spawn(&self, flow: BoxFuture<'static, ()>) {
        let id = TaskId::Background(self.0.next_task.get());
        self.0.next_task.set(self.0.next_task.get().wrapping_add(1));
        self.insert(id, Task::Background(flow));
    }

    fn insert(&self, id: TaskId, task: Task) {
        self.0.tasks.borrow_mut().add(id, task);
        Waker::from(TaskWaker::new(&self.0.ready, id)).wake();
    }

    /// Forgets the flow of a request whose client has left. Its calls are cancelled.
    pub fn cancel(&self, stream: StreamId) {
        // Taken out first: dropping a flow may reach back into the runtime.
        let task = self.0.tasks.borrow_mut().remove(TaskId::Request(stream));
        drop(task);
    }

    /// Whether a request has a flow that has not ended.
    pub fn is_running(&self, stream: StreamId) -> bool {
        self.0.tasks.borrow().contains(TaskId::Request(stream))
    }

    /// Polls the flows that are ready and may run now. Returns the requests that have their answer. A flow that woke
    /// itself has its next turn in the next run, so that a long one lets the worker do other things.
    pub fn run(&self, scope: Scope) -> Vec<(StreamId, Reply)> {
        let mut answered = Vec::new();
        let mut later = Vec::new();
        while let Some(flow) = self.0.ready.pop() {
            let may_run = match scope {
                Scope::Root => true,
                Scope::Stream(stream) => flow.id == TaskId::Request(stream),
            };
            if may_run && !flow.rested() {
                self.poll(&flow, &mut answered);
            } else if self.0.tasks.borrow().contains(flow.id) {
                later.push(flow);
            }
        }
        let left_over = !later.is_empty();
        later.into_iter().for_each(|flow| self.0.ready.push(flow));
        self.arm(left_over);
        answered
    }

    fn poll(&self, flow: &Arc<TaskWaker>, answered: &mut Vec<(StreamId, Reply)>) {
        let id = flow.id;
        // The flow is taken out while it runs, so it may spawn, cancel and wake freely.
        let Some(mut task) = self.0.tasks.borrow_mut().take(id) else {
            return;
        };
        flow.begin();
        let waker = Waker::from(Arc::clone(flow));
        let mut context = Context::from_waker(&waker);
        let ended = match (&mut task, id) {
            (Task::Request(flow), TaskId::Request(stream)) => match flow.as_mut().poll(&mut context) {
                Poll::Ready(reply) => {
                    answered.push((stream, reply));
                    true
                }
                Poll::Pending => false,
            },
            (Task::Background(flow), _) => flow.as_mut().poll(&mut context).is_ready(),
            (Task::Request(_), TaskId::Background(_)) => true,
        };
        flow.pause();
        let mut tasks = self.0.tasks.borrow_mut();
        let gone = if ended { tasks.remove(id) } else { tasks.put_back(id, task) };
        // Dropping a flow may reach back into the runtime.
        drop(tasks);
        drop(gone);
    }

    /// Lets the flows that are ready run from the next tick instead of now.
    pub fn run_soon(&self) {
        self.arm(true);
    }

    /// Sets the tick to the next deadline. A tick that comes early is harmless, so it is only ever moved forward.
    #[inline(never)]
    fn arm(&self, at_once: bool) {
        let now = self.now();
        let next = if at_once { Some(now) } else { self.0.timers.borrow().next() };
        let Some(next) = next else { return };
        if self.0.armed.get().is_none_or(|armed| next < armed || armed <= now) {
            self.0.armed.set(Some(next));
            let after = next.saturating_sub(now).max(Duration::from_millis(1));
            self.0.host.set_tick(Some(after));
        }
    }

    /// Begins an HTTP call; the future gives its outcome.
    pub fn call(&self, call: HttpCall<'_>) -> Result<Call, HostError> {
        let id = self.0.host.http_call(call)?;
        Ok(Call::new(self.0.calls.borrow_mut().wait(id)))
    }

    /// Begins a gRPC call of one message; the future gives its outcome.
    ///
    /// # Errors
    /// The proxy refused to begin; nothing was sent.
    #[cfg(feature = "etcd")]
    pub fn grpc_call(&self, call: HttpCall<'_>) -> Result<GrpcCall, HostError> {
        let id = self.0.host.http_call(call)?;
        Ok(GrpcCall::new(self.0.grpc_calls.borrow_mut().wait(id)))
    }

    /// A future that ends after that time. Deadlines are exact to a few milliseconds.
    pub fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(self.clone(), self.now() + time)
    }

    pub(crate) fn timers(&self) -> &RefCell<Timers> {
        &self.0.timers
    }

    /// Begins a TCP connection whose events go to `events` for as long as that lives.
    pub fn tcp_open(&self, target: &TcpTarget, events: &Rc<dyn TcpEvents>) -> Result<TcpId, HostError> {
        let id = self.0.host.tcp_open(target)?;
        self.0.tcp.borrow_mut().push((id, Rc::downgrade(events)));
        Ok(id)
    }

    /// Ends a TCP connection; no event follows.
    pub fn tcp_close(&self, id: TcpId) {
        if self.forget(id).is_some() {
            self.0.host.tcp_close(id);
        }
    }

    fn forget(&self, id: TcpId) -> Option<Weak<dyn TcpEvents>> {
        let mut tcp = self.0.tcp.borrow_mut();
        let at = tcp.iter().position(|(known, _)| *known == id)?;
        Some(tcp.swap_remove(at).1)
    }

    fn events_of(&self, id: TcpId) -> Option<Rc<dyn TcpEvents>> {
        let tcp = self.0.tcp.borrow();
        tcp.iter().find(|(known, _)| *known == id).and_then(|(_, events)| events.upgrade())
    }

    /// The proxy says: an HTTP call has ended.
    pub fn on_call_answer(&self, id: CallId, outcome: CallOutcome) {
        let slot = self.0.calls.borrow_mut().take(id);
        if let Some(slot) = slot {
            slot.send(outcome);
        }
    }

    /// Whether a call was begun by [`Runtime::grpc_call`], so that its trailers have to be read.
    #[cfg(feature = "etcd")]
    pub fn awaits_grpc(&self, id: CallId) -> bool {
        self.0.grpc_calls.borrow().has(id)
    }

    /// The proxy says: a gRPC call has ended.
    #[cfg(feature = "etcd")]
    pub fn on_grpc_answer(&self, id: CallId, outcome: GrpcOutcome) {
        let slot = self.0.grpc_calls.borrow_mut().take(id);
        if let Some(slot) = slot {
            slot.send(outcome);
        }
    }

    /// The proxy says: the backend has accepted a connection.
    pub fn on_tcp_open(&self, id: TcpId) {
        if let Some(events) = self.events_of(id) {
            events.opened();
        }
    }

    /// The proxy says: bytes have come.
    pub fn on_tcp_data(&self, id: TcpId, bytes: &[u8]) {
        if let Some(events) = self.events_of(id) {
            events.data(bytes);
        }
    }

    /// The proxy says: a connection has ended, with this gRPC status.
    pub fn on_tcp_close(&self, id: TcpId, status: u32) {
        if let Some(events) = self.forget(id).and_then(|events| events.upgrade()) {
            events.closed(status);
        }
    }

    /// Listens to a channel; the signal is raised by every [`Runtime::notify`] of it in this VM.
    pub fn listen(&self, channel: &str) -> Signal {
        self.0.channels.listen(channel, self)
    }

    /// Raises the signals of all who listen to a channel in this VM. Nobody listening is no error.
    pub fn notify(&self, channel: &str) {
        self.0.channels.notify(channel);
    }

    /// The proxy says: the time asked for by `Host::set_tick` has come.
    pub fn on_tick(&self) {
        self.0.armed.set(None);
        let due = self.0.timers.borrow_mut().due(self.now());
        due.into_iter().for_each(Waker::wake);
        if self.0.timers.borrow().next().is_none() && self.0.ready.is_empty() {
            self.0.host.set_tick(None);
        }
    }
}

#[cfg(test)]
mod tests;
