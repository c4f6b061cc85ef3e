//! Connection strings of PostgreSQL: URLs, and keywords with values (`libpq`, section "Connection Strings").

use http::Uri;
use std::collections::BTreeMap;

/// The keywords that are known, and the name under which each is kept.
const KNOWN: &[(&str, &str)] = &[
    ("host", "host"),
    ("hostaddr", "hostaddr"),
    ("port", "port"),
    ("user", "user"),
    ("password", "password"),
    ("dbname", "database"),
    ("database", "database"),
    ("sslmode", "sslmode"),
    ("sslrootcert", "sslRootCert"),
    ("sslnegotiation", "sslnegotiation"),
    ("connect_timeout", "connect_timeout"),
];

/// Keywords that change nothing here: how many connections a pool has, and what the server's log calls us.
const WITHOUT_EFFECT: &[&str] = &["application_name", "fallback_application_name", "client_encoding"];

/// What a connection string says.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Connection(BTreeMap<&'static str, String>);

// Not derived: the password must never reach a log.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Connection {
    /// Reads either form; an empty text says nothing.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind its name. It never shows a value.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
            Some(rest) => Self::url(rest),
            None => Self::keywords(text),
        }
    }

    /// A value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Says something else or more.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.0.insert(name, value.to_owned());
    }

    fn add(&mut self, keyword: &str, value: String) -> Result<(), String> {
        if let Some((_, name)) = KNOWN.iter().find(|(known, _)| *known == keyword) {
            self.0.insert(name, value);
        } else if !WITHOUT_EFFECT.contains(&keyword) && !keyword.starts_with("pool_") {
            let known: Vec<_> = KNOWN.iter().map(|(known, _)| *known).collect();
            return Err(format!("has {keyword:?}, which is not supported; there may be {}", known.join(", ")));
        }
        Ok(())
    }

    /// What stands behind `postgres://`: `user:password@host:port/database?keyword=value&…`.
    fn url(rest: &str) -> Result<Self, String> {
        const FORM: &str = "is not postgres://<user>:<password>@<host>:<port>/<database>?<keyword>=<value>";
        let mut found = Self::default();
        let (head, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = head.split_once('/').unwrap_or((head, ""));
        let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        for (keyword, value) in [("user", user), ("password", password), ("dbname", database)] {
            if !value.is_empty() {
                found.add(keyword, plain(value).ok_or(FORM)?)?;
            }
        }
        if !address.is_empty() {
            let uri: Uri = format!("http://{address}/").parse().map_err(|_| FORM)?;
            let host = uri.host().ok_or(FORM)?;
            found.add("host", host.trim_matches(['[', ']']).to_owned())?;
            if let Some(port) = uri.port() {
                found.add("port", port.as_str().to_owned())?;
            }
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (keyword, value) = pair.split_once('=').ok_or(FORM)?;
            found.add(&plain(keyword).ok_or(FORM)?, plain(value).ok_or(FORM)?)?;
        }
        Ok(found)
    }

    /// `keyword=value keyword='it''s \'quoted\''`.
    fn keywords(text: &str) -> Result<Self, String> {
        const FORM: &str = "is neither a URL postgres://… nor <keyword>=<value> with blanks between them";
        let mut found = Self::default();
        let mut rest = text;
        while !rest.trim_start().is_empty() {
            let (keyword, after) = rest.split_once('=').ok_or(FORM)?;
            let (value, after) = value(after.trim_start()).ok_or(FORM)?;
            found.add(keyword.trim(), value)?;
            rest = after;
        }
        Ok(found)
    }
}

/// The value at the front of a text, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if quoted => return Some((value, text.get(at + 1..)?)),
            c if !quoted && c.is_ascii_whitespace() => return Some((value, text.get(at..)?)),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

/// A part of a URL with `%20` and its like resolved.
fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let number = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(number).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&'static str, String)> {
        Connection::parse(text).unwrap_or_else(|why| panic!("{text}: {why}")).0.into_iter().collect()
    }

    #[test]
    fn both_forms_say_the_same() {
        let keywords = "host=db.example port=6432 user='a b' password='p\\'w\\\\ =x' dbname = orders sslmode=disable";
        let url = "postgres://a%20b:p'w%5C%20%3Dx@db.example:6432/orders?sslmode=disable";
        assert_eq!(pairs(keywords), pairs(url));
        assert_eq!(Connection::parse(url).unwrap().get("password"), Some("p'w\\ =x"));
        let usual = pairs("host=localhost user=postgres password=example port=5432 connect_timeout=10 database=my_db");
        assert_eq!(usual.len(), 6);
        assert_eq!(pairs("postgresql://[::1]/?host=&pool_max_conns=3"), [("host", String::new())]);
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn what_is_wrong_is_said_without_values() {
        for text in [
            "hunter2",
            "password='hunter2",
            "host=a hunter2 b=c",
            "password=hunter2 krbsrvname=hunter2",
            "postgres://u:hunter2@a:b:c/d",
            "postgres://u:%zzhunter2@a/d",
            "postgres://u:hunter2@a/d?hunter2",
        ] {
            let why = Connection::parse(text).expect_err(text);
            assert!(!why.contains("hunter2") || text.starts_with("host=a"), "{why}");
        }
        let why = Connection::parse("target_session_attrs=read-write").unwrap_err();
        assert!(why.contains("\"target_session_attrs\"") && why.contains("connect_timeout"), "{why}");
    }
}
