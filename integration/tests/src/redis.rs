//! A real Redis server, alone for one test or shared by some.

use crate::certificates::Certificates;
use crate::{env, ports, process, wait};
use redis::IntoConnectionInfo as _;
use std::collections::HashMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Writes every command to disk before it is answered (`appendfsync always`).
    pub durable: bool,
    /// What clients have to present.
    pub password: Option<String>,
    /// More users, in the words of `ACL SETUSER`: name, then rules.
    pub users: Vec<String>,
    /// Serves TLS on a port of its own, to clients that have a certificate.
    pub tls: bool,
    /// Port, on 127.0.0.1, of the server that this one copies.
    pub replica_of: Option<u16>,
    /// More arguments of the server.
    pub arguments: Vec<String>,
}

/// How a server is reached over TLS.
#[derive(Debug)]
pub struct TlsPort {
    /// The port, on 127.0.0.1.
    pub port: u16,
    /// The server's and a client's certificates.
    pub certificates: Certificates,
}

pub use redis::Value;

/// A reply that is text or a number, as text.
///
/// # Panics
/// If it is another.
#[must_use]
pub fn text(value: &Value) -> String {
    redis::from_redis_value(value.clone()).unwrap_or_else(|error| panic!("{value:?}: {error}"))
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Redis {
    options: RedisOptions,
    port: u16,
    folder: TempDir,
    tls: Option<TlsPort>,
    process: Option<Child>,
}

impl Redis {
    /// A server that keeps everything in memory and asks for no password.
    #[must_use]
    pub fn start() -> Self {
        Self::with(RedisOptions::default())
    }

    /// A server set up as `options` say.
    #[must_use]
    pub fn with(options: RedisOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let secure = || TlsPort { port: ports::free(), certificates: Certificates::make(folder.path()) };
        let tls = options.tls.then(secure);
        let mut redis = Self { options, port: ports::free(), folder, tls, process: None };
        redis.restart();
        redis
    }

    /// A server that copies this one and has all of its data.
    #[must_use]
    pub fn replica(&self) -> Self {
        let replica = Self::with(RedisOptions { replica_of: Some(self.port), ..RedisOptions::default() });
        wait::until_true("the replica is in step", || {
            let info: String = self.client().run(&["INFO", "replication"]);
            info.contains(&format!("port={},state=online", replica.port))
        });
        replica
    }

    /// The port, on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as in a component's `redisHost`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How it is reached over TLS, if it is.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsPort> {
        self.tls.as_ref()
    }

    /// What clients have to present.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server can be killed");
            process.wait().expect("the server ends");
        }
    }

    /// Lets the server take connections and bytes but do nothing, until [`Redis::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets the server go on with what it has received.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        process::signal(name, self.process.as_ref().expect("the server runs").id());
    }

    /// Starts the server again on its port and waits until it has loaded its data.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        let mut command = Command::new(env::redis_server());
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log);
        // A replica gets the data at once.
        command.args(["--repl-diskless-sync-delay", "0"]);
        if let Some(port) = self.options.replica_of {
            command.args(["--replicaof", "127.0.0.1", &port.to_string()]);
        }
        if self.options.durable {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password]);
        }
        command.args(&self.options.arguments);
        for user in &self.options.users {
            command.arg("--user").args(user.split(' '));
        }
        if let Some(TlsPort { port, certificates }) = &self.tls {
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "yes", "--tls-ca-cert-file"]);
            command.arg(&certificates.authority).arg("--tls-cert-file").arg(&certificates.server);
            command.arg("--tls-key-file").arg(&certificates.server_key);
        }
        self.process = Some(command.spawn().expect("redis-server can be started"));
        wait::until_true("Redis answers PING", || self.ping());
    }

    /// A client of the server, apart from the proxy.
    #[must_use]
    pub fn client(&self) -> Client {
        Client(self.connect().expect("Redis takes connections"))
    }

    /// As [`Redis::client`]; `None` if the server is not up.
    #[must_use]
    pub fn try_client(&self) -> Option<Client> {
        if self.process.is_some() { self.connect().ok().map(Client) } else { None }
    }

    fn ping(&self) -> bool {
        self.connect().is_ok_and(|mut it| redis::cmd("PING").query::<String>(&mut it).is_ok())
    }

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        connect(self.port, self.options.password.as_deref())
    }
}

