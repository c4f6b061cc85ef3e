//! A real Redis Cluster: three masters, each with a replica.

use crate::certificates::Certificates;
use crate::redis::{Client, Redis, RedisOptions, Value, text};
use crate::{ports, wait};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a node is silent before the others take it for dead.
const SILENCE: &str = "1500";
const MASTERS: usize = 3;

/// The nodes; they end when this is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Node>,
    password: Option<String>,
    tls: Option<(TempDir, Certificates)>,
}

#[derive(Debug)]
struct Node {
    server: Redis,
    bus: u16,
    /// Where it takes TLS, if it does.
    tls: Option<u16>,
    id: String,
}

impl RedisCluster {
    /// Six nodes that know each other and have copied each other.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&RedisOptions::default())
    }

    /// As [`RedisCluster::start`], each node set up as `options` say.
    #[must_use]
    pub fn with(options: &RedisOptions) -> Self {
        let nodes: Vec<Node> = (0..2 * MASTERS).map(|_| Node::start(options, None)).collect();
        let cluster = Self { nodes, password: options.password.clone(), tls: None };
        cluster.join();
        cluster
    }

    /// As [`RedisCluster::start`], by TLS with certificates for 127.0.0.1; the nodes ask for one of their clients.
    #[must_use]
    pub fn by_tls() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::make(folder.path());
        let (certificate, key) = &certificates.client;
        for (name, text) in [("client.pem", certificate), ("client.key", key)] {
            fs::write(folder.path().join(name), text).expect("a certificate can be written");
        }
        let options = RedisOptions::default();
        let nodes: Vec<Node> =
            (0..2 * MASTERS).map(|_| Node::start(&options, Some((&folder, &certificates)))).collect();
        let cluster = Self { nodes, password: None, tls: Some((folder, certificates)) };
        cluster.join();
        cluster
    }

    /// The certificates of nodes and clients.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.tls.as_ref().expect("a cluster by TLS").1
    }

    fn join(&self) {
        // Of two masters with the same one either may win a slot later on.
        for (at, epoch) in (0..self.nodes.len()).zip(1..) {
            let _ok: String = self.client(at).run(&["CLUSTER", "SET-CONFIG-EPOCH", &i32::to_string(&epoch)]);
        }
        let mut first = self.client(0);
        for node in &self.nodes[1..] {
            let _ok: String =
                first.run(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &node.bus.to_string()]);
        }
        for (at, slots) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")].into_iter().enumerate() {
            let _ok: String = self.client(at).run(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]);
        }
        self.wait_for("the nodes know each other", |info| info.contains("cluster_known_nodes:6"));
        for at in MASTERS..2 * MASTERS {
            let master = self.nodes[at - MASTERS].id.as_str();
            wait::until_true("a replica has a master", || {
                self.client(at).try_run::<String>(&["CLUSTER", "REPLICATE", master]).is_ok()
            });
        }
        self.wait_for("the cluster is whole", |info| info.contains("cluster_state:ok"));
        for at in 0..MASTERS {
            wait::until_true("the replica is in step", || {
                self.client(at).run::<String>(&["INFO", "replication"]).contains("state=online")
            });
            // Only a master that the others know of can be stood in for.
            wait::until_true("all know the replicas", || {
                (0..self.nodes.len()).all(|other| self.slots(other).iter().all(|(.., count)| *count == 2))
            });
        }
    }

    fn wait_for(&self, what: &str, probe: impl Fn(&str) -> bool) {
        wait::until_true(what, || {
            (0..self.nodes.len()).all(|at| probe(&self.client(at).run::<String>(&["CLUSTER", "INFO"])))
        });
    }

    /// What a node says: first slot, last slot, the port of their master, how many servers have them.
    fn slots(&self, at: usize) -> Vec<(u16, u16, u16, usize)> {
        let ranges: Vec<Vec<Value>> = self.client(at).run(&["CLUSTER", "SLOTS"]);
        let number = |value: &Value| text(value).parse::<u16>().expect("a number");
        let port = |server: &Value| match server {
            Value::Array(parts) => number(&parts[1]),
            other => panic!("no server: {other:?}"),
        };
        ranges.iter().map(|range| (number(&range[0]), number(&range[1]), port(&range[2]), range.len() - 2)).collect()
    }

    /// Some of the nodes, as in a component's `redisHost`.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.nodes[..2].iter().map(|node| format!("127.0.0.1:{}", node.port())).collect::<Vec<_>>().join(",")
    }

    /// What clients have to present.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// A client of one node, apart from the proxy.
    #[must_use]
    pub fn client(&self, at: usize) -> Client {
        self.nodes[at].server.client()
    }

    /// The slot of a key.
    #[must_use]
    pub fn slot(&self, key: &str) -> u16 {
        self.alive().run(&["CLUSTER", "KEYSLOT", key])
    }

    fn alive(&self) -> Client {
        self.nodes.iter().find_map(|node| node.server.try_client()).expect("a node that is up")
    }

    /// The number of the node that has a key, as all that are up say.
    ///
    /// # Panics
    /// If none has it within a short while.
    #[must_use]
    pub fn owner(&self, key: &str) -> usize {
        let slot = self.slot(key);
        wait::until("a node that is up has the key", wait::SOON, || self.owner_of(slot))
    }

    fn owner_of(&self, slot: u16) -> Option<usize> {
        let up = (0..self.nodes.len()).filter(|at| self.nodes[*at].server.try_client().is_some()).collect::<Vec<_>>();
        let port_of = |at: &usize| {
            let ranges = self.slots(*at);
            ranges.into_iter().find(|(first, last, ..)| (*first..=*last).contains(&slot)).map(|(.., port, _)| port)
        };
        let ports = up.iter().map(port_of).collect::<Option<Vec<_>>>()?;
        let port = ports.first().filter(|port| ports.iter().all(|other| other == *port))?;
        up.into_iter().find(|at| self.nodes[*at].server.port() == *port)
    }

    /// A client of the node that has a key.
    #[must_use]
    pub fn client_of(&self, key: &str) -> Client {
        self.client(self.owner(key))
    }

    /// Ends one node, as a crash does.
    pub fn kill(&mut self, at: usize) {
        self.nodes[at].server.kill();
    }

    /// Lets a node do nothing, until it goes on.
    pub fn freeze(&self, at: usize) {
        self.nodes[at].server.freeze();
    }

    /// Lets a node go on.
    pub fn thaw(&self, at: usize) {
        self.nodes[at].server.thaw();
    }

    /// Starts a node again that was killed.
    pub fn restart(&mut self, at: usize) {
        self.nodes[at].server.restart();
    }

    /// Waits until a node that is up has what another had.
    pub fn wait_until_replaced(&self, at: usize) {
        let gone = self.nodes[at].server.port();
        let others = (0..self.nodes.len()).filter(|other| *other != at).collect::<Vec<_>>();
        wait::until("a replica has taken over", Duration::from_secs(30), || {
            let all_know = others.iter().all(|other| self.slots(*other).iter().all(|(.., port, _)| *port != gone));
            all_know.then_some(())
        });
        self.wait_for_others(at);
    }

    fn wait_for_others(&self, gone: usize) {
        wait::until_true("the cluster is whole again", || {
            let mut others = (0..self.nodes.len()).filter(|at| *at != gone);
            others.all(|at| self.client(at).run::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        });
    }

    /// Begins to move a slot between two masters; its keys stay where they are.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, of) = (slot.to_string(), |at: usize| self.nodes[at].id.as_str());
        let _ok: String = self.client(to).run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", of(from)]);
        let _ok: String = self.client(from).run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", of(to)]);
    }

    /// Moves one key of a slot that is being moved.
    pub fn move_key(&self, key: &str, from: usize, to: usize) {
        let port = self.nodes[to].server.port().to_string();
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000"];
        if let Some(password) = &self.password {
            words.extend(["AUTH", password]);
        }
        words.extend(["KEYS", key]);
        let _ok: String = self.client(from).run(&words);
    }

    /// Moves what is left of a slot and ends its move.
    pub fn end_move(&self, slot: u16, from: usize, to: usize) {
        let text = slot.to_string();
        let keys: Vec<String> = self.client(from).run(&["CLUSTER", "GETKEYSINSLOT", &text, "10000"]);
        keys.iter().for_each(|key| self.move_key(key, from, to));
        let owner = self.nodes[to].id.as_str();
        for at in [to, from] {
            let _ok: String = self.client(at).run(&["CLUSTER", "SETSLOT", &text, "NODE", owner]);
        }
    }

    /// Makes the replica of a master its successor while both are up. Gives the replica's number.
    ///
    /// # Panics
    /// If there is no replica or it does not become the master.
    pub fn swap(&self, at: usize) -> usize {
        let master = self.nodes[at].id.as_str();
        let replica = wait::until("the master knows its replica", wait::SOON, || {
            let replicas: Vec<String> = self.client(at).run(&["CLUSTER", "REPLICAS", master]);
            let id = replicas.first().and_then(|line| line.split(' ').next())?.to_owned();
            self.nodes.iter().position(|node| node.id == id)
        });
        let says = |words: &str| self.client(replica).run::<String>(&["INFO", "replication"]).contains(words);
        wait::until_true("the replica is in step", || says("master_link_status:up"));
        // A busy machine may miss its time, which is five seconds.
        let mut asked: Option<Instant> = None;
        wait::until("the replica is the master", 3 * wait::SOON, || {
            if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(7)) && !says("role:master") {
                let _ok: String = self.client(replica).run(&["CLUSTER", "FAILOVER"]);
                asked = Some(Instant::now());
            }
            says("role:master").then_some(())
        });
        replica
    }
}

