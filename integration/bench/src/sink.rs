//! The application behind the proxies: answers everything with 1 KiB, and counts the events it is given.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An application on a free port, in a thread of its own.
pub struct Sink {
    /// Its port on 127.0.0.1.
    pub port: u16,
    events: Arc<AtomicU64>,
}

impl Sink {
    /// Starts it. `topic`: what it subscribes to on the component `pubsub`, if to anything.
    ///
    /// # Errors
    /// No free port, no thread.
    pub fn start(topic: Option<&str>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let events = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&events);
        let one = |topic| format!(r#"{{"pubsubname":"pubsub","topic":"{topic}","route":"/events"}}"#);
        let list = format!("[{}]", topic.map(one).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::from(list.as_str()), Arc::clone(&counter)));
                }
            });
        });
        Ok(Self { port, events })
    }

    /// Events taken so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, subscriptions: Arc<str>, events: Arc<AtomicU64>) {
    let page = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", "x".repeat(1024));
    let list = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{subscriptions}",
        subscriptions.len()
    );
    let taken = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"status\":\"SUCCESS\"}";
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let Some((length, kind)) = request(&buffer) else {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        buffer.drain(..length);
        let answer = match kind {
            Kind::Event => {
                events.fetch_add(1, Ordering::Relaxed);
                taken
            }
            Kind::Subscribe => list.as_str(),
            Kind::Other => page.as_str(),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

enum Kind {
    Event,
    Subscribe,
    Other,
}

/// Length of the whole request at the front and what it is, once its head is complete.
fn request(bytes: &[u8]) -> Option<(usize, Kind)> {
    let mut fields = [httparse::EMPTY_HEADER; 48];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(size) = request.parse(bytes).ok()? else {
        return None;
    };
    let length = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok()).unwrap_or(0);
    let kind = match request.path.unwrap_or("") {
        "/events" => Kind::Event,
        "/dapr/subscribe" => Kind::Subscribe,
        _ => Kind::Other,
    };
    Some((size + length, kind))
}