fn connect(port: u16, password: Option<&str>) -> redis::RedisResult<redis::Connection> {
    let mut login = redis::RedisConnectionInfo::default();
    if let Some(password) = password {
        login = login.set_password(password);
    }
    let address = format!("redis://127.0.0.1:{port}/").into_connection_info()?;
    let client = redis::Client::open(address.set_redis_settings(login))?;
    let connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
    connection.set_read_timeout(Some(wait::SOON))?;
    Ok(connection)
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that speaks to the server directly.
pub struct Client(redis::Connection);

impl Client {
    /// A client of the server at a port of 127.0.0.1.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn connect(port: u16, password: Option<&str>) -> Result<Self, String> {
        connect(port, password).map(Self).map_err(|error| error.to_string())
    }

    /// Runs one command and gives its answer in the type that the test asks for.
    ///
    /// # Panics
    /// If Redis refuses the command or its answer is of another type.
    pub fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        self.try_run(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// As [`Client::run`], for a command that may be refused.
    ///
    /// # Errors
    /// What Redis says.
    pub fn try_run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> Result<T, String> {
        let (name, arguments) = words.split_first().expect("a command has a name");
        let mut command = redis::cmd(name);
        for argument in arguments {
            command.arg(*argument);
        }
        command.query(&mut self.0).map_err(|error| error.to_string())
    }

    /// Runs one command whose arguments need not be text, and drops its answer.
    ///
    /// # Panics
    /// If Redis refuses the command.
    pub fn run_bytes(&mut self, words: &[&[u8]]) {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.exec(&mut self.0).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    /// The fields of a hash, sorted by name.
    pub fn hash(&mut self, key: &str) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = self.run(&["HGETALL", key]);
        fields.sort();
        fields
    }

    /// The entries of a stream in order: id, then fields and values.
    pub fn stream(&mut self, key: &str) -> Vec<StreamEntry> {
        let raw: Vec<(String, Vec<(String, String)>)> = self.run(&["XRANGE", key, "-", "+"]);
        raw.into_iter().map(|(id, fields)| StreamEntry { id, fields }).collect()
    }

    /// How many entries of `stream` were given to `group` and not acknowledged.
    pub fn pending(&mut self, stream: &str, group: &str) -> u64 {
        let summary: redis::Value = self.run(&["XPENDING", stream, group]);
        match summary {
            redis::Value::Array(items) => match items.first() {
                Some(redis::Value::Int(count)) => u64::try_from(*count).expect("a count"),
                other => panic!("XPENDING began with {other:?}"),
            },
            other => panic!("XPENDING answered {other:?}"),
        }
    }
    /// The consumer groups of `stream`.
    pub fn groups(&mut self, stream: &str) -> Vec<Group> {
        let raw: Vec<HashMap<String, Value>> = self.run(&["XINFO", "GROUPS", stream]);
        let count = |value: &Value| text(value).parse().unwrap_or_else(|_| panic!("{value:?} is no count"));
        raw.iter()
            .map(|group| Group {
                name: text(&group["name"]),
                consumers: count(&group["consumers"]),
                pending: count(&group["pending"]),
                last_delivered: text(&group["last-delivered-id"]),
            })
            .collect()
    }
}

/// A consumer group of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many consumers it has.
    pub consumers: u64,
    /// How many entries were given out and not acknowledged.
    pub pending: u64,
    /// Id of the last entry that was given out.
    pub last_delivered: String,
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Redis's id of the entry.
    pub id: String,
    /// Fields in order.
    pub fields: Vec<(String, String)>,
}

impl StreamEntry {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
