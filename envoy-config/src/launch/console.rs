//! What a person sees: every line with the name of who wrote it.

use std::io::Write;

/// Where a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The name under which this program itself writes.
const OWN: &str = "weft";

/// Writes lines with names of one width.
#[derive(Debug, Clone)]
pub struct Console {
    width: usize,
}

impl Console {
    /// For lines of these names and of this program.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self { width: names.chain([OWN]).map(|name| name.chars().count()).max().unwrap_or_default() }
    }

    /// Writes one line of `name`, with or without its line end. Bytes that are no text are passed on as they are.
    pub fn line(&self, stream: Stream, name: &str, text: &[u8]) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut whole = format!("{name:<width$} | ", width = self.width).into_bytes();
        whole.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        whole.push(b'\n');
        // Nobody may be reading any more; that must not stop the applications.
        let _ = match stream {
            Stream::Out => write_all(std::io::stdout().lock(), &whole),
            Stream::Err => write_all(std::io::stderr().lock(), &whole),
        };
    }

    /// Says something of this program's own.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            self.line(Stream::Err, OWN, line.as_bytes());
        }
    }
}

fn write_all(mut stream: impl Write, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
