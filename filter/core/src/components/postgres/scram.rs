//! SCRAM-SHA-256 (RFC 7677) as PostgreSQL uses it: the user stands in the startup message, and nothing is bound to TLS.

use crate::base64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The most rounds that a server may ask for. Its own default is 4096, a few milliseconds; all of them hold up a worker.
const MAX_ROUNDS: u32 = 100_000;

type Hash = [u8; 32];

/// One exchange, after its first word.
pub(super) struct Scram {
    nonce: String,
    /// What the server has to know to have the right answer; there once it has asked.
    expected: Option<Hash>,
}

/// What a server asked for before, with the result, which takes thousands of rounds.
#[derive(Default)]
pub(super) struct Salted(Option<(Vec<u8>, u32, Hash)>);

impl Scram {
    /// An exchange with these random bytes in it.
    pub(super) fn new(random: &[u8]) -> Self {
        let mut nonce = Vec::new();
        base64::encode(&mut nonce, random);
        Self { nonce: String::from_utf8_lossy(&nonce).into_owned(), expected: None }
    }

    /// The first word to the server.
    pub(super) fn first(&self) -> String {
        ["n,,", &self.bare()].concat()
    }

    fn bare(&self) -> String {
        ["n=,r=", &self.nonce].concat()
    }

    /// The second word, which shows that we know the password.
    ///
    /// # Errors
    /// The server's word is none, or asks for too much.
    #[inline(never)]
    pub(super) fn second(&mut self, word: &str, password: &str, salted: &mut Salted) -> Result<String, String> {
        let wrong = || "PostgreSQL's part of SCRAM is wrong".to_owned();
        let nonce = member(word, "r=").filter(|nonce| nonce.starts_with(&self.nonce)).ok_or_else(wrong)?;
        let salt = member(word, "s=").and_then(|salt| base64::decode(salt.as_bytes())).ok_or_else(wrong)?;
        let rounds = member(word, "i=").and_then(|rounds| rounds.parse().ok()).ok_or_else(wrong)?;
        if rounds > MAX_ROUNDS {
            return Err(format!("PostgreSQL asks for {rounds} rounds of SCRAM, more than {MAX_ROUNDS}"));
        }
        let key = salted.get(password, salt, rounds);
        let client = mac(&key, b"Client Key");
        let without_proof = ["c=biws,r=", nonce].concat();
        let all = [&self.bare(), ",", word, ",", &without_proof].concat();
        let signature = mac(&Sha256::digest(client), all.as_bytes());
        self.expected = Some(mac(&mac(&key, b"Server Key"), all.as_bytes()));
        let mut out = [&without_proof, ",p="].concat().into_bytes();
        base64::encode(&mut out, &xor(client, signature));
        String::from_utf8(out).map_err(|_| wrong())
    }

    /// Whether the server's last word shows that it knows the password too.
    pub(super) fn is_proven(&self, word: &str) -> bool {
        let shown = member(word, "v=").and_then(|shown| base64::decode(shown.as_bytes()));
        self.expected.is_some_and(|expected| shown.is_some_and(|shown| shown == expected))
    }
}

impl Salted {
    #[inline(never)]
    fn get(&mut self, password: &str, salt: Vec<u8>, rounds: u32) -> Hash {
        match &self.0 {
            Some((known, count, key)) if *known == salt && *count == rounds => *key,
            _ => {
                let key = salt_password(password.as_bytes(), &salt, rounds);
                self.0 = Some((salt, rounds, key));
                key
            }
        }
    }
}

/// `Hi` of RFC 5802.
#[inline(never)]
fn salt_password(password: &[u8], salt: &[u8], rounds: u32) -> Hash {
    let keyed = keyed(password);
    let mut last: Hash = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]).finalize().into_bytes().into();
    let mut key = last;
    for _ in 1..rounds {
        last = keyed.clone().chain_update(last).finalize().into_bytes().into();
        key = xor(key, last);
    }
    key
}

#[inline(never)]
fn mac(key: &[u8], data: &[u8]) -> Hash {
    keyed(key).chain_update(data).finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A key may have any length.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn xor(mut one: Hash, other: Hash) -> Hash {
    one.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
    one
}

/// A member of a word, such as `r=` of `r=x,s=y`.
fn member<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    word.split(',').find_map(|member| member.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    /// The example of RFC 7677, but for the user, which PostgreSQL takes from elsewhere.
    const SERVER: &str = "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn a_server_is_convinced_as_a_library_convinces_it() {
        let mut theirs = ScramSha256::new(b"pencil", ChannelBinding::unsupported());
        let first = String::from_utf8(theirs.message().to_vec()).unwrap();
        let nonce = first.split_once("r=").unwrap().1;
        let mut ours = Scram { nonce: nonce.to_owned(), expected: None };
        assert_eq!(ours.first(), first);
        let word = format!("r={nonce}more,{SERVER}");
        theirs.update(word.as_bytes()).unwrap();
        let mut salted = Salted::default();
        let second = ours.second(&word, "pencil", &mut salted).unwrap();
        assert_eq!(second.as_bytes(), theirs.message());
        let mut proof = b"v=".to_vec();
        base64::encode(&mut proof, &ours.expected.unwrap());
        assert!(theirs.finish(&proof).is_ok());
        let proof = String::from_utf8(proof).unwrap();
        assert!(ours.is_proven(&proof));
        assert!(!ours.is_proven("v=AAAA") && !ours.is_proven("e=no") && !ours.is_proven(""));
        assert_eq!(ours.second(&word, "pencil", &mut salted).unwrap(), second, "from what was kept");
        assert_ne!(ours.second(&word, "pencil", &mut Salted::default()).unwrap(), "");
    }

    #[test]
    fn what_is_not_scram_or_too_much_of_it_is_refused() {
        let mut scram = Scram::new(b"0123456789abcdefgh");
        let own = scram.nonce.clone();
        for word in ["", "r=other,s=AAAA,i=1", &format!("r={own}x,i=1"), &format!("r={own}x,s=AAAA,i=x")] {
            assert!(scram.second(word, "p", &mut Salted::default()).is_err(), "{word}");
        }
        let why = scram.second(&format!("r={own}x,s=AAAA,i=100001"), "p", &mut Salted::default()).unwrap_err();
        assert!(why.contains("100001 rounds"), "{why}");
        assert!(!scram.is_proven("v="), "nothing was shown yet");
    }
}
