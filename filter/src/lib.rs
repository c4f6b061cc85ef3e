//! The Weft filter: the thin shell between a proxy and [`weft_core`].
//!
//! Envoy chooses a role by the plugin's `root_id`: `weft.api` answers an application's calls and runs its pumps,
//! `weft.inbound` stands before the application, `weft.tcp` turns a gRPC stream into plain TCP.

mod api;
mod convert;
mod host;
mod inbound;
mod root;
mod tcp;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    // Envoy's own level decides what is written; ours, in the plugin configuration, decides what is handed over.
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
