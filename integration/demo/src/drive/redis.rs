//! A Redis server for the demo.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to start.
const START: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A running server; it ends with this.
pub struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("a free port: {error}"))?.port();
        let folder = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
        let binary = std::env::var_os("REDIS_SERVER_BIN").unwrap_or_else(|| "redis-server".into());
        let mut command = Command::new(&binary);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("{}: {error}", binary.display()))?;
        let redis = Self { process, port, _folder: folder };
        let begun = Instant::now();
        while redis.ask("PING").is_err() {
            if begun.elapsed() > START {
                return Err(format!("Redis does not answer at port {port}"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(redis)
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a command whose answer is a text.
    ///
    /// # Errors
    /// There is no such answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        let text = |error: std::io::Error| format!("Redis: {error}");
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map_err(text)?;
        stream.write_all(format!("{command}\r\n").as_bytes()).map_err(text)?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).map_err(text)?;
        let line = line.trim_end();
        match line.strip_prefix('$').and_then(|size| size.parse().ok()) {
            Some(size) => {
                let mut bytes = vec![0; size];
                reader.read_exact(&mut bytes).map_err(text)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => line.strip_prefix('+').map(str::to_owned).ok_or_else(|| format!("Redis answered {line:?}")),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
