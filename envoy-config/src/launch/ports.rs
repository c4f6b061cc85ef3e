//! TCP ports of this machine.

use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which the kernel takes the ports of outgoing connections, so that none of those takes a port
/// between the moment it is found and the moment it is used.
const FIRST: u16 = 10_240;
const COUNT: u16 = 20_000;

/// Whether nobody listens on that port of 127.0.0.1.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Gives free ports, each once.
#[derive(Debug)]
pub struct Ports {
    next: u16,
    taken: Vec<u16>,
}

impl Ports {
    /// Gives none of `taken`.
    pub fn new(taken: Vec<u16>) -> Self {
        // Two runs that start at once look in different places.
        let start = std::process::id().wrapping_mul(97) % u32::from(COUNT);
        Self { next: u16::try_from(start).unwrap_or_default(), taken }
    }

    /// A port that is free and was not given before.
    ///
    /// # Errors
    /// There is none.
    pub fn free(&mut self) -> Result<u16, String> {
        for _ in 0..COUNT {
            let port = FIRST + self.next;
            self.next = (self.next + 1) % COUNT;
            if !self.taken.contains(&port) && is_free(port) {
                self.taken.push(port);
                return Ok(port);
            }
        }
        Err(format!("there is no free port between {FIRST} and {}", FIRST + COUNT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_only_if_nobody_listens_on_it() {
        let mut ports = Ports::new(Vec::new());
        let first = ports.free().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert!(!is_free(first));
        let mut others = Ports::new(vec![first + 1]);
        let second = others.free().unwrap();
        assert!(second != first && second != first + 1, "{second}");
        drop(listener);
        assert_ne!(ports.free().unwrap(), first);
    }
}
