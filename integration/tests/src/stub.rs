//! A backend that behaves as a test says, byte for byte.

use crate::wait::SOON;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A TCP server. Each connection is handled by the test's function in a thread of its own, and closed when that
/// returns. The server's port stays taken as long as the process lives.
#[derive(Debug)]
pub struct Stub {
    port: u16,
    connections: Arc<AtomicUsize>,
    commands: Arc<Mutex<Vec<String>>>,
}

/// One connection of a [`Stub`].
#[derive(Debug)]
pub struct Peer {
    /// How many connections came before.
    pub number: usize,
    socket: TcpStream,
    read: Vec<u8>,
    commands: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// A server on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If there is no such port.
    #[must_use]
    pub fn start(handle: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let stub = Self { port, connections: Arc::default(), commands: Arc::default() };
        let (connections, commands, handle) =
            (Arc::clone(&stub.connections), Arc::clone(&stub.commands), Arc::new(handle));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (handle, commands) = (Arc::clone(&handle), Arc::clone(&commands));
                let mut peer = Peer { number, socket, read: Vec::new(), commands };
                std::thread::spawn(move || handle(&mut peer));
            }
        });
        stub
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The names of the commands that were read so far.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Peer {
    /// Reads one command of Redis' protocol and gives its words; `None` if the connection has ended.
    pub fn command(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((words, used)) = command(&self.read) {
                self.read.drain(..used);
                let name = words.first().cloned().unwrap_or_default();
                self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                return Some(words);
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(size) => self.read.extend_from_slice(&chunk[..size]),
            }
        }
    }

    /// Reads the head of an HTTP request without a body; `None` if the connection has ended.
    pub fn head(&mut self) -> Option<String> {
        const END: &[u8] = b"\r\n\r\n";
        loop {
            if let Some(at) = self.read.windows(END.len()).position(|it| it == END) {
                let head: Vec<u8> = self.read.drain(..at + END.len()).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(size) => self.read.extend_from_slice(&chunk[..size]),
            }
        }
    }

    /// Ends the connection with a TCP reset.
    pub fn reset(&mut self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("a connected socket");
    }

    /// Writes bytes. A peer that has gone is no failure.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The test sees by the filter's answer what came of it.
        let _gone = self.socket.write_all(bytes.as_ref());
    }

    /// Says nothing until the other side ends the connection.
    pub fn hold(&mut self) {
        self.socket.set_read_timeout(Some(SOON * 3)).expect("a connected socket");
        while self.command().is_some() {}
    }
}

/// The words of a whole command at the front, and how many bytes it took.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = line(bytes, 0, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (size, start) = line(bytes, at, b'$')?;
        let word = bytes.get(start..start + size)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at = start + size + 2;
    }
    (bytes.len() >= at).then_some((words, at))
}

/// The number on a line that begins with `mark`, and where the next line begins.
fn line(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (first, number) = rest[..end].split_first()?;
    assert_eq!(*first, mark, "a command of Redis");
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((number, at + end + 2))
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_is_read_when_it_is_whole() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1";
        assert_eq!(command(bytes), Some((vec!["GET".to_owned(), "k".to_owned()], 20)));
        assert_eq!(command(&bytes[..19]), None);
    }
}
