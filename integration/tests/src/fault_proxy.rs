//! A TCP proxy between Envoy and a real backend that goes wrong when a test says so.

use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The proxy. It serves as long as the process lives.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

/// One of the two ways of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From Envoy to the backend.
    Commands,
    /// From the backend to Envoy.
    Replies,
}

#[derive(Debug)]
struct Shared {
    backend: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rule: Rule,
    refuses: bool,
    /// Connections so far.
    connections: usize,
    /// Both ends of every connection.
    open: Vec<(TcpStream, TcpStream)>,
    commands: Vec<u8>,
    replies: Vec<u8>,
}

/// What becomes of bytes.
#[derive(Debug, Clone, Default)]
enum Rule {
    /// They are passed on.
    #[default]
    Pass,
    /// Each is passed on as a packet of its own.
    Drip,
    /// They wait.
    Hold(Way),
    /// That many of a way are passed on; then the connection ends, and the rule with it.
    Cut(Way, usize),
    /// These go to Envoy in place of the next replies; the rule ends with that.
    Forge(Vec<u8>),
}

impl FaultProxy {
    /// A proxy before the backend at that port of 127.0.0.1, which need not run. It passes everything on.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn before(backend: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let shared = Arc::new(Shared { backend, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|envoy| accepting.accept(envoy)));
        Self { port, shared }
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes everything on again, and what was held back.
    pub fn pass(&self) {
        self.shared.set(Rule::Pass);
    }

    /// Passes every byte on as a packet of its own.
    pub fn drip(&self) {
        self.shared.set(Rule::Drip);
    }

    /// Holds the bytes of one way back.
    pub fn hold(&self, way: Way) {
        self.shared.set(Rule::Hold(way));
    }

    /// Passes that many more bytes of one way on, and then ends the connection that carries the next one.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        self.shared.set(Rule::Cut(way, bytes));
    }

    /// Gives Envoy these bytes in place of the next that the backend sends.
    pub fn forge(&self, bytes: &[u8]) {
        self.shared.set(Rule::Forge(bytes.to_vec()));
    }

    /// Ends each new connection at once, and those that are open.
    pub fn refuse(&self) {
        let mut state = self.shared.lock();
        state.refuses = true;
        state.hang_up();
    }

    /// Takes connections again.
    pub fn accept(&self) {
        self.shared.lock().refuses = false;
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// What came from Envoy, or from the backend, since this was asked last, held bytes included.
    #[must_use]
    pub fn take(&self, way: Way) -> Vec<u8> {
        std::mem::take(self.shared.lock().record(way))
    }

    /// How much came since [`FaultProxy::take`].
    #[must_use]
    pub fn count(&self, way: Way) -> usize {
        self.shared.lock().record(way).len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, rule: Rule) {
        self.lock().rule = rule;
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, envoy: TcpStream) {
        let mut state = self.lock();
        state.connections += 1;
        let backend = if state.refuses { None } else { TcpStream::connect(("127.0.0.1", self.backend)).ok() };
        // Dropping the socket ends the connection.
        let Some(backend) = backend else { return };
        for socket in [&envoy, &backend] {
            socket.set_nodelay(true).expect("a connected socket");
        }
        let clone = |socket: &TcpStream| socket.try_clone().expect("a socket can be cloned");
        state.open.push((clone(&envoy), clone(&backend)));
        for (way, from, to) in [(Way::Commands, clone(&envoy), clone(&backend)), (Way::Replies, backend, envoy)] {
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.carry(way, from, to));
        }
    }

    fn carry(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; 64 * 1024];
        loop {
            let length = from.read(&mut piece).unwrap_or_default();
            self.lock().record(way).extend_from_slice(&piece[..length]);
            if length == 0 || !self.deliver(way, &piece[..length], &mut to) {
                break;
            }
        }
        for socket in [from, to] {
            let _gone_already = socket.shutdown(Shutdown::Both);
        }
    }

    /// `false` if the connection ends with these bytes.
    fn deliver(&self, way: Way, bytes: &[u8], to: &mut TcpStream) -> bool {
        let mut state = self.lock();
        while matches!(state.rule, Rule::Hold(held) if held == way) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.rule.clone() {
            Rule::Cut(cut, left) if cut == way && left < bytes.len() => {
                state.rule = Rule::Pass;
                let _gone_already = to.write_all(&bytes[..left]);
                false
            }
            Rule::Cut(cut, left) if cut == way => {
                state.rule = Rule::Cut(cut, left - bytes.len());
                to.write_all(bytes).is_ok()
            }
            Rule::Forge(forged) if way == Way::Replies => {
                state.rule = Rule::Pass;
                to.write_all(&forged).is_ok()
            }
            Rule::Drip => {
                drop(state);
                bytes.chunks(1).all(|byte| to.write_all(byte).is_ok())
            }
            _ => {
                drop(state);
                to.write_all(bytes).is_ok()
            }
        }
    }
}

impl State {
    fn record(&mut self, way: Way) -> &mut Vec<u8> {
        match way {
            Way::Commands => &mut self.commands,
            Way::Replies => &mut self.replies,
        }
    }

    /// Ends every connection without a goodbye.
    fn hang_up(&mut self) {
        for (envoy, backend) in self.open.drain(..) {
            let _gone_already = SockRef::from(&envoy).set_linger(Some(Duration::ZERO));
            for socket in [envoy, backend] {
                let _gone_already = socket.shutdown(Shutdown::Both);
            }
        }
    }
}
