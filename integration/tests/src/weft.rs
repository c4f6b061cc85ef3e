//! The `weft` program, and the demo: started as a person starts them, with every line they write.

use crate::process::{children, command_line, signal};
use crate::{env, wait};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A `weft` that runs. When it is dropped it is killed, and the guard ends what it started.
pub struct Weft {
    process: Child,
    out: Lines,
    err: Lines,
}

/// What a `weft` that has ended has left.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its status; a signal's number plus 128 if it was one.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The command `weft` with these arguments. It chooses among the modules that were built.
#[must_use]
pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::weft());
    let module = env::module();
    let modules = module.parent().expect("the module lies in a folder");
    command.args(arguments).env("ENVOY_BIN", env::envoy()).env("WEFT_WASM", modules).stdin(Stdio::null());
    command
}

/// Runs it to its end.
#[must_use]
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Weft::of(command(arguments)).wait()
}

impl Weft {
    /// Starts it.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(command(arguments))
    }

    /// Starts a command that [`command`] gave.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft can be started");
        let out = Lines::of(process.stdout.take().expect("a pipe"));
        let err = Lines::of(process.stderr.take().expect("a pipe"));
        Self { process, out, err }
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line of standard output that holds `text` and gives what comes after it in the line.
    pub fn out(&self, text: &str) -> String {
        self.line(&self.out, text)
    }

    /// As [`Weft::out`], of standard error.
    pub fn err(&self, text: &str) -> String {
        self.line(&self.err, text)
    }

    fn line(&self, lines: &Lines, text: &str) -> String {
        let mut found = None;
        let seen = || {
            found = lines.text().lines().find_map(|line| Some(line.split_once(text)?.1.to_owned()));
            found.is_some() || lines.is_complete()
        };
        wait::until_true(&format!("weft writes {text:?}"), seen);
        found.unwrap_or_else(|| {
            panic!("weft never wrote {text:?}\n--- output\n{}--- errors\n{}", self.out.text(), self.err.text())
        })
    }

    /// Waits for a line of standard output that ends in `text` and a number.
    ///
    /// # Panics
    /// If there is none.
    pub fn number(&self, text: &str) -> u16 {
        let rest = self.out(text);
        rest.trim().parse().unwrap_or_else(|_| panic!("{text:?} is followed by {rest:?}"))
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// The number of its Envoy.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn envoy(&self) -> u32 {
        let children = children(self.pid());
        children.into_iter().find(|pid| command_line(*pid).contains("--config-path")).expect("weft runs Envoy")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let status = wait::until("weft ends", wait::SOON, || self.process.try_wait().expect("it can be asked"));
        let (out, err) = (self.out.rest(), self.err.rest());
        Ended { status: code(status), out, err }
    }
}

impl Drop for Weft {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _killed = self.process.kill().and_then(|()| self.process.wait());
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("an end has a reason")
}

/// A stream that is read as it grows.
struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(source: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_complete(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn rest(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }
}
