//! Redis' protocol, RESP2: replies from bytes, and the greeting of a new connection.

mod build;
mod scan;

use super::Command;
use super::settings::Login;
use crate::runtime::link::{Codec, Decoded};
use std::cell::RefCell;

/// The largest reply, in bytes, that is kept.
const MAX_REPLY: usize = 64 * 1024 * 1024;
/// How deep arrays may lie in arrays. A stream read needs four.
const MAX_DEPTH: usize = 8;

/// What Redis answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A short status such as `OK`.
    Status(Vec<u8>),
    /// An error, without the leading `-`.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// Several replies in one.
    Array(Vec<Reply>),
    /// More bytes than are kept. The command was done.
    TooLarge,
}

impl Reply {
    /// Whether it is an error that begins with that code, such as `NOSCRIPT`.
    pub(crate) fn is_error(&self, code: &str) -> bool {
        matches!(self, Self::Error(text) if text.starts_with(code))
    }

    /// The text for a reply that nobody expects: Redis' own for an error.
    pub(crate) fn unexpected(self) -> String {
        match self {
            Self::Error(text) => text,
            Self::Status(_) => "Redis answered with an unexpected status".to_owned(),
            Self::Integer(number) => format!("Redis answered with an unexpected number {number}"),
            Self::Bulk(_) => "Redis answered with an unexpected string".to_owned(),
            Self::Nil => "Redis answered with an unexpected nil".to_owned(),
            Self::Array(_) => "Redis answered with an unexpected array".to_owned(),
            Self::TooLarge => format!("Redis answered with more than {MAX_REPLY} bytes"),
        }
    }
}

/// The protocol as a [`Codec`]: decodes replies and logs in on every new connection.
pub(crate) struct Resp {
    login: Login,
    /// Whether a replica is refused.
    #[cfg(feature = "redis-nodes")]
    only_master: bool,
    /// Where in a reply that is too large the next bytes stand.
    skip: RefCell<Option<scan::Skip>>,
}

impl Resp {
    pub(crate) fn new(login: Login) -> Self {
        Self {
            login,
            #[cfg(feature = "redis-nodes")]
            only_master: false,
            skip: RefCell::default(),
        }
    }

    /// As [`Resp::new`]; `only_master`: a server that says it is a replica is refused.
    #[cfg(feature = "redis-nodes")]
    pub(crate) fn of(login: Login, only_master: bool) -> Self {
        Self { only_master, ..Self::new(login) }
    }

    #[inline(never)]
    fn read(&self, bytes: &[u8]) -> Result<Decoded<Reply>, String> {
        if let Some(skip) = self.skip.take() {
            return self.skip(skip, bytes);
        }
        let used = match scan::scan(bytes)? {
            scan::Scan::Whole(used) => used,
            scan::Scan::TooLarge => return self.skip(scan::Skip::default(), bytes),
            scan::Scan::Partial { needed } => return Ok(Decoded::Partial { needed }),
        };
        let (reply, _) = build::build(bytes, 0)?;
        Ok(Decoded::Whole { reply, used })
    }

    /// Walks on through a reply that is too large.
    #[inline(never)]
    fn skip(&self, mut skip: scan::Skip, bytes: &[u8]) -> Result<Decoded<Reply>, String> {
        let (used, ended) = skip.over(bytes)?;
        if ended {
            return Ok(Decoded::Whole { reply: Reply::TooLarge, used });
        }
        self.skip.replace(Some(skip));
        Ok(if used == 0 { Decoded::Partial { needed: bytes.len() + 1 } } else { Decoded::Skipped { used } })
    }
}

impl Codec for Resp {
    type Reply = Reply;

    fn decode(&self, bytes: &[u8]) -> Result<Decoded<Reply>, String> {
        self.read(bytes).map_err(|why| ["bytes that are not the protocol: ", &why].concat())
    }

    fn greeting(&self) -> Vec<Vec<u8>> {
        self.skip.replace(None);
        let mut commands = Vec::new();
        if let Some(password) = &self.login.password {
            let name = Command::new(2 + usize::from(self.login.username.is_some()), 64).arg(b"AUTH");
            let name = match &self.login.username {
                Some(username) => name.arg(username.as_bytes()),
                None => name,
            };
            commands.push(name.arg(password.as_bytes()).into_bytes());
        }
        if self.login.database != 0 {
            let select = Command::new(2, 32).arg(b"SELECT");
            commands.push(select.number(self.login.database.into()).into_bytes());
        }
        #[cfg(feature = "redis-nodes")]
        if self.only_master {
            commands.push(Command::new(1, 16).arg(b"ROLE").into_bytes());
        }
        commands
    }

    fn greet_on(&self, reply: Reply) -> Result<Vec<Vec<u8>>, String> {
        match reply {
            // Only `ROLE` is answered so.
            #[cfg(feature = "redis-nodes")]
            Reply::Array(parts) if !matches!(parts.first(), Some(Reply::Bulk(role)) if role == b"master") => {
                Err("it is a replica and not the master that Sentinel named".to_owned())
            }
            // A user who may not ask is let in as before.
            #[cfg(feature = "redis-nodes")]
            Reply::Error(text) if text.starts_with("NOPERM") && text.contains("'role'") => Ok(Vec::new()),
            Reply::Error(text) => Err(self.refusal(&text)),
            _ => Ok(Vec::new()),
        }
    }
}

impl Resp {
    /// Redis' own words where no password was sent. An error for an unknown command repeats the arguments, cut anywhere,
    /// so after a password only words that are known to hold none are told, and else the error's code.
    fn refusal(&self, text: &str) -> String {
        let why = if self.login.password.is_none() {
            text
        } else {
            let known = PLAIN_REFUSALS.iter().find(|plain| text.starts_with(**plain));
            known.copied().unwrap_or_else(|| error_code(text))
        };
        format!("Redis refused the login or database: {why}; check redisUsername, redisPassword and redisDB")
    }
}

/// Errors of Redis for a login or the choice of a database in whose text nothing is repeated.
const PLAIN_REFUSALS: [&str; 4] = [
    "WRONGPASS invalid username-password pair",
    "ERR AUTH <password> called without any password configured",
    "ERR Client sent AUTH, but no password is set",
    "ERR DB index is out of range",
];

/// The first word of an error, if Redis may have made it.
fn error_code(text: &str) -> &str {
    let code = text.split(' ').next().unwrap_or_default();
    let is_code = code.len() < 16 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code && !code.is_empty() { code } else { "ERR" }
}

#[cfg(test)]
mod tests;
