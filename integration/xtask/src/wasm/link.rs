//! Linking a module without the callbacks that its filters leave as they are.
//!
//! The SDK exports all of them, and the compiler names every export to the linker. The proxy calls what a module exports
//! and skips the rest, so each such callback is code that is compiled for nothing and a call for each request.

use crate::process::{Outcome, run};
use std::ffi::OsString;
use std::process::Command;

/// The argument by which the compiler hands us on to the linker what to leave out.
const LEFT_OUT: &str = "--weft-left-out=";

/// Callbacks that no role has.
const NEVER: &[&str] = &[
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_upstream_data",
    "proxy_on_upstream_connection_close",
    "proxy_on_queue_ready",
    "proxy_on_foreign_function",
    "proxy_on_grpc_receive_trailing_metadata",
];

/// Those that are for flows and links only: `weft-route.wasm` has neither.
const FOR_FLOWS: &[&str] = &[
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_http_call_response",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_tick",
];

/// The compiler's flags that make this program the linker of a module.
///
/// # Errors
/// This program does not know where it lies.
pub fn flags(has_flows: bool) -> Outcome<[String; 2]> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let for_flows = if has_flows { &[] } else { FOR_FLOWS };
    let left_out: Vec<&str> = NEVER.iter().chain(for_flows).copied().collect();
    Ok([format!("-Clinker={}", this.display()), format!("-Clink-arg={LEFT_OUT}{}", left_out.join(","))])
}

/// Whether these are the arguments of a linker.
pub fn is_asked(arguments: &[OsString]) -> bool {
    arguments.first().is_some_and(|first| first == "-flavor")
}

/// Links, as the compiler asks for, without the exports that are left out. The compiler has its own linker on the path.
///
/// # Errors
/// The linker cannot be started or fails.
pub fn link(arguments: Vec<OsString>) -> Outcome {
    run(Command::new("rust-lld").args(kept(arguments)))
}

fn kept(arguments: Vec<OsString>) -> Vec<OsString> {
    let left_out =
        |argument: &OsString| argument.to_str().and_then(|text| text.strip_prefix(LEFT_OUT)).map(str::to_owned);
    let names: Vec<String> = arguments.iter().find_map(left_out).map(list).unwrap_or_default();
    let mut kept: Vec<OsString> = Vec::new();
    for argument in arguments {
        let is_left_out = argument.to_str().is_some_and(|name| names.iter().any(|known| known == name));
        match kept.last() {
            Some(last) if is_left_out && last == "--export" => drop(kept.pop()),
            _ if left_out(&argument).is_some() => {}
            _ => kept.push(argument),
        }
    }
    kept
}

fn list(names: String) -> Vec<String> {
    names.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exports_that_are_named_go() {
        let given = ["-flavor", "wasm", "--export", "a", "--export", "b", "b", "--weft-left-out=b,c", "--export", "c"];
        let given: Vec<OsString> = given.map(OsString::from).to_vec();
        assert!(is_asked(&given));
        assert_eq!(kept(given), ["-flavor", "wasm", "--export", "a", "b"]);
        assert_eq!(kept(vec!["--export".into(), "d".into()]), ["--export", "d"]);
        assert!(!is_asked(&["wasm".into()]));
    }
}
