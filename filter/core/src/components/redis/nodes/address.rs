//! Addresses of servers as Redis writes them, in the form `host:port`.

/// `host:port`, with brackets around an address of IP version 6. Where Redis does not say the host, it is the one that
/// was asked.
pub(super) fn write(host: &str, port: &str, asked: &str) -> String {
    let host = if host.is_empty() || host == "?" { split(asked).0 } else { host };
    let bare = host.trim_matches(['[', ']']);
    let (open, close) = if bare.contains(':') { ("[", "]") } else { ("", "") };
    [open, bare, close, ":", port].concat()
}

/// An address as it stands in `MOVED` and `ASK`: `host:port`, without brackets.
pub(super) fn read(text: &str, asked: &str) -> Option<String> {
    let (host, port) = split(text);
    port.parse::<u16>().ok().map(|_| write(host, port, asked))
}

fn split(text: &str) -> (&str, &str) {
    text.rsplit_once(':').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_redis_writes_them() {
        for (text, expected) in [
            ("10.0.0.2:6380", Some("10.0.0.2:6380")),
            ("node-2.redis:6380", Some("node-2.redis:6380")),
            ("fe80::1:6380", Some("[fe80::1]:6380")),
            (":6380", Some("10.0.0.1:6380")),
            ("?:6380", Some("10.0.0.1:6380")),
            ("10.0.0.2", None),
            ("10.0.0.2:x", None),
        ] {
            assert_eq!(read(text, "10.0.0.1:6379").as_deref(), expected, "{text}");
        }
        assert_eq!(write("", "1", "[fe80::1]:6380"), "[fe80::1]:1");
    }
}
