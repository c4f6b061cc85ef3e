//! What is to be run: one application by flags, or several by Dapr's multi-app run file.

mod app;
mod guard;
mod value;

pub use value::{Given, LogLevelName, body_size};

use crate::bootstrap::{Guard, Protocol};
use crate::problem::{Place, Problems};
use crate::yaml::{self, Fields, Node, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weft_core::config::LogLevel;

/// One application that is to be run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its app id.
    pub id: Given<String>,
    /// The folder that it is started in.
    pub folder: PathBuf,
    /// The command; empty if somebody else starts it.
    pub command: Vec<String>,
    /// Environment variables besides those of this program.
    pub environment: BTreeMap<String, String>,
    /// The port where it listens.
    pub port: Option<Given<u16>>,
    /// What it speaks there.
    pub protocol: Protocol,
    /// What guards its port, but for the token.
    pub guard: Guard,
    /// Dapr's HTTP port; absent for any free one.
    pub http: Option<Given<u16>>,
    /// Dapr's gRPC port; absent for any free one.
    pub grpc: Option<Given<u16>>,
    /// Files and folders of resources; none for the defaults.
    pub resources: Vec<PathBuf>,
    /// The file of its configuration.
    pub configuration: Option<PathBuf>,
    /// The least severe line that its filters log; absent for the run's.
    pub log_level: Option<LogLevel>,
    /// Largest body that its filters answer; absent for the default.
    pub max_body: Option<u32>,
    /// Where its own lines go.
    pub app_log: Destination,
    /// Where its filters' lines go.
    pub filter_log: Destination,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Destination {
    /// To the terminal.
    #[default]
    Console,
    /// To a file in the application's folder, under `.dapr/logs`.
    File,
    /// To both.
    Both,
}

/// What applications have in common.
#[derive(Debug, Clone, Default)]
struct Common {
    environment: BTreeMap<String, String>,
    resources: Vec<PathBuf>,
    configuration: Option<PathBuf>,
    log_level: Option<LogLevel>,
    app_log: Option<Destination>,
    filter_log: Option<Destination>,
}

/// Reads a run file; of a folder, its `dapr.yaml`. What is wrong with it is told.
pub fn read(path: &Path, problems: &Problems) -> Vec<Spec> {
    let file = if path.is_dir() { path.join("dapr.yaml") } else { path.to_path_buf() };
    let documents = yaml::read_file(&file, problems);
    let whole = Place { file: Arc::from(file.as_path()), line: 0 };
    match documents.as_slice() {
        [document] => {
            let folder = file.parent().unwrap_or(Path::new(""));
            let fields = Fields::of_document(document, "the run file", problems);
            fields.map(|fields| read_fields(fields, folder)).unwrap_or_default()
        }
        [] => {
            problems.add_if_none(&whole, "the run file is empty");
            Vec::new()
        }
        [_, second, ..] => {
            let place = Place { line: second.root.line, ..whole };
            problems.add(&place, "a run file has one document; this is a second one");
            Vec::new()
        }
    }
}

fn read_fields(mut fields: Fields<'_>, folder: &Path) -> Vec<Spec> {
    if let Some(version) = fields.required("version").filter(|version| version.value != "1") {
        fields.problem(&version.place, "version", &format!("is {:?}; this release reads 1", version.value));
    }
    let common = fields.fields("common").map(|common| app::common(common, folder)).unwrap_or_default();
    match fields.node("apps") {
        None => fields.problem(&fields.place(), "apps", "is missing"),
        Some(Node { value: Value::List(items), line }) if items.is_empty() => {
            let place = Place { line: *line, ..fields.place() };
            fields.problem(&place, "apps", "is empty; name one application at least");
        }
        Some(_) => {}
    }
    let apps: Vec<Spec> =
        fields.each("apps").into_iter().filter_map(|fields| app::read(fields, folder, &common)).collect();
    fields.finish();
    apps
}

/// Tells ids and ports that are given twice. `admin` is the port of the proxy's own interface.
pub fn check_unique(apps: &[Spec], admin: Option<&Given<u16>>, problems: &Problems) {
    let mut ids: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut ports: BTreeMap<u16, &Place> = admin.map(|port| (port.value, &port.place)).into_iter().collect();
    for app in apps {
        if let Some(first) = ids.insert(&app.id.value, &app.id.place) {
            problems.add(&app.id.place, format!("the app id {:?} stands at {first} too", app.id.value));
        }
        for port in [&app.port, &app.http, &app.grpc].into_iter().flatten() {
            if let Some(first) = ports.insert(port.value, &port.place) {
                problems.add(&port.place, format!("the port {} stands at {first} too", port.value));
            }
        }
    }
}

#[cfg(test)]
mod tests;
