//! How a connection is let in: by password in clear, MD5 or SCRAM-SHA-256.

use super::message::Messages;
use super::scram::{Salted, Scram};
use crate::host::Host;
use md5::{Digest, Md5};
use std::cell::RefCell;
use std::fmt::Write as _;

/// The one mechanism that is known.
const SCRAM: &str = "SCRAM-SHA-256";

/// Who logs in.
#[derive(Default)]
pub(crate) struct Login {
    /// The user's name.
    pub user: String,
    /// The password; absent for none.
    pub password: Option<String>,
    /// The database's name.
    pub database: String,
    /// What SCRAM takes long for.
    pub salted: RefCell<Salted>,
}

// Not derived: the password must never reach a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("database", &self.database).finish_non_exhaustive()
    }
}

/// What the server wants to see.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The password itself.
    Password,
    /// The password's hash with this salt.
    Md5([u8; 4]),
    /// One of these mechanisms of SASL, each with a zero behind it.
    Sasl(Vec<u8>),
    /// The next word of SASL.
    SaslNext(String),
    /// The last one.
    SaslEnd(String),
    /// Something else.
    Other(u32),
}

impl Demand {
    /// From the body of the message; `None` if nothing more is wanted.
    ///
    /// # Errors
    /// It is cut.
    #[inline(never)]
    pub(crate) fn read(body: &[u8]) -> Result<Option<Self>, String> {
        let cut = || "bytes that are not the protocol: a demand of a wrong length".to_owned();
        let (number, rest) = body.split_first_chunk().ok_or_else(cut)?;
        let word = || String::from_utf8_lossy(rest).into_owned();
        Ok(Some(match u32::from_be_bytes(*number) {
            0 => return Ok(None),
            3 => Self::Password,
            5 => Self::Md5(rest.try_into().map_err(|_| cut())?),
            10 => Self::Sasl(rest.to_vec()),
            11 => Self::SaslNext(word()),
            12 => Self::SaslEnd(word()),
            other => Self::Other(other),
        }))
    }
}

impl Login {
    /// The first message.
    pub(crate) fn startup(&self) -> Vec<u8> {
        let settings = [
            ("user", self.user.as_str()),
            ("database", &self.database),
            ("client_encoding", "UTF8"),
            ("application_name", "weft"),
        ];
        Messages::default().startup(&settings).into_bytes()
    }
}

/// What was said on one connection until it was let in.
#[derive(Default)]
pub(crate) struct Talk {
    scram: Option<Scram>,
    /// The server's last word.
    last: Option<String>,
}

impl Talk {
    /// A new connection.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// The server's last word.
    pub(super) fn heard(&mut self, word: String) {
        self.last = Some(word);
    }

    /// Judges the server, which has let us in.
    ///
    /// # Errors
    /// It was to show that it knows the password, and did not.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.scram, &self.last) {
            (None, _) => Ok(()),
            (Some(scram), Some(word)) if scram.is_proven(word) => Ok(()),
            _ => Err("the server did not show that it knows the password: it is not the one of this user".to_owned()),
        }
    }

    /// What the server is shown.
    ///
    /// # Errors
    /// It wants something that we do not have.
    #[inline(never)]
    pub(super) fn answer(&mut self, demand: Demand, login: &Login, host: &dyn Host) -> Result<Vec<u8>, String> {
        let unknown = |what: &str| format!("PostgreSQL asks for {what}, which is not supported; use scram-sha-256");
        if let Demand::Other(number) = demand {
            return Err(unknown(&format!("the authentication number {number}")));
        }
        let Some(password) = &login.password else {
            return Err("PostgreSQL asks for a password; set password".to_owned());
        };
        let message = match demand {
            Demand::Password => Messages::default().password(password),
            Demand::Md5(salt) => Messages::default().password(&md5_word(&login.user, password, salt)),
            Demand::Sasl(offered) => {
                if !offered.split(|byte| *byte == 0).any(|name| name == SCRAM.as_bytes()) {
                    return Err(unknown(&String::from_utf8_lossy(&offered).replace('\0', " ")));
                }
                let mut random = [0; 18];
                host.fill_random(&mut random);
                let scram = self.scram.insert(Scram::new(&random));
                Messages::default().sasl_first(SCRAM, &scram.first())
            }
            Demand::SaslNext(word) => {
                let scram = self.scram.as_mut().ok_or_else(|| unknown("the middle of SASL"))?;
                Messages::default().sasl_next(&scram.second(&word, password, &mut login.salted.borrow_mut())?)
            }
            Demand::SaslEnd(_) | Demand::Other(_) => Messages::default(),
        };
        Ok(message.into_bytes())
    }
}

/// The hash of the hash of password and user, with salt.
#[inline(never)]
fn md5_word(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new().chain_update(password).chain_update(user).finalize());
    ["md5", &hex(&Md5::new().chain_update(inner).chain_update(salt).finalize())].concat()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    fn login(password: Option<&str>) -> Login {
        let password = password.map(str::to_owned);
        Login { user: "md5_user".to_owned(), password, database: "d".to_owned(), ..Login::default() }
    }

    #[test]
    fn a_hash_is_the_one_that_a_library_makes() {
        let theirs = postgres_protocol::authentication::md5_hash(b"md5_user", b"password", [0x2a, 0x3d, 0x8f, 0xe0]);
        assert_eq!(md5_word("md5_user", "password", [0x2a, 0x3d, 0x8f, 0xe0]), theirs);
    }

    #[test]
    fn what_cannot_be_shown_is_named() {
        let host = FakeHost::default();
        let answer = |demand, login: &Login| Talk::default().answer(demand, login, &host).unwrap_err();
        assert!(answer(Demand::Password, &login(None)).contains("set password"));
        assert!(answer(Demand::Other(7), &login(None)).contains("number 7"));
        let offered = b"SCRAM-SHA-256-PLUS\0OTHER\0\0".to_vec();
        assert!(answer(Demand::Sasl(offered), &login(Some("p"))).contains("SCRAM-SHA-256-PLUS OTHER"));
        assert!(!format!("{:?}", login(Some("hunter2"))).contains("hunter2"));
    }

    #[test]
    fn a_server_that_proves_nothing_is_not_the_one() {
        let (host, login) = (FakeHost::default(), login(Some("p")));
        let mut talk = Talk::default();
        assert_eq!(talk.check(), Ok(()), "nobody was asked");
        talk.answer(Demand::Sasl(b"SCRAM-SHA-256\0\0".to_vec()), &login, &host).unwrap();
        assert!(talk.check().is_err());
        talk.heard("v=AAAA".to_owned());
        assert!(talk.check().is_err());
    }
}
