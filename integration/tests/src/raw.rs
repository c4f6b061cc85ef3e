//! A client that writes bytes as they are, for requests that no well-behaved client sends.

use crate::wait::SOON;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One connection.
#[derive(Debug)]
pub struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

/// An answer, as far as it could be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// A header's first value, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Raw {
    /// Connects to `address`, `host:port`.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        socket.set_nodelay(true).expect("a connected socket");
        socket.set_read_timeout(Some(SOON)).expect("a connected socket");
        socket.set_write_timeout(Some(SOON)).expect("a connected socket");
        Self { socket, read: Vec::new() }
    }

    /// Writes bytes.
    ///
    /// # Panics
    /// If the peer has closed the connection.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_write(bytes), "the peer takes the bytes");
    }

    /// Writes bytes; `false` if the peer has closed the connection.
    #[must_use]
    pub fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket.write_all(bytes.as_ref()).is_ok()
    }

    /// Reads until `part` was read, and gives all that was read so far and not taken by an earlier call.
    ///
    /// # Panics
    /// If the connection ends before, or nothing comes soon.
    pub fn read_until(&mut self, part: &[u8]) -> Vec<u8> {
        loop {
            if self.read.windows(part.len()).any(|it| it == part) {
                return std::mem::take(&mut self.read);
            }
            let what = String::from_utf8_lossy(part).into_owned();
            assert!(self.more(), "the connection ended before {what:?}: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads one answer to a request that was not `HEAD`; `None` if the connection ends before it is whole.
    pub fn answer(&mut self) -> Option<RawAnswer> {
        let (mut answer, head) = loop {
            match parse_head(&self.read) {
                Some((found, _)) if found.status == 100 => self.drop_head(),
                Some(found) => break found,
                None if !self.more() => return None,
                None => {}
            }
        };
        self.read.drain(..head);
        answer.body = match body_length(&answer) {
            Length::Bytes(length) => self.take(length)?,
            Length::Chunked => self.take_chunked()?,
            Length::ToTheEnd => self.rest(),
        };
        Some(answer)
    }

    /// As [`Raw::answer`], where what comes may also be no HTTP at all, which counts as none.
    pub fn answer_or_end(&mut self) -> Option<RawAnswer> {
        while !self.read.windows(4).any(|it| it == b"\r\n\r\n") {
            if !self.more() {
                return None;
            }
        }
        self.answer()
    }

    /// All bytes until the peer closes the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.read)
    }

    /// Closes the sending half.
    pub fn half_close(&mut self) {
        assert!(self.try_half_close(), "a connected socket");
    }

    /// As [`Raw::half_close`]; `false` if the peer has closed the connection.
    #[must_use]
    pub fn try_half_close(&mut self) -> bool {
        self.socket.shutdown(std::net::Shutdown::Write).is_ok()
    }

    /// Goes away without a goodbye: the peer gets a TCP reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("a connected socket");
    }

    fn drop_head(&mut self) {
        if let Some((_, head)) = parse_head(&self.read) {
            self.read.drain(..head);
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if !self.more() {
                return None;
            }
        }
        Some(self.read.drain(..length).collect())
    }

    fn take_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|it| it == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn take_chunked(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let line = self.take_line()?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while !self.take_line()?.is_empty() {}
                return Some(whole);
            }
            whole.extend(self.take(size)?);
            self.take_line()?;
        }
    }

    /// Reads what there is; `false` at the end of the connection.
    fn more(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.socket.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                self.read.extend_from_slice(&piece[..length]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing more came after {:?}: {error}", String::from_utf8_lossy(&self.read)),
        }
    }
}

enum Length {
    Bytes(usize),
    Chunked,
    ToTheEnd,
}

fn body_length(answer: &RawAnswer) -> Length {
    if matches!(answer.status, 204 | 304) {
        return Length::Bytes(0);
    }
    if answer.header("transfer-encoding").is_some_and(|it| it.contains("chunked")) {
        return Length::Chunked;
    }
    answer.header("content-length").map_or(Length::ToTheEnd, |it| Length::Bytes(it.parse().expect("a length")))
}

fn parse_head(bytes: &[u8]) -> Option<(RawAnswer, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let headers = response.headers.iter().map(|it| (it.name.to_ascii_lowercase(), it.value.to_vec())).collect();
            let status = response.code.expect("a whole head has a status");
            Some((RawAnswer { status, headers, body: Vec::new() }, length))
        }
        Ok(httparse::Status::Partial) => None,
        Err(error) => panic!("no HTTP answer ({error}): {:?}", String::from_utf8_lossy(bytes)),
    }
}
