//! Where lines go: to the terminal, to a file, or both.

use super::console::{Console, Stream};
use super::envoy_log;
use super::session::Program;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use weft::runfile::Destination;

/// The lines of one application, or of its filters.
pub struct Output {
    name: String,
    console: Option<Arc<Console>>,
    file: Option<Mutex<File>>,
}

impl Output {
    /// What an application writes.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn of_app(console: &Arc<Console>, program: &Program) -> Result<Self, String> {
        Self::open(console, program, program.log, "app")
    }

    /// What an application's filters write.
    fn of_filters(console: &Arc<Console>, program: &Program) -> Result<Self, String> {
        Self::open(console, program, program.filter_log, "daprd")
    }

    fn open(console: &Arc<Console>, program: &Program, to: Destination, end: &str) -> Result<Self, String> {
        let file = match to {
            Destination::Console => None,
            Destination::File | Destination::Both => {
                Some(Mutex::new(create(&program.folder, &format!("{}_{end}.log", program.id))?))
            }
        };
        let console = (to != Destination::File).then(|| Arc::clone(console));
        Ok(Self { name: program.id.clone(), console, file })
    }

    /// Takes a line, with or without its end.
    pub fn line(&self, stream: Stream, text: &[u8]) {
        if let Some(console) = &self.console {
            console.line(stream, &self.name, text);
        }
        if let Some(file) = &self.file {
            let mut whole = text.strip_suffix(b"\n").unwrap_or(text).to_vec();
            whole.push(b'\n');
            // A full disk must not stop the application.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&whole);
        }
    }
}

/// A fresh file where Dapr keeps an application's logs.
fn create(folder: &Path, name: &str) -> Result<File, String> {
    let logs = folder.join(".dapr/logs");
    let file = logs.join(name);
    fs::create_dir_all(&logs)
        .and_then(|()| File::create(&file))
        .map_err(|error| format!("the log file {} cannot be made: {error}", file.display()))
}

/// Envoy's log: each application's filters' lines go with it, the rest to the terminal.
pub struct EnvoyOutput {
    console: Arc<Console>,
    apps: BTreeMap<String, Output>,
}

impl EnvoyOutput {
    /// For these applications.
    ///
    /// # Errors
    /// A file cannot be made.
    pub fn open(console: &Arc<Console>, programs: &[Program]) -> Result<Self, String> {
        let output = |program: &Program| Ok((program.id.clone(), Output::of_filters(console, program)?));
        let apps = programs.iter().map(output).collect::<Result<_, String>>()?;
        Ok(Self { console: Arc::clone(console), apps })
    }

    /// Takes a line of Envoy's log.
    pub fn line(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let Some(line) = envoy_log::read(text.trim_end()) else { return };
        match line.app.and_then(|app| self.apps.get(app)) {
            Some(output) => output.line(Stream::Err, line.text.as_bytes()),
            None => self.console.say(&line.text),
        }
    }
}
