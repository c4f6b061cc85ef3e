//! `weft render`.

use super::Outcome;
use super::args::RenderOptions;
use super::prepare::{Choice, Prepared, prepare};
use super::run::specs;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use weft::modules::Module;
use weft::problem::Problems;

/// Writes Envoy's bootstrap, to standard output or with all that belongs to it into a folder.
///
/// # Errors
/// What cannot be rendered or written, and why.
pub fn run(options: &RenderOptions) -> Outcome {
    let problems = Problems::default();
    let specs = specs(&options.apps, Vec::new(), &problems)?;
    let mut prepared = prepare(&specs, &options.proxy, Choice::Usual, &problems)?;
    prepared.remarks.iter().for_each(|remark| eprintln!("weft: {remark}"));
    prepared.proxy.module = match (&options.module_path, &options.out, &prepared.module) {
        (Some(path), ..) => path.clone(),
        (None, Some(folder), module) => absolute(folder)?.join(module.name()),
        (None, None, Module::File(file)) => absolute(file)?,
        (None, None, Module::Embedded(..)) => {
            return Err("the module is in this program: write it by --out, or name it by --module-path".to_owned());
        }
    };
    match &options.out {
        None => print(&pretty(&prepared.proxy.bootstrap())),
        Some(folder) => write(folder, &prepared),
    }
    .map(|()| 0)
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("standard output: {error}"))
}

fn write(folder: &Path, prepared: &Prepared) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(text)?;
    let module = folder.join(prepared.module.name());
    let bytes = match &prepared.module {
        Module::File(file) => fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?,
        Module::Embedded(_, bytes) => bytes.to_vec(),
    };
    fs::write(&module, bytes).map_err(text)?;
    private(&folder.join("envoy.json"), &pretty(&prepared.proxy.bootstrap()))?;
    for app in &prepared.proxy.apps {
        let plugin = serde_json::to_value(prepared.proxy.plugin(app)).map_err(|error| error.to_string())?;
        private(&folder.join(format!("plugin-{}.json", app.id)), &pretty(&plugin))?;
    }
    Ok(())
}

/// Writes a file that nobody else can read: it may hold secrets.
fn private(file: &Path, text: &str) -> Result<(), String> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    opened
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(|error| format!("{}: {error}", file.display()))
}
