//! A real Redis with two replicas, and three Sentinels that watch them.

use crate::redis::{Client, Redis, RedisOptions};
use crate::{env, ports, wait};
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The Sentinels' name of the master.
pub const MASTER: &str = "main";

/// The servers and the Sentinels; they end when this is dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<Redis>,
    sentinels: Vec<Sentinel>,
    password: Option<String>,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisSentinel {
    /// Three servers and three Sentinels that know each other.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&RedisOptions::default(), None)
    }

    /// As [`RedisSentinel::start`]: each server set up as `options` say, and the Sentinels with a password of their own.
    #[must_use]
    pub fn with(options: &RedisOptions, password: Option<&str>) -> Self {
        let server = |master: Option<u16>| {
            let mut arguments = options.arguments.clone();
            if let Some(password) = &options.password {
                arguments.extend(["--masterauth".to_owned(), password.clone()]);
            }
            Redis::with(RedisOptions { replica_of: master, arguments, ..options.clone() })
        };
        let first = server(None);
        let port = first.port();
        let servers = vec![first, server(Some(port)), server(Some(port))];
        wait::until_true("the replicas are in step", || {
            servers[0].client().run::<String>(&["INFO", "replication"]).matches("state=online").count() == 2
        });
        let sentinels = (0..3).map(|_| Sentinel::start(port, options.password.as_deref(), password)).collect();
        let all = Self { servers, sentinels, password: password.map(str::to_owned) };
        all.wait_until_known(2);
        all
    }

    /// Waits until every Sentinel that is up knows the others and that many replicas.
    pub fn wait_until_known(&self, replicas: usize) {
        let up = self.sentinels.iter().filter(|it| it.process.is_some()).collect::<Vec<_>>();
        for sentinel in &up {
            wait::until_true("a Sentinel knows the servers", || {
                let count = |what: &str| {
                    let lines: Vec<redis::Value> = self.ask(sentinel)?.try_run(&["SENTINEL", what, MASTER]).ok()?;
                    Some(lines.len())
                };
                count("replicas") == Some(replicas) && count("sentinels") == Some(2)
            });
        }
    }

    fn ask(&self, sentinel: &Sentinel) -> Option<Client> {
        Client::connect(sentinel.port, self.password.as_deref()).ok()
    }

    /// The Sentinels, as in a component's `redisHost`.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect::<Vec<_>>().join(",")
    }

    /// The number of the server that the Sentinels which are up call the master.
    #[must_use]
    pub fn master(&self) -> usize {
        wait::until("the Sentinels agree", wait::SOON, || {
            let up = self.sentinels.iter().filter(|it| it.process.is_some());
            let named = |sentinel| -> Option<u16> {
                let address: Vec<String> =
                    self.ask(sentinel)?.try_run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).ok()?;
                address.get(1)?.parse().ok()
            };
            let ports = up.map(named).collect::<Option<Vec<_>>>()?;
            let port = ports.first().filter(|port| ports.iter().all(|other| other == *port))?;
            self.servers.iter().position(|server| server.port() == *port)
        })
    }

    /// One of the servers.
    pub fn server(&mut self, at: usize) -> &mut Redis {
        &mut self.servers[at]
    }

    /// A client of the master, apart from the proxy.
    #[must_use]
    pub fn client(&self) -> Client {
        self.servers[self.master()].client()
    }

    /// Waits until another server than that one is the master, and takes writes.
    #[must_use]
    pub fn wait_until_replaced(&self, at: usize) -> usize {
        wait::until("another server is the master", Duration::from_secs(30), || {
            let master = self.master();
            let takes_writes =
                || self.servers[master].client().run::<String>(&["INFO", "replication"]).contains("role:master");
            (master != at && takes_writes()).then_some(master)
        })
    }

    /// Lets the Sentinels replace the master while it is up, and waits until it knows. Gives the new one.
    #[must_use]
    pub fn swap(&self) -> usize {
        let before = self.master();
        wait::until_true("a Sentinel begins it", || {
            let asked =
                self.ask(&self.sentinels[0]).map(|mut it| it.try_run::<String>(&["SENTINEL", "FAILOVER", MASTER]));
            asked.is_some_and(|answer| answer.is_ok())
        });
        let after = self.wait_until_replaced(before);
        // Until it is told, it takes writes that will be lost.
        wait::until_true("the old master is a replica", || {
            self.servers[before].client().run::<String>(&["INFO", "replication"]).contains("role:slave")
        });
        after
    }

    /// Ends a Sentinel.
    pub fn kill_sentinel(&mut self, at: usize) {
        self.sentinels[at].kill();
    }
}

impl Sentinel {
    fn start(master: u16, of_servers: Option<&str>, own: Option<&str>) -> Self {
        let (port, folder) = (ports::free(), tempfile::tempdir().expect("a temporary folder"));
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 2000\n",
            folder.path().display()
        );
        if let Some(password) = of_servers {
            text += &format!("sentinel auth-pass {MASTER} {password}\n");
        }
        if let Some(password) = own {
            text += &format!("requirepass {password}\nsentinel sentinel-pass {password}\n");
        }
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, text).expect("a file of settings");
        let log = File::create(folder.path().join("log")).expect("a log file");
        let mut command = Command::new(env::redis_server());
        command.arg(&file).arg("--sentinel").stdin(Stdio::null()).stdout(log);
        let process = Some(command.spawn().expect("a Sentinel can be started"));
        let sentinel = Self { port, folder, process };
        wait::until_true("the Sentinel answers", || Client::connect(port, own).is_ok());
        sentinel
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the Sentinel can be killed");
            process.wait().expect("the Sentinel ends");
        }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.kill();
        let _folder = &self.folder;
    }
}