impl Node {
    fn start(options: &RedisOptions, by_tls: Option<(&TempDir, &Certificates)>) -> Self {
        let bus = ports::free();
        let tls = by_tls.map(|_| ports::free());
        let words = ["--cluster-enabled", "yes", "--cluster-node-timeout", SILENCE, "--cluster-port"];
        let mut arguments: Vec<String> = words.map(str::to_owned).to_vec();
        arguments.push(bus.to_string());
        arguments.extend(["--cluster-replica-validity-factor", "0"].map(str::to_owned));
        if let Some(password) = &options.password {
            arguments.extend(["--masterauth".to_owned(), password.clone()]);
        }
        if let (Some((folder, certificates)), Some(port)) = (by_tls, tls) {
            let own = |name: &str| folder.path().join(name).display().to_string();
            let (port, of) = (port.to_string(), |file: &std::path::Path| file.display().to_string());
            for (name, value) in [
                ("--tls-port", port),
                ("--tls-cluster", "yes".to_owned()),
                ("--tls-replication", "yes".to_owned()),
                ("--tls-ca-cert-file", of(&certificates.authority)),
                ("--tls-cert-file", of(&certificates.server)),
                ("--tls-key-file", of(&certificates.server_key)),
                ("--tls-client-cert-file", own("client.pem")),
                ("--tls-client-key-file", own("client.key")),
            ] {
                arguments.extend([name.to_owned(), value]);
            }
        }
        arguments.extend(options.arguments.clone());
        let server = Redis::with(RedisOptions { arguments, ..options.clone() });
        let id = server.client().run(&["CLUSTER", "MYID"]);
        Self { server, bus, tls, id }
    }

    /// Where clients find it.
    fn port(&self) -> u16 {
        self.tls.unwrap_or_else(|| self.server.port())
    }
}
