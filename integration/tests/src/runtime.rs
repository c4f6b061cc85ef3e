//! One asynchronous runtime for the applications and clients of a test program.

use std::future::Future;
use std::net::TcpListener as StdListener;
use std::sync::OnceLock;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// The runtime; it lives as long as the program.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be built")
    })
}

/// Runs `future` to its end from a test's own thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// `listener`, for the runtime's tasks.
pub fn served(listener: StdListener) -> TcpListener {
    listener.set_nonblocking(true).expect("a listening socket");
    block_on(async { TcpListener::from_std(listener) }).expect("the runtime takes sockets")
}
