//! A load generator that costs little itself: one request after the other on each of a fixed number of connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one run of load gave.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Answers with the wanted status.
    pub done: u64,
    /// Other answers and lost connections.
    pub failed: u64,
    /// How long it took.
    pub time: Duration,
}

impl Load {
    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        self.done as f64 / self.time.as_secs_f64()
    }
}

/// Sends `request`, the bytes of one HTTP/1.1 request, over `connections` connections for `time`. An answer counts if
/// its status is `wanted`.
///
/// # Errors
/// No connection can be made.
pub async fn run(port: u16, request: &[u8], wanted: u16, connections: usize, time: Duration) -> io::Result<Load> {
    let stop = Arc::new(AtomicBool::new(false));
    let (done, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (stop, done, failed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
        let request = request.to_vec();
        tasks.push(tokio::spawn(async move {
            let mut buffer = Vec::with_capacity(16 * 1024);
            while !stop.load(Ordering::Relaxed) {
                match exchange(&mut stream, &request, &mut buffer).await {
                    Ok(status) if status == wanted => done.fetch_add(1, Ordering::Relaxed),
                    Ok(_) => failed.fetch_add(1, Ordering::Relaxed),
                    Err(_) => {
                        failed.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                };
            }
        }));
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        let _ = task.await;
    }
    let (done, failed) = (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    Ok(Load { done, failed, time: begun.elapsed() })
}

/// One request and its answer.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((status, length)) = head(buffer)? {
            while !length.is_reached(buffer) {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(status);
        }
    }
}

/// How long an answer is.
#[derive(Debug, PartialEq, Eq)]
enum Length {
    /// So many bytes with its head.
    Bytes(usize),
    /// Up to the last chunk.
    Chunked,
}

impl Length {
    /// Whether the answer is whole. No body of the benchmark looks like its own end.
    fn is_reached(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(count) => bytes.len() >= *count,
            Self::Chunked => bytes.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// Status, and length of the whole answer, once its head is complete.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, Length)>> {
    let mut fields = [httparse::EMPTY_HEADER; 48];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(size) = parsed else {
        return Ok(None);
    };
    let field = |name: &str| {
        let found = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let length = match field("transfer-encoding") {
        Some(_) => Length::Chunked,
        None => Length::Bytes(size + field("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)),
    };
    Ok(Some((answer.code.unwrap_or(0), length)))
}
