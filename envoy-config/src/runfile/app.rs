//! One application of a run file.

use super::value::{Given, LogLevelName, body_size};
use super::{Common, Destination, Spec};
use crate::bootstrap::Protocol;
use crate::yaml::{Fields, Text, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use weft_core::config::LogLevel;

/// About parts of daprd that are not there; they change nothing for the application.
const NO_EFFECT: &[(&str, &str)] = &[
    ("daprInternalGRPCPort", "the applications call each other inside Envoy"),
    ("metricsPort", "Envoy's statistics are at --admin-port"),
    ("profilePort", "there is no profile server"),
    ("placementHostAddress", "there are no actors in this release"),
    ("schedulerHostAddress", "there are no jobs in this release"),
    ("daprHTTPReadBufferSize", "Envoy takes header fields of up to 60 KiB"),
    ("runtimePath", "there is no daprd"),
    ("daprPath", "there is no daprd"),
    ("daprdInstallPath", "there is no daprd"),
];

/// What would change something, the value that is fine, and why no other is.
const REFUSED: &[(&str, Option<&str>, &str)] = &[
    ("appSSL", Some("false"), "write appProtocol: https or grpcs"),
    ("appChannelAddress", Some("127.0.0.1"), "applications are called at 127.0.0.1"),
    ("apiListenAddresses", Some("127.0.0.1"), "Dapr's ports are at 127.0.0.1"),
    ("unixDomainSocket", None, "not by this release"),
    ("enableProfiling", Some("false"), "there is no profile server"),
    ("enableApiLogging", Some("false"), "not by this release"),
    ("containerImage", None, "it is for Kubernetes"),
    ("containerImagePullPolicy", None, "it is for Kubernetes"),
    ("createService", Some("false"), "it is for Kubernetes"),
];

const MAX_REQUEST: &str = "daprHTTPMaxRequestSize";

/// Reads `common`.
pub(super) fn common(mut fields: Fields<'_>, folder: &Path) -> Common {
    let (app_log, filter_log) = destinations(&mut fields);
    let common = Common {
        environment: environment(&mut fields),
        resources: resources(&mut fields).iter().map(|path| folder.join(path)).collect(),
        configuration: fields.text("configFilePath").map(|path| folder.join(path.value)),
        log_level: log_level(&mut fields),
        app_log,
        filter_log,
    };
    fields.finish();
    common
}

/// Reads one of `apps`. `folder` is the run file's.
pub(super) fn read(mut fields: Fields<'_>, folder: &Path, common: &Common) -> Option<Spec> {
    let id = fields.required_if_there("appID");
    if let Some(id) = &id {
        fields.set_subject(format!("the application {:?}", id.value));
    }
    let app_folder = fields.required("appDirPath").map(|path| (folder.join(&path.value), path.place));
    if let Some((path, place)) = &app_folder
        && !path.is_dir()
    {
        fields.problem(place, "appDirPath", &format!("is no folder: {}", path.display()));
    }
    let app_folder = app_folder.map(|(path, _)| path).unwrap_or_default();
    let place = fields.place();
    let id = match id {
        Some(Text { value, place }) => Given { value, place },
        // As Dapr: the folder's name.
        None => Given { value: folder_name(&app_folder), place },
    };
    let (app_log, filter_log) = destinations(&mut fields);
    let spec = Spec {
        command: fields.texts("command").into_iter().map(|word| word.value).collect(),
        environment: common.environment.clone().into_iter().chain(environment(&mut fields)).collect(),
        port: port(&mut fields, "appPort"),
        protocol: protocol(&mut fields),
        guard: super::guard::guard(&mut fields),
        http: port(&mut fields, "daprHTTPPort"),
        grpc: port(&mut fields, "daprGRPCPort"),
        resources: found_resources(&mut fields, folder, &app_folder, common),
        configuration: found_configuration(&mut fields, folder, &app_folder, common),
        log_level: log_level(&mut fields).or(common.log_level),
        max_body: max_body(&mut fields),
        app_log: app_log.or(common.app_log).unwrap_or_default(),
        filter_log: filter_log.or(common.filter_log).unwrap_or_default(),
        id,
        folder: app_folder,
    };
    refuse(&mut fields);
    fields.finish();
    Some(spec).filter(|spec| !spec.id.value.is_empty())
}

fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn port(fields: &mut Fields<'_>, name: &'static str) -> Option<Given<u16>> {
    let text = fields.text(name)?;
    match text.value.parse() {
        Ok(value) if value > 0 => Some(Given { value, place: text.place }),
        _ => {
            fields.problem(&text.place, name, &format!("is {:?}, which is no port", text.value));
            None
        }
    }
}

fn protocol(fields: &mut Fields<'_>) -> Protocol {
    let Some(text) = fields.text("appProtocol") else { return Protocol::default() };
    text.value.parse().unwrap_or_else(|why| {
        fields.problem(&text.place, "appProtocol", &format!("is {:?}; {why}", text.value));
        Protocol::default()
    })
}

/// A mapping of names to values, or a list of such mappings.
fn environment(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let pairs = match fields.node("env").map(|node| &node.value) {
        Some(Value::List(_)) => fields.each("env").into_iter().flat_map(|fields| fields.all_pairs()).collect(),
        _ => fields.pairs("env"),
    };
    pairs.into_iter().map(|(name, text)| (name, text.value)).collect()
}

/// `resourcesPath`, and `resourcesPaths` as a list or with commas.
fn resources(fields: &mut Fields<'_>) -> Vec<PathBuf> {
    let mut paths: Vec<String> = fields.text("resourcesPath").into_iter().map(|path| path.value).collect();
    match fields.node("resourcesPaths").map(|node| &node.value) {
        Some(Value::List(_)) => paths.extend(fields.texts("resourcesPaths").into_iter().map(|path| path.value)),
        Some(_) => {
            let text = fields.text("resourcesPaths").map(|text| text.value).unwrap_or_default();
            paths.extend(text.split(',').map(|path| path.trim().to_owned()));
        }
        None => {}
    }
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// A path of an application lies in its folder, or else in that of the run file.
fn resolve(path: &Path, folder: &Path, app_folder: &Path) -> PathBuf {
    let inside = app_folder.join(path);
    if inside.exists() || !folder.join(path).exists() { inside } else { folder.join(path) }
}

fn found_resources(fields: &mut Fields<'_>, folder: &Path, app_folder: &Path, common: &Common) -> Vec<PathBuf> {
    let given = resources(fields);
    let by_custom = app_folder.join(".dapr/resources");
    let mut paths: Vec<PathBuf> = given.iter().map(|path| resolve(path, folder, app_folder)).collect();
    if paths.is_empty() && by_custom.is_dir() {
        paths.push(by_custom);
    }
    paths.extend(common.resources.iter().cloned());
    paths
}

fn found_configuration(fields: &mut Fields<'_>, folder: &Path, app_folder: &Path, common: &Common) -> Option<PathBuf> {
    let given = fields.text("configFilePath").map(|path| resolve(Path::new(&path.value), folder, app_folder));
    let by_custom = app_folder.join(".dapr/config.yaml");
    given.or_else(|| by_custom.is_file().then_some(by_custom)).or_else(|| common.configuration.clone())
}

fn log_level(fields: &mut Fields<'_>) -> Option<LogLevel> {
    fields.parsed::<LogLevelName>("logLevel", "debug, info, warn or error").map(|name| name.0)
}

/// The two forms of one setting, of which daprd's older one counts in MiB.
fn max_body(fields: &mut Fields<'_>) -> Option<u32> {
    let (mega, text) = (fields.text(MAX_REQUEST), fields.text("daprMaxBodySize"));
    if let (Some(mega), Some(_)) = (&mega, &text) {
        fields.problem(&mega.place, MAX_REQUEST, "stands beside daprMaxBodySize; keep one");
    }
    let (name, place, size) = match (mega, text) {
        (Some(mega), _) => {
            let number = mega.value.parse::<u64>().map_err(|_| "write a number of MiB".to_owned());
            (MAX_REQUEST, mega.place, number.and_then(|number| body_size(&format!("{number}Mi"))))
        }
        (None, Some(text)) => ("daprMaxBodySize", text.place, body_size(&text.value)),
        (None, None) => return None,
    };
    size.map_err(|why| fields.problem(&place, name, &format!("is no size: {why}"))).ok()
}

fn destinations(fields: &mut Fields<'_>) -> (Option<Destination>, Option<Destination>) {
    (destination(fields, "appLogDestination"), destination(fields, "daprdLogDestination"))
}

fn destination(fields: &mut Fields<'_>, name: &'static str) -> Option<Destination> {
    let text = fields.text(name)?;
    match text.value.as_str() {
        "console" => Some(Destination::Console),
        "file" => Some(Destination::File),
        "fileAndConsole" => Some(Destination::Both),
        other => {
            fields.problem(&text.place, name, &format!("is {other:?}; write console, file or fileAndConsole"));
            None
        }
    }
}

fn refuse(fields: &mut Fields<'_>) {
    for (name, harmless, why) in REFUSED {
        fields.refuse(name, *harmless, why);
    }
    for (name, why) in NO_EFFECT {
        if let Some(place) = fields.place_of(name) {
            fields.remark(&place, name, &format!("has no effect: {why}"));
        }
    }
}
