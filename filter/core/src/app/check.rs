//! What the filter would refuse, told without a proxy.

use super::{App, Vm};
use crate::config::{LogLevel, Problem};
use crate::host::{
    CallId, Conflict, Host, HostError, HttpCall, Metric, MetricId, MetricKind, SharedVersion, TcpId, TcpTarget, Time,
};
use std::rc::Rc;
use std::time::Duration;

/// Everything that the role `weft.api` would refuse in the JSON text of its configuration.
pub fn check(text: &[u8]) -> Vec<Problem> {
    App::read(text, Rc::new(Nowhere), Vm::default()).err().unwrap_or_default()
}

/// A host for building an application that never runs.
struct Nowhere;

impl Host for Nowhere {
    fn now(&self) -> Time {
        Time::default()
    }
    fn fill_random(&self, _buffer: &mut [u8]) {}
    fn log(&self, _level: LogLevel, _line: &str) {}
    fn count(&self, _metric: Metric, _by: u32) {}
    fn define(&self, _kind: MetricKind, _name: &str) -> Option<MetricId> {
        None
    }
    fn measure(&self, _kind: MetricKind, _id: MetricId, _value: u64) {}
    /// What the proxy's environment will hold is not known here.
    fn environment(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn http_call(&self, _call: HttpCall<'_>) -> Result<CallId, HostError> {
        Err(HostError::Gone)
    }
    fn tcp_open(&self, _target: &TcpTarget) -> Result<TcpId, HostError> {
        Err(HostError::Gone)
    }
    fn tcp_send(&self, _id: TcpId, _bytes: &[u8]) -> Result<(), HostError> {
        Err(HostError::Gone)
    }
    fn tcp_close(&self, _id: TcpId) {}
    fn shared_get(&self, _key: &str) -> (Option<Vec<u8>>, SharedVersion) {
        (None, SharedVersion::Absent)
    }
    fn shared_set(&self, _key: &str, _value: &[u8], _seen: SharedVersion) -> Result<(), Conflict> {
        Err(Conflict)
    }
    fn set_tick(&self, _after: Option<Duration>) {}
}
