//! A DNS server that says what a test likes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers questions for IPv4 addresses; their life is one second. It stays as long as the process lives.
#[derive(Debug, Clone)]
pub struct Names {
    port: u16,
    known: Arc<Mutex<HashMap<String, Vec<Ipv4Addr>>>>,
}

impl Names {
    /// A server on a free port of 127.0.0.1 that knows no names.
    ///
    /// # Panics
    /// If there is no such port.
    #[must_use]
    pub fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
        let names = Self { port: socket.local_addr().expect("a bound socket").port(), known: Arc::default() };
        let known = Arc::clone(&names.known);
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((size, from)) = socket.recv_from(&mut packet) {
                if let Some(answer) = answer(&packet[..size], &known.lock().unwrap_or_else(PoisonError::into_inner)) {
                    // The asker sees by the missing answer what came of it.
                    let _gone = socket.send_to(&answer, from);
                }
            }
        });
        names
    }

    /// The UDP port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets a name have these addresses from now on.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), addresses.to_vec());
    }
}

/// The answer to a packet with one question.
fn answer(question: &[u8], known: &HashMap<String, Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const A: [u8; 4] = [0, 1, 0, 1];
    let (mut at, mut labels) = (HEADER, Vec::new());
    loop {
        let size = usize::from(*question.get(at)?);
        at += 1;
        if size == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + size)?).to_ascii_lowercase());
        at += size;
    }
    let kind = question.get(at..at + 4)?;
    let found = known.get(&labels.join("."));
    let addresses = found.filter(|_| kind == A).cloned().unwrap_or_default();
    // A name that is not known has no addresses and does not exist.
    let flags = if found.is_some() { [0x81, 0x80] } else { [0x81, 0x83] };
    let mut packet = question.get(..2)?.to_vec();
    packet.extend(flags);
    packet.extend([0, 1]);
    packet.extend(u16::try_from(addresses.len()).ok()?.to_be_bytes());
    packet.extend([0, 0, 0, 0]);
    packet.extend(question.get(HEADER..at + 4)?);
    for address in addresses {
        packet.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        packet.extend(address.octets());
    }
    Some(packet)
}
