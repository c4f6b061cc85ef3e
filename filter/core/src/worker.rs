//! Is this VM one of a worker's, or the main thread's?
//!
//! Envoy starts the module on its main thread too, where internal listeners cannot be reached and no request ever
//! arrives. That VM must open no link and run no pump. A VM knows itself by what reaches it: a request, or the answer
//! to a probe through an internal listener.

use crate::config::LinkConfig;
use crate::host::{CallOutcome, HttpCall};
use crate::runtime::{Channels, Runtime};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// What all roots of a VM share. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vm {
    /// Whether it is known to be a worker's.
    pub mark: WorkerMark,
    /// How one root wakes the flows of another.
    pub channels: Channels,
}

/// Set as soon as a request reaches the VM. One for all roots of a VM; cheap to clone.
#[derive(Clone, Default)]
pub struct WorkerMark(Rc<Cell<bool>>);

impl WorkerMark {
    /// A request has reached this VM.
    pub fn set(&self) {
        self.0.set(true);
    }

    /// Whether it is known to be a worker's.
    pub fn is_set(&self) -> bool {
        self.0.get()
    }
}

/// Pauses between probes. A worker's listeners may not be there yet when its VM starts.
const PAUSES_MS: [u64; 8] = [20, 50, 100, 200, 400, 800, 1600, 3200];

/// Finds out whether this VM is a worker's. `false` after six seconds without a sign of it.
pub async fn is_worker(runtime: Runtime, mark: WorkerMark, link: Option<LinkConfig>) -> bool {
    for pause in PAUSES_MS {
        if mark.is_set() || Box::pin(probe(&runtime, link.as_ref())).await {
            mark.set();
            return true;
        }
        runtime.sleep(Duration::from_millis(pause)).await;
    }
    mark.is_set()
}

async fn probe(runtime: &Runtime, link: Option<&LinkConfig>) -> bool {
    let Some(link) = link else { return false };
    let headers = vec![(":method", "GET"), (":path", "/weft.probe/worker"), (":authority", "weft")];
    let call = HttpCall { cluster: &link.cluster, headers, body: b"", timeout: Duration::from_secs(1) };
    match runtime.call(call) {
        Ok(answer) => matches!(answer.await, CallOutcome::Answered { status: 200, .. }),
        Err(_) => false,
    }
}
