//! A Redis for tests: it speaks over the fake host's connections and answers as a model of its data says.

use super::resp::Reply;
use crate::fake::FakeHost;
use crate::host::{Host, TcpId, Time};
use crate::runtime::{Runtime, Scope};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// How far time goes on between two looks of the server.
const STEP: Duration = Duration::from_millis(5);
/// The proxy's gRPC status for a connection that was refused or ended.
const UNAVAILABLE: u32 = 14;

/// One command: its name in upper case, and all of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub name: String,
    pub words: Vec<Vec<u8>>,
    /// The server that was asked for; empty where there is one.
    pub node: String,
}

impl Asked {
    /// A word as text.
    pub fn text(&self, at: usize) -> &str {
        std::str::from_utf8(&self.words[at]).unwrap()
    }

    /// All words as one text.
    pub fn line(&self) -> String {
        self.words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
    }
}

/// What the server keeps, and what it answers.
pub(crate) trait Model {
    /// The reply; `None` while the command blocks. `asked_at` is when it came.
    fn answer(&mut self, asked: &Asked, asked_at: Time, now: Time) -> Option<Reply>;
}

/// What goes wrong with the next command of a name.
enum Fault {
    /// It is refused with these words and not done.
    Refused(&'static str),
    /// It is done, and then its connection ends without a reply.
    Lost,
}

#[derive(Default)]
struct Connection {
    unread: Vec<u8>,
    waiting: VecDeque<(Asked, Time)>,
}

/// The server.
pub(crate) struct FakeRedis<M> {
    host: Rc<FakeHost>,
    runtime: Runtime,
    pub model: Rc<RefCell<M>>,
    /// Every command so far, in order.
    pub asked: RefCell<Vec<Asked>>,
    /// Refuses connections.
    pub down: Cell<bool>,
    /// Servers that refuse connections.
    pub dead: RefCell<Vec<String>>,
    connections: RefCell<BTreeMap<u32, Connection>>,
    faults: RefCell<Vec<(&'static str, Fault)>>,
}

impl<M: Model> FakeRedis<M> {
    /// A server with these data, as one worker sees it.
    pub fn with(model: Rc<RefCell<M>>, host: &Rc<FakeHost>, runtime: &Runtime) -> Self {
        Self {
            host: Rc::clone(host),
            runtime: runtime.clone(),
            model,
            asked: RefCell::default(),
            down: Cell::new(false),
            dead: RefCell::default(),
            connections: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// Refuses the next command of that name with these words.
    pub fn refuse(&self, name: &'static str, words: &'static str) {
        self.faults.borrow_mut().push((name, Fault::Refused(words)));
    }

    /// Does the next command of that name and ends its connection in place of the reply.
    pub fn lose(&self, name: &'static str) {
        self.faults.borrow_mut().push((name, Fault::Lost));
    }

    /// Ends every connection.
    pub fn hang_up(&self) {
        let open: Vec<u32> = self.connections.borrow().keys().copied().collect();
        open.into_iter().for_each(|id| self.end(id));
    }

    /// Lets time pass, serving all the while.
    pub fn pass(&self, time: Duration) {
        let mut left = time;
        self.serve();
        while !left.is_zero() {
            let step = left.min(STEP);
            self.host.pass(&self.runtime, step);
            self.serve();
            left -= step;
        }
    }

    /// Answers until nobody asks any more.
    pub fn serve(&self) {
        self.runtime.run(Scope::Root);
        while self.accept() || self.read() || self.reply() {
            self.runtime.run(Scope::Root);
        }
    }

    /// The commands of that name so far.
    pub fn asked(&self, name: &str) -> Vec<Asked> {
        self.asked.borrow().iter().filter(|asked| asked.name == name).cloned().collect()
    }

    /// The server that a connection was made to.
    fn node(&self, id: u32) -> String {
        self.host.tcp.borrow().get(&id).and_then(|target| target.node.clone()).unwrap_or_default()
    }

    /// Ends one server with its connections.
    pub fn kill(&self, node: &str) {
        self.dead.borrow_mut().push(node.to_owned());
        let of_it: Vec<u32> = self.connections.borrow().keys().copied().filter(|id| self.node(*id) == node).collect();
        of_it.into_iter().for_each(|id| self.end(id));
    }

    fn accept(&self) -> bool {
        let open: Vec<u32> = self.host.tcp.borrow().keys().copied().collect();
        self.connections.borrow_mut().retain(|id, _| open.contains(id));
        let fresh: Vec<u32> = open.into_iter().filter(|id| !self.connections.borrow().contains_key(id)).collect();
        for id in &fresh {
            if self.down.get() || self.dead.borrow().contains(&self.node(*id)) {
                self.end(*id);
            } else {
                self.connections.borrow_mut().insert(*id, Connection::default());
                self.runtime.on_tcp_open(TcpId(*id));
            }
        }
        !fresh.is_empty()
    }

    fn read(&self) -> bool {
        let mut any = false;
        for (id, connection) in self.connections.borrow_mut().iter_mut() {
            connection.unread.extend(self.host.take_sent(TcpId(*id)));
            while let Some((mut asked, used)) = parse(&connection.unread) {
                asked.node = self.node(*id);
                connection.unread.drain(..used);
                self.asked.borrow_mut().push(asked.clone());
                connection.waiting.push_back((asked, self.host.now()));
                any = true;
            }
        }
        any
    }

    /// Answers one command, if any can be answered now.
    fn reply(&self) -> bool {
        let open: Vec<u32> = self.connections.borrow().keys().copied().collect();
        open.into_iter().any(|id| self.reply_on(id))
    }

    fn reply_on(&self, id: u32) -> bool {
        let front = self.connections.borrow().get(&id).and_then(|it| it.waiting.front().cloned());
        let Some((asked, asked_at)) = front else { return false };
        let fault = self.fault(&asked.name);
        let reply = match fault {
            Some(Fault::Refused(words)) => Some(Reply::Error(words.to_owned())),
            _ => self.model.borrow_mut().answer(&asked, asked_at, self.host.now()),
        };
        if matches!(fault, Some(Fault::Lost)) {
            self.end(id);
            return true;
        }
        let Some(reply) = reply else { return false };
        if let Some(connection) = self.connections.borrow_mut().get_mut(&id) {
            connection.waiting.pop_front();
        }
        let mut bytes = Vec::new();
        encode(&mut bytes, &reply);
        self.runtime.on_tcp_data(TcpId(id), &bytes);
        true
    }

    fn fault(&self, name: &str) -> Option<Fault> {
        let mut faults = self.faults.borrow_mut();
        let place = faults.iter().position(|(of, _)| *of == name)?;
        Some(faults.remove(place).1)
    }

    fn end(&self, id: u32) {
        self.connections.borrow_mut().remove(&id);
        self.host.tcp.borrow_mut().remove(&id);
        self.runtime.on_tcp_close(TcpId(id), UNAVAILABLE);
    }
}

/// The first command of the bytes, and how many of them it took.
fn parse(bytes: &[u8]) -> Option<(Asked, usize)> {
    let mut at = 0;
    let mut header = |mark: u8, skip: usize| {
        at += skip;
        let rest = bytes.get(at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        assert_eq!(rest[0], mark, "a command is an array of bulk strings");
        let number: usize = std::str::from_utf8(&rest[1..end]).unwrap().parse().unwrap();
        at += end + 2;
        Some((number, at))
    };
    let (count, mut end) = header(b'*', 0)?;
    let (mut words, mut skip) = (Vec::new(), 0);
    for _ in 0..count {
        let (length, start) = header(b'$', skip)?;
        words.push(bytes.get(start..start + length)?.to_vec());
        skip = length + 2;
        end = start + skip;
    }
    let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
    (end <= bytes.len()).then_some((Asked { name, words, node: String::new() }, end))
}

fn encode(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Status(text) => {
            [b"+", text.as_slice(), b"\r\n"].into_iter().for_each(|part| out.extend_from_slice(part))
        }
        Reply::Error(text) => out.extend_from_slice(format!("-{text}\r\n").as_bytes()),
        Reply::Integer(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Reply::Bulk(bytes) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::Array(items) => {
            out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
            items.iter().for_each(|item| encode(out, item));
        }
        Reply::TooLarge => panic!("a model answers with the reply itself"),
    }
}
