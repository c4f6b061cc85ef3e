//! Retries, timeouts and circuit breakers of calls (`dapr-api` 8). The proxy's router tries again and cuts short, asked
//! by request headers, so that bodies stay streamed; breakers are ours, counted for all workers together.

mod breaker;
#[cfg(feature = "policies")]
pub mod component;
#[cfg(all(feature = "blocks", not(feature = "policies")))]
#[path = "resiliency/no_component.rs"]
pub mod component;
mod shelf;
pub mod trip;

use crate::config::{CallPolicy, CircuitBreaker, Retry};
use crate::host::Host;
use crate::http::Headers;
use crate::invoke::Edits;

/// How a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// HTTP with a body of known length, or none.
    Whole,
    /// HTTP with a body of unknown length: tried once.
    Streamed,
    /// gRPC.
    Grpc,
}

/// Whom a call is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The application that calls.
    pub caller: &'a str,
    /// The name under which the policy stands.
    pub name: &'a str,
    /// The host that is asked.
    pub authority: &'a str,
}

/// A call that a circuit breaker wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    shelf: String,
    authority: String,
    rules: CircuitBreaker,
    is_probe: bool,
}

/// Asks the proxy to make a call as its policy says. Gives what has to hear how it ended, if anything has.
///
/// # Errors
/// The circuit breaker lets no call through; the text says so.
#[inline(never)]
pub fn begin(
    policy: &CallPolicy,
    target: Target<'_>,
    call: Call,
    host: &dyn Host,
    headers: &Headers,
    edits: &mut Edits,
) -> Result<Option<Watch>, &'static str> {
    let retry = policy.retry.as_ref();
    let mut most = retry.filter(|_| call != Call::Streamed).map_or(0, |retry| retry.max_retries);
    let mut watch = None;
    if let Some(rules) = &policy.circuit_breaker {
        let shelf = ["weft.breaker/", target.caller, "/", target.name].concat();
        let authority = target.authority.to_owned();
        let mut passage = Err("");
        shelf::change(host, &shelf, &authority, rules, &mut |state, now| passage = state.admit(rules, now, most));
        let passage = passage?;
        most = passage.most_retries;
        watch = Some(Watch { shelf, authority, rules: rules.clone(), is_probe: passage.is_probe });
    }
    if let Some(timeout) = policy.timeout_ms {
        edits.put(headers, "x-envoy-upstream-rq-per-try-timeout-ms", timeout.to_string().into_bytes());
    }
    if let Some(retry) = retry {
        again(retry, most, call, headers, edits);
    }
    Ok(watch)
}

fn again(retry: &Retry, most: u32, call: Call, headers: &Headers, edits: &mut Edits) {
    let is_grpc = call == Call::Grpc;
    let on = if is_grpc { retry.grpc_on.as_ref() } else { Some(&retry.on) };
    let (Some(on), true) = (on, most > 0) else {
        // The route may have retries of its own.
        return edits.put(headers, "x-envoy-max-retries", b"0".to_vec());
    };
    let (codes, code_header) = if is_grpc {
        (&retry.grpc_statuses, "x-envoy-retry-grpc-on")
    } else {
        (&retry.status_codes, "x-envoy-retriable-status-codes")
    };
    edits.put(headers, "x-envoy-retry-on", on.clone().into_bytes());
    edits.put(headers, "x-envoy-max-retries", most.to_string().into_bytes());
    if let Some(codes) = codes {
        edits.put(headers, code_header, codes.clone().into_bytes());
    }
}

impl Watch {
    /// The call has ended: after so many tries, of which all but the last one failed. Where it was never tried, that
    /// counts as one.
    #[inline(never)]
    pub fn ended(&self, host: &dyn Host, tries: u32, succeeded: bool) {
        let rules = &self.rules;
        shelf::change(host, &self.shelf, &self.authority, rules, &mut |state, now| {
            state.report(rules, now, self.is_probe, tries.max(1), succeeded);
        });
    }
}

#[cfg(test)]
mod tests;
