//! A real etcd server, alone for one test or shared by some, and a client of it apart from the proxy.

use crate::certificates::Certificates;
use crate::runtime::{block_on, runtime};
use crate::{env, ports, process, wait};
use prost::Message;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// Takes transactions and values that are larger than it does by itself.
pub const LARGE: &[&str] = &["--max-txn-ops=20000", "--max-request-bytes=33554432"];

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Etcd {
    port: u16,
    peer: u16,
    folder: TempDir,
    settings: Vec<String>,
    tls: Option<Certificates>,
    process: Option<Child>,
}

impl Etcd {
    /// A server as it comes.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with settings such as `--max-txn-ops=5`.
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        let mut server = Self::stopped(settings);
        server.restart();
        server
    }

    /// A server that serves TLS only, to clients that have a certificate.
    #[must_use]
    pub fn behind_tls() -> Self {
        let mut server = Self::stopped(&[]);
        server.tls = Some(Certificates::make(server.folder.path()));
        server.restart();
        server
    }

    fn stopped(settings: &[&str]) -> Self {
        let settings = settings.iter().map(|it| (*it).to_owned()).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { port: ports::free(), peer: ports::free(), folder, settings, tls: None, process: None }
    }

    /// The port, on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a component's `endpoints` names it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its certificates, and a client's.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        self.tls.as_ref().expect("a server behind TLS")
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server can be killed");
            process.wait().expect("the server ends");
        }
    }

    /// Lets the server take connections and bytes but do nothing, until [`Etcd::thaw`].
    pub fn freeze(&self) {
        process::signal("STOP", self.id());
    }

    /// Lets the server go on with what it has received.
    pub fn thaw(&self) {
        process::signal("CONT", self.id());
    }

    fn id(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// Starts the server again on its port and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let (own, peer) = (format!("{scheme}://127.0.0.1:{}", self.port), format!("http://127.0.0.1:{}", self.peer));
        let mut command = Command::new(env::etcd());
        command.arg("--data-dir").arg(self.folder.path().join("data"));
        command.args(["--listen-client-urls", &own, "--advertise-client-urls", &own, "--listen-peer-urls", &peer]);
        command.args(["--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("default={peer}")]);
        // It is its own leader sooner.
        command.args(["--heartbeat-interval", "20", "--election-timeout", "200"]);
        if let Some(certificates) = &self.tls {
            let files: [(&str, &Path); 3] = [
                ("--cert-file", &certificates.server),
                ("--key-file", &certificates.server_key),
                ("--trusted-ca-file", &certificates.authority),
            ];
            for (name, file) in files {
                command.arg(name).arg(file);
            }
            command.arg("--client-cert-auth");
        }
        command.args(&self.settings).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a log file")).stderr(log);
        self.process = Some(command.spawn().expect("etcd can be started"));
        let log = self.folder.path().join("log");
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        wait::until_true("etcd serves", || text().contains("ready to serve client requests"));
    }

    /// A client of the server, apart from the proxy.
    ///
    /// # Panics
    /// If the server is behind TLS.
    #[must_use]
    pub fn client(&self) -> Client {
        assert!(self.tls.is_none(), "the client speaks no TLS");
        let _inside = runtime().enter();
        let endpoint = Endpoint::from_shared(format!("http://{}", self.endpoint())).expect("an address");
        Client(endpoint.connect_lazy())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that speaks to the server directly.
#[derive(Debug)]
pub struct Client(Channel);

impl Client {
    /// The pair of a key, if there is one.
    ///
    /// # Panics
    /// If etcd refuses.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<KeyValue> {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        self.call::<_, RangeResponse>("KV/Range", request).unwrap_or_else(|why| panic!("{key}: {why}")).kvs.pop()
    }

    /// How many keys begin so.
    ///
    /// # Panics
    /// If etcd refuses.
    #[must_use]
    pub fn count(&self, prefix: &str) -> i64 {
        let mut range_end = prefix.as_bytes().to_vec();
        *range_end.last_mut().expect("a prefix") += 1;
        let request = RangeRequest { key: prefix.into(), range_end, count_only: true };
        self.call::<_, RangeResponse>("KV/Range", request).expect("an answer").count
    }

    /// Stores bytes.
    ///
    /// # Panics
    /// If etcd refuses.
    pub fn put(&self, key: &str, value: &[u8]) {
        let request = PutRequest { key: key.into(), value: value.to_vec(), lease: 0 };
        self.call::<_, Nothing>("KV/Put", request).unwrap_or_else(|why| panic!("{key}: {why}"));
    }

    /// Seconds for which a lease was granted.
    ///
    /// # Panics
    /// If there is no such lease.
    #[must_use]
    pub fn granted(&self, lease: i64) -> i64 {
        let request = Lease { id: lease };
        self.call::<_, TimeToLive>("Lease/LeaseTimeToLive", request).expect("a lease").granted
    }

    /// How many leases there are.
    ///
    /// # Panics
    /// If etcd refuses.
    #[must_use]
    pub fn leases(&self) -> usize {
        self.call::<_, Leases>("Lease/LeaseLeases", Nothing {}).expect("an answer").leases.len()
    }

    /// Lets nobody in without a name any more.
    ///
    /// # Panics
    /// If etcd refuses.
    pub fn demand_names(&self) {
        let user = AddUser { name: "root".to_owned(), password: "secret".to_owned() };
        self.call::<_, Nothing>("Auth/UserAdd", user).expect("a user");
        self.call::<_, Nothing>("Auth/RoleAdd", Named { name: "root".to_owned() }).expect("a role");
        let grant = Grant { user: "root".to_owned(), role: "root".to_owned() };
        self.call::<_, Nothing>("Auth/UserGrantRole", grant).expect("a grant");
        self.call::<_, Nothing>("Auth/AuthEnable", Nothing {}).expect("names are demanded");
    }

    fn call<A, B>(&self, method: &str, request: A) -> Result<B, Status>
    where
        A: Message + Default + 'static,
        B: Message + Default + 'static,
    {
        let path = format!("/etcdserverpb.{method}").parse().expect("a method's path");
        block_on(async {
            let mut grpc = Grpc::new(self.0.clone());
            grpc.ready().await.map_err(|error| Status::unavailable(format!("no connection: {error}")))?;
            let codec = ProstCodec::<A, B>::default();
            Ok(grpc.unary(Request::new(request), path, codec).await?.into_inner())
        })
    }
}

/// `mvccpb.KeyValue`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeyValue {
    /// The key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The number of its last write.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// The value.
    #[prost(bytes = "vec", tag = "5")]
    pub value: Vec<u8>,
    /// The lease with which it goes away.
    #[prost(int64, tag = "6")]
    pub lease: i64,
}

/// What daprd puts around a value.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Value {
    /// The value itself.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    /// When it was written.
    #[prost(message, optional, tag = "2")]
    pub ts: Option<Time>,
    /// How long it lives.
    #[prost(message, optional, tag = "3")]
    pub ttl: Option<Time>,
}

/// `google.protobuf.Timestamp` and `Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Time {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// And nanoseconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    range_end: Vec<u8>,
    #[prost(bool, tag = "9")]
    count_only: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<KeyValue>,
    #[prost(int64, tag = "4")]
    count: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(int64, tag = "3")]
    lease: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Lease {
    #[prost(int64, tag = "1")]
    id: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct TimeToLive {
    #[prost(int64, tag = "4")]
    granted: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Leases {
    #[prost(message, repeated, tag = "2")]
    leases: Vec<Lease>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct AddUser {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    password: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Grant {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    role: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Nothing {}
