//! `redisHost`: the host of a server and, if it is there, its port.

use std::net::Ipv6Addr;

/// Reads `host`, `host:port`, `v6` or `[v6]:port`.
///
/// # Errors
/// What is wrong with it, to be put behind its name. It never shows credentials.
pub(super) fn parse(text: &str) -> Result<(&str, Option<u16>), String> {
    if text.contains('@') {
        return Err("holds an @: a user and a password stand in redisUsername and redisPassword".to_owned());
    }
    if text.contains("://") {
        return Err(format!("is {text:?}, a URL; write <host>:<port>, and enableTLS where TLS is wanted"));
    }
    let (host, port) = split(text).filter(|(host, _)| is_host(host)).ok_or_else(|| wrong(text))?;
    let port = port.map(|port| number(port).ok_or_else(|| wrong_port(text))).transpose()?;
    Ok((host, port))
}

/// Reads the number of a port.
pub(crate) fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn wrong(text: &str) -> String {
    format!("is {text:?}, which is not <host>:<port>")
}

fn wrong_port(text: &str) -> String {
    format!("is {text:?}, whose port is none; write <host>:<port> with a number from 1 to 65535")
}

/// Takes host and port apart, without judging either.
pub(crate) fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    Some(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

/// Whether it is a name or an address.
pub(crate) fn is_host(host: &str) -> bool {
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_name || host.parse::<Ipv6Addr>().is_ok()
}
