//! Free TCP ports on the loopback address.

use crate::wait;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::TcpSocket;

/// Below the range from which the kernel takes the ports of outgoing connections, so that none of those can take a
/// port between the moment it is found and the moment it is used.
const FIRST: u16 = 10_240;
const COUNT: u16 = 20_000;

/// A port that nobody listens on and that this program has not given out before.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).expect("less than COUNT");
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let offset = (u32::from(start) + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("less than COUNT");
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// Looks without listening: a program that is being started just then holds this socket until it has replaced itself,
/// and a socket that listens would keep its port taken for as long.
fn is_free(port: u16) -> bool {
    let socket = TcpSocket::new_v4().expect("one socket more");
    socket.set_reuseaddr(true).expect("an option of every socket");
    socket.bind(address(port)).is_ok()
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Listens on a port of [`free`], for the first time or again. A listener that was closed just before may live on for
/// some milliseconds in a program that is being started, so this tries for a while.
///
/// # Panics
/// If somebody else keeps the port.
#[must_use]
pub fn listen(port: u16) -> TcpListener {
    wait::until(&format!("port {port} is free"), wait::SOON, || match TcpListener::bind(address(port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        listener => Some(listener.expect("the loopback address can be listened on")),
    })
}
