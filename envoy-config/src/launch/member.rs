//! A program that runs as part of a session: its output goes line by line to whoever wants it, its end is an event.

use super::console::Stream;
use super::group::Group;
use super::guard::Guard;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longer lines are cut in pieces.
const LINE: u64 = 64 * 1024;
/// How long output may still come after a program's end. Only one whose children keep its output open needs it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Who a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The proxy.
    Envoy,
    /// An application, by its place in the list.
    App(usize),
}

/// What a session waits for.
#[derive(Debug)]
pub enum Event {
    /// This program got a signal.
    Signal(i32),
    /// A program has ended, and what it wrote has been passed on.
    Ended(Who, ExitStatus),
}

/// Takes a program's lines.
pub type Sink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// Starts a program in a process group of its own, guarded.
///
/// # Errors
/// It cannot be started.
pub fn start(mut command: Command, who: Who, sink: &Sink, events: Sender<Event>, guard: &Guard) -> io::Result<Group> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let group = Group::of(&child).ok_or_else(|| io::Error::other("a process number that is none"))?;
    guard.watch(group);
    let (open, closed) = channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, Stream::Out, Arc::clone(sink), open.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, Stream::Err, Arc::clone(sink), open);
    }
    thread::spawn(move || wait(child, who, &closed, &events));
    Ok(group)
}

fn forward(source: impl Read + Send + 'static, stream: Stream, sink: Sink, open: Sender<()>) {
    thread::spawn(move || {
        // Held until the end of the output, which the dropped sender tells.
        let _open = open;
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while (&mut source).take(LINE).read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
            sink(stream, &line);
            line.clear();
        }
    });
}

fn wait(mut child: Child, who: Who, closed: &Receiver<()>, events: &Sender<Event>) {
    if let Ok(status) = child.wait() {
        // Nothing is ever sent: it ends by the last sender's end or by the time.
        let _ = closed.recv_timeout(LAST_WORDS);
        // A session that is over does not care.
        let _ = events.send(Event::Ended(who, status));
    }
}
