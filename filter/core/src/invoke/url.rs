//! Hosts outside of the mesh, by their URL.

use crate::config::External;

/// The part of a URL that stands before `/method/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    /// Whether it begins with `https`.
    pub is_secure: bool,
    /// Host and port, as they were written.
    pub authority: &'a str,
    /// The host alone: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    /// The path in front of the method; empty for none.
    pub base: &'a str,
}

impl<'a> Url<'a> {
    /// Reads an id that begins as a URL does; paths have one slash where two were written. `None` for another id.
    ///
    /// # Errors
    /// A text for `ERR_DIRECT_INVOKE`: it has no host, or something that a host and port can't have.
    #[inline(never)]
    pub fn read(id: &'a str) -> Option<Result<Self, String>> {
        let (scheme, rest) = id.split_once(":/")?;
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, base) = rest.split_at_checked(end)?;
        let url = host(authority).map(|host| Self { is_secure, authority, host, base });
        Some(url.ok_or_else(|| "the URL's host must be a name or an address, with a port or without".to_owned()))
    }

    /// Whether two spellings mean the same.
    pub fn is_same(&self, other: &Url<'_>) -> bool {
        let base = |url: &Url<'_>| url.base.trim_end_matches('/').to_owned();
        self.is_secure == other.is_secure
            && self.authority.eq_ignore_ascii_case(other.authority)
            && base(self) == base(other)
    }

    /// Whether a configuration lets this host be called.
    pub fn is_allowed(&self, external: &External) -> bool {
        external.hosts.iter().any(|known| match known.starts_with('.') {
            true => ends_with(self.host, known),
            false => self.host.eq_ignore_ascii_case(known),
        })
    }

    /// Why it may not be called, with the setting that would let it.
    #[inline(never)]
    pub fn refusal(&self) -> String {
        let why = " is not among the hosts that may be called by URL; the plugin configuration's invoke.external.hosts lists them";
        ["the host ", self.host, why].concat()
    }
}

fn ends_with(host: &str, suffix: &str) -> bool {
    let at = host.len().checked_sub(suffix.len());
    at.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix)) && host.len() > suffix.len()
}

/// Bytes of the longest name that DNS has.
const LONGEST_HOST: usize = 253;

/// The host of `host`, `host:port`, `[address]` or `[address]:port`, if nothing else stands there.
fn host(authority: &str) -> Option<&str> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
        None => !host.is_empty() && host.bytes().all(is_sound),
    };
    let is_number =
        |digits: &str| digits.bytes().all(|it| it.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|it| it > 0);
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    (is_host && is_port && host.len() <= LONGEST_HOST).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str) -> (bool, &str, &str, &str) {
        let url = Url::read(id).unwrap().unwrap();
        (url.is_secure, url.authority, url.host, url.base)
    }

    #[test]
    fn both_spellings_of_a_url_are_read() {
        assert_eq!(read("https://api.example:8443/v1"), (true, "api.example:8443", "api.example", "/v1"));
        assert_eq!(read("https:/api.example"), (true, "api.example", "api.example", ""));
        assert_eq!(read("HTTP://10.0.0.1:80"), (false, "10.0.0.1:80", "10.0.0.1", ""));
        assert_eq!(read("http://[::1]:8080/a/b"), (false, "[::1]:8080", "[::1]", "/a/b"));
    }

    #[test]
    fn other_ids_are_no_urls() {
        for id in ["warehouse", "http", "https:", "ftp://host", "a.b", "file:///etc/passwd", "http.default"] {
            assert_eq!(Url::read(id), None, "{id}");
        }
    }

    #[test]
    fn a_url_with_anything_but_host_and_port_is_refused() {
        for id in [
            "http://",
            "http:///path",
            "http://user@host",
            "http://user:pass@host",
            "http://host:",
            "http://host:0",
            "http://host:65536",
            "http://host:80:81",
            "http://host:+80",
            "http://ho st",
            "http://host\\evil",
            "http://[::1",
            "http://[]",
            "http://[::1]x",
            "http://[fe80::1%25eth0]",
            "http://café",
        ] {
            assert!(Url::read(id).unwrap().is_err(), "{id}");
        }
    }

    #[test]
    fn a_host_is_allowed_by_its_whole_name_or_by_a_suffix_that_begins_with_a_dot() {
        let hosts = ["api.example", ".shop.example"].map(str::to_owned).to_vec();
        let external = External { hosts, ..External::default() };
        let allows = |id: &str| Url::read(id).unwrap().unwrap().is_allowed(&external);
        for id in
            ["https://api.example", "http://API.Example:81", "https://a.shop.example", "https://a.b.shop.example/x"]
        {
            assert!(allows(id), "{id}");
        }
        for id in [
            "https://shop.example",
            "https://.shop.example",
            "https://evilshop.example",
            "https://api.example.evil",
            "https://api.example.",
            "https://x.api.example",
            "http://169.254.169.254",
        ] {
            assert!(!allows(id), "{id}");
        }
    }
}
