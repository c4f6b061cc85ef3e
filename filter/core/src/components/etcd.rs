//! etcd: state, as daprd's component keeps it. Spoken to by gRPC calls of one message, which the proxy makes.

mod client;
mod settings;
pub mod state;
mod wire;
