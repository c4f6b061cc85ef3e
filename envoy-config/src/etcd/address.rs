//! One of the `endpoints`.

use crate::redis::address::{is_host, number, split};

/// The port where etcd listens unless it is told otherwise.
const DEFAULT_PORT: u16 = 2379;

/// A server's address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an address, without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// Whether the text asks for TLS; absent if it says nothing of it.
    pub(super) is_secure: Option<bool>,
}

impl Address {
    /// Reads `host:port`, also without the port, and with `http://` or `https://` before it.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the setting's name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("has {text:?}, which is not <host>:<port>");
        let (is_secure, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some(_) => return Err(format!("has {text:?}, whose scheme is neither http nor https")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split(rest).filter(|(host, _)| is_host(host)).ok_or_else(wrong)?;
        let port = port.map_or(Some(DEFAULT_PORT), number).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port, is_secure })
    }
}
