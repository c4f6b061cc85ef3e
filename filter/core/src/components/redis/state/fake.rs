//! A Redis without sockets: takes bytes, gives bytes, and keeps keys as `dapr-api` 3.6 describes them.

use super::super::resp::{Reply, Resp};
use super::super::settings::Login;
use super::script::{DELETE, SET, Script, TRANSACT};
use crate::runtime::link::{Codec, Decoded};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    Hash(BTreeMap<String, String>),
    Text(String),
}

#[derive(Default)]
pub(super) struct FakeRedis {
    pub keys: BTreeMap<String, Kept>,
    /// Seconds that a key was given.
    pub ttls: BTreeMap<String, i64>,
    /// Hashes of the scripts that it has seen.
    pub known: BTreeSet<String>,
    /// Every command, in order.
    pub commands: Vec<Vec<String>>,
    /// Replicas, and how many of them answer.
    pub replicas: (u32, u32),
    /// Errors that the next commands are answered with.
    pub refusals: VecDeque<&'static str>,
}

impl FakeRedis {
    /// A hash as daprd writes it.
    pub fn holds(&mut self, key: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.keys.insert(key.to_owned(), Kept::Hash(fields));
    }

    /// The fields of a key; empty for none.
    pub fn hash(&self, key: &str) -> Vec<(&str, &str)> {
        match self.keys.get(key) {
            Some(Kept::Hash(fields)) => fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            Some(Kept::Text(_)) => panic!("{key} is no hash"),
            None => Vec::new(),
        }
    }

    /// Whole commands, answered.
    pub fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let codec = Resp::new(Login::default());
        let (mut rest, mut replies) = (bytes, Vec::new());
        while !rest.is_empty() {
            let Ok(Decoded::Whole { reply: Reply::Array(words), used }) = codec.decode(rest) else {
                panic!("no command: {:?}", String::from_utf8_lossy(rest));
            };
            rest = &rest[used..];
            let words = words.into_iter().map(|word| match word {
                Reply::Bulk(word) => String::from_utf8(word).unwrap(),
                other => panic!("no word of a command: {other:?}"),
            });
            self.commands.push(words.collect());
            replies.extend(self.run(&self.commands.last().unwrap().clone()));
        }
        replies
    }

    fn run(&mut self, words: &[String]) -> Vec<u8> {
        if let Some(error) = self.refusals.pop_front() {
            return format!("-{error}\r\n").into_bytes();
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["AUTH" | "SELECT", ..] => b"+OK\r\n".to_vec(),
            ["INFO", "replication"] => {
                let lines = (0..self.replicas.0).map(|number| format!("slave{number}:ip=h,port=1,state=online\r\n"));
                bulk(&format!("role:master\r\n{}", lines.collect::<String>()))
            }
            ["WAIT", ..] => integer(self.replicas.1.into()),
            ["HGETALL", key] => self.read_hash(key),
            ["GET", key] => match self.keys.get(*key) {
                Some(Kept::Text(text)) => bulk(text),
                Some(Kept::Hash(_)) => b"-WRONGTYPE another kind of value\r\n".to_vec(),
                None => b"$-1\r\n".to_vec(),
            },
            ["DEL", key] => integer(i64::from(self.keys.remove(*key).is_some())),
            ["EVALSHA", sha, ..] if !self.known.contains(*sha) => b"-NOSCRIPT No matching script\r\n".to_vec(),
            ["EVALSHA", sha, rest @ ..] => self.eval(script(|it| it.sha == *sha), rest),
            ["EVAL", text, rest @ ..] => {
                let script = script(|it| it.text == *text);
                self.known.insert(script.sha.to_owned());
                self.eval(script, rest)
            }
            other => panic!("unexpected command {other:?}"),
        }
    }

    fn read_hash(&self, key: &str) -> Vec<u8> {
        match self.keys.get(key) {
            Some(Kept::Hash(fields)) => {
                let parts = fields.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]);
                parts.fold(format!("*{}\r\n", 2 * fields.len()).into_bytes(), |mut all, part| {
                    all.extend(part);
                    all
                })
            }
            Some(Kept::Text(_)) => b"-WRONGTYPE another kind of value\r\n".to_vec(),
            None => b"*0\r\n".to_vec(),
        }
    }

    fn eval(&mut self, script: &Script, words: &[&str]) -> Vec<u8> {
        let count = words[0].parse::<usize>().unwrap();
        let (keys, arguments) = words[1..].split_at(count);
        if script.sha == SET.sha {
            return integer(i64::from(self.fits_and_sets(keys[0], arguments)));
        }
        if script.sha == DELETE.sha {
            let fits = self.version(keys[0]).is_none_or(|version| version == arguments[0]);
            if fits {
                self.keys.remove(keys[0]);
            }
            return integer(i64::from(fits));
        }
        self.transact(keys, arguments)
    }

    fn transact(&mut self, keys: &[&str], mut arguments: &[&str]) -> Vec<u8> {
        let (before, ttls) = (self.keys.clone(), self.ttls.clone());
        for (at, key) in keys.iter().enumerate() {
            let fits = match arguments {
                ["S", rest @ ..] => {
                    arguments = &rest[4..];
                    self.fits_and_sets(key, rest)
                }
                ["D", etag, rest @ ..] => {
                    arguments = rest;
                    let fits = self.version(key).is_none_or(|version| version == *etag || *etag == "0");
                    self.keys.remove(*key);
                    fits
                }
                other => panic!("no operation: {other:?}"),
            };
            if !fits {
                (self.keys, self.ttls) = (before, ttls);
                return integer(i64::try_from(at + 1).unwrap());
            }
        }
        assert!(arguments.is_empty(), "arguments left over: {arguments:?}");
        integer(0)
    }

    fn field(&self, key: &str, name: &str) -> Option<&str> {
        match self.keys.get(key)? {
            Kept::Hash(fields) => fields.get(name).map(String::as_str),
            Kept::Text(_) => None,
        }
    }

    fn version(&self, key: &str) -> Option<&str> {
        self.field(key, "version").filter(|version| !version.is_empty())
    }

    /// Sets a key by etag, data, mark and TTL, if its version fits.
    fn fits_and_sets(&mut self, key: &str, arguments: &[&str]) -> bool {
        let [etag, data, mark, ttl, ..] = arguments else { panic!("too few arguments: {arguments:?}") };
        let is_marked = self.field(key, "first-write").is_some();
        let fits = self.version(key).is_none_or(|version| version == *etag || (!is_marked && *etag == "0"));
        if !fits {
            return false;
        }
        let version = self.version(key).map_or(0, |version| version.parse::<i64>().unwrap()) + 1;
        let mut fields = match self.keys.remove(key) {
            Some(Kept::Hash(fields)) => fields,
            _ => BTreeMap::new(),
        };
        fields.insert("data".to_owned(), (*data).to_owned());
        fields.insert("version".to_owned(), version.to_string());
        if *mark == "0" {
            fields.insert("first-write".to_owned(), "0".to_owned());
        }
        self.keys.insert(key.to_owned(), Kept::Hash(fields));
        match ttl.parse::<i64>() {
            Ok(seconds) if seconds > 0 => self.ttls.insert(key.to_owned(), seconds),
            Ok(_) => self.ttls.remove(key),
            Err(_) => None,
        };
        true
    }
}

fn script(wanted: impl Fn(&Script) -> bool) -> &'static Script {
    static SCRIPTS: [Script; 3] = [SET, DELETE, TRANSACT];
    SCRIPTS.iter().find(|script| wanted(script)).expect("a script of the store")
}

fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn integer(number: i64) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}
