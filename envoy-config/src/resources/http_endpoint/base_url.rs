//! `baseUrl`.

use http::Uri;

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// How it is called.
    pub scheme: Scheme,
    /// A name or an address; one of IP version 6 without brackets.
    pub host: String,
    /// Its port, also where the URL has none.
    pub port: u16,
    /// What goes before the path of a call, such as `/v1`: empty, or a `/` and more, never with one at its end.
    pub path: String,
}

/// How an endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In plain text.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl BaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind its name. It never shows credentials.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("is {text:?}, which is no URL such as https://api.example.com/v1");
        if text.contains('@') {
            return Err("holds an @: credentials do not belong into a URL; give a header, by secretKeyRef".to_owned());
        }
        if let Some(letter) = text.chars().find(|letter| ['?', '#'].contains(letter)) {
            return Err(format!("is {text:?}; take away what begins with {letter}: callers add a path to it"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // `host:` has a port that is none.
        let has_port = authority.as_str().len() > authority.host().len();
        let port = if has_port { authority.port_u16().filter(|port| *port > 0) } else { Some(scheme.port()) };
        let port = port.ok_or_else(|| format!("is {text:?}, whose port is none; write a number from 1 to 65535"))?;
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { scheme, host: host.to_owned(), port, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Scheme, String, u16, String) {
        let url = BaseUrl::parse(text).unwrap();
        (url.scheme, url.host, url.port, url.path)
    }

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        let of = |scheme, host: &str, port, path: &str| (scheme, host.to_owned(), port, path.to_owned());
        assert_eq!(parts("https://api.example.com"), of(Scheme::Https, "api.example.com", 443, ""));
        assert_eq!(parts("http://api.example.com/"), of(Scheme::Http, "api.example.com", 80, ""));
        assert_eq!(parts("HTTP://10.0.0.1:8080/v1/a%2Fb/"), of(Scheme::Http, "10.0.0.1", 8080, "/v1/a%2Fb"));
        assert_eq!(parts("https://[::1]:8443/x"), of(Scheme::Https, "::1", 8443, "/x"));
    }

    #[test]
    fn what_is_no_url_is_told_and_credentials_are_not_shown() {
        for wrong in ["", "api.example.com", "/v1", "ftp://a", "https://", "https:///v1", "https://a b", "mailto:a"] {
            let why = BaseUrl::parse(wrong).unwrap_err();
            assert_eq!(why, format!("is {wrong:?}, which is no URL such as https://api.example.com/v1"));
        }
        for wrong in ["https://a:0", "https://a:70000", "https://a:/v1"] {
            let why = BaseUrl::parse(wrong).unwrap_err();
            assert!(why.starts_with(&format!("is {wrong:?}, wh")), "{why}");
        }
        for (wrong, letter) in [("https://a/v1?key=x", '?'), ("https://a/#x", '#')] {
            assert!(BaseUrl::parse(wrong).unwrap_err().contains(&format!("begins with {letter}")), "{wrong}");
        }
        assert!(!BaseUrl::parse("https://me:hunter2@a").unwrap_err().contains("hunter2"));
    }
}
