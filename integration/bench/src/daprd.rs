//! daprd beside Weft, where the environment variable `DAPRD_BIN` names one.

use crate::rig::{self, Rig, Running, Work};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use weft_tests::ports;

/// Row of an invocation through a caller's and a callee's daprd.
pub const INVOKE: &str = "(i) daprd, invoke, caller and callee";
/// Row of a read of one key.
pub const GET: &str = "(i) daprd, state get, Redis";
/// Row of a publish.
pub const PUBLISH: &str = "(i) daprd, publish, Redis Streams";

/// How long it may take until it can be used.
const START: Duration = Duration::from_secs(30);

/// A daprd that runs. It is killed when this is dropped.
pub struct Daprd {
    process: Child,
    http: u16,
    /// Holds what it reads, as long as it runs.
    folder: TempDir,
}

impl Daprd {
    /// Starts one. `other`: the one that it has to find by name.
    fn start(binary: &Path, id: &str, app: u16, redis: u16, other: Option<&Self>) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("daprd: {error}");
        let folder = tempfile::tempdir().map_err(text)?;
        let (resources, configuration) = (folder.path().join("resources"), folder.path().join("config.yaml"));
        fs::create_dir(&resources).map_err(text)?;
        fs::write(resources.join("redis.yaml"), components(redis)).map_err(text)?;
        let names = other.map_or(folder.path(), |other| other.folder.path()).join("names.db");
        fs::write(&configuration, configuration_text(&names)).map_err(text)?;
        let http = ports::free();
        let mut command = Command::new(binary);
        command.args(["--app-id", id, "--app-protocol", "http", "--app-port", &app.to_string()]);
        for flag in ["--dapr-grpc-port", "--dapr-internal-grpc-port"] {
            command.args([flag, &ports::free().to_string()]);
        }
        command.args(["--dapr-http-port", &http.to_string(), "--dapr-listen-addresses", "127.0.0.1"]);
        command.arg("--resources-path").arg(&resources).arg("--config").arg(&configuration);
        command.args(["--enable-metrics=false", "--log-level", "error"]).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().map_err(|error| format!("DAPRD_BIN: {}: {error}", binary.display()))?;
        let mut daprd = Self { process, http, folder };
        daprd.wait()?;
        Ok(daprd)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while !is_healthy(self.http).unwrap_or(false) {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("DAPRD_BIN: it ended by itself: {status}"));
            }
            if begun.elapsed() > START {
                return Err(format!("DAPRD_BIN: it is not healthy at 127.0.0.1:{} after {START:?}", self.http));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Daprd {
    fn drop(&mut self) {
        let _killed = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn is_healthy(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /v1.0/healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 204"))
}

fn components(redis: u16) -> String {
    let one = |(name, kind): (&str, &str)| {
        let head = format!("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n");
        let host = format!("{{name: redisHost, value: \"127.0.0.1:{redis}\"}}");
        format!("{head}spec:\n  type: {kind}\n  version: v1\n  metadata: [{host}]\n")
    };
    [("statestore", "state.redis"), ("pubsub", "pubsub.redis")].map(one).join("---\n")
}

/// Traces as Weft has them unless told otherwise. Names go through a file: multicast is not everywhere.
fn configuration_text(names: &Path) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: bench}}\nspec:\n  \
         tracing: {{samplingRate: \"1\"}}\n  nameResolution:\n    component: sqlite\n    \
         configuration: {{connectionString: {:?}}}\n",
        names.display().to_string()
    )
}

/// daprd's rows that are wanted, running; none without `DAPRD_BIN`, which is said.
///
/// # Errors
/// A daprd that cannot be used.
pub fn rigs(wants: impl Fn(&str) -> bool, app: u16, redis: u16) -> Result<Vec<Rig>, String> {
    let wanted: Vec<&'static str> = [INVOKE, GET, PUBLISH].into_iter().filter(|row| wants(row)).collect();
    let binary = std::env::var_os("DAPRD_BIN").filter(|value| !value.is_empty()).map(PathBuf::from);
    match binary {
        _ if wanted.is_empty() => Ok(Vec::new()),
        None => {
            eprintln!("DAPRD_BIN is not set: the rows of daprd are left out");
            Ok(Vec::new())
        }
        Some(binary) => wanted.into_iter().map(|row| start(row, &binary, app, redis)).collect(),
    }
}

fn start(row: &'static str, binary: &Path, app: u16, redis: u16) -> Result<Rig, String> {
    if row == INVOKE {
        let callee = Daprd::start(binary, "callee", app, redis, None)?;
        let caller = Daprd::start(binary, "caller", app, redis, Some(&callee))?;
        let port = caller.http;
        let request = rig::invocation();
        let proxies = vec![Running::Daprd(caller), Running::Daprd(callee)];
        return Ok(Rig { name: row, proxies, port, request, wanted: 200 });
    }
    let daprd = Daprd::start(binary, "bench", app, redis, None)?;
    let work = if row == GET { Work::Get } else { Work::Publish };
    let port = daprd.http;
    Ok(Rig { name: row, proxies: vec![Running::Daprd(daprd)], port, request: work.request(), wanted: work.wanted() })
}
