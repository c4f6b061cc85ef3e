//! Verbs and flags. They are those of `dapr run` wherever there is one.

mod guard;
mod refused;

use super::prepare;
use clap::{ArgGroup, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use guard::GuardOptions;
use std::path::PathBuf;
use std::str::FromStr;
use weft::bootstrap::{Protocol, Range};
use weft::runfile::body_size;
use weft_core::config::LogLevel;

/// Dapr's building blocks inside Envoy: runs applications that are written for Dapr, without daprd.
#[derive(Debug, Parser)]
#[command(name = "weft", version, propagate_version = true, max_term_width = 100)]
pub struct Weft {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Starts Envoy with Weft's filter and then the application, or all applications of a run file.
    #[command(after_help = RUN_HELP)]
    Run(Box<RunOptions>),
    /// Writes the configuration that `run` would start Envoy with.
    #[command(after_help = RENDER_HELP)]
    Render(Box<RenderOptions>),
    /// Ends process groups when its parent has ended.
    #[command(name = crate::launch::guard::VERB, hide = true)]
    Guard { folder: PathBuf },
}

const RUN_HELP: &str = "\
The application finds Dapr's API by DAPR_HTTP_PORT and DAPR_GRPC_PORT, and its own id and port in APP_ID and APP_PORT. \
Its lines come out with its id in front; weft's status is the application's, of several the first that is not 0. \
Ctrl-C and SIGTERM end the applications, then Envoy; a second one ends them at once. Before the applications are \
started, they give the statuses 130 and 143.

All applications of a run file are served by one Envoy. It is Dapr's multi-app run file; what Weft does not support in \
it, or in the resources, is refused by file, line, name and reason before anything starts.

Examples:
  weft run --app-id orders --app-port 8080 --resources-path ./components -- node app.js
  weft run --app-id probe         only Dapr's API, until Ctrl-C
  weft run -f run.yaml

Environment:
  ENVOY_BIN      Envoy's binary; else `envoy` on PATH
  SSL_CERT_FILE  certificate authorities of servers that are called by TLS; else the system's
  WEFT_WASM      as --wasm";

const RENDER_HELP: &str = "\
Without ports, the first application gets Dapr's own, 3500 and 50001, the others those that follow. The configuration \
holds the components' secrets.

Examples:
  weft render --app-id orders --app-port 8080 --out rendered
  envoy -c rendered/envoy.json --concurrency 1
  weft render -f run.yaml --workers 4 --out rendered
  weft render --app-id orders --module-path /etc/weft.wasm     the bootstrap alone, as output";

#[derive(Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    pub apps: AppOptions,
    #[command(flatten)]
    pub proxy: ProxyOptions,
    /// The application and its arguments, after `--`.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RenderOptions {
    #[command(flatten)]
    pub apps: AppOptions,
    #[command(flatten)]
    pub proxy: ProxyOptions,
    /// Folder for the bootstrap envoy.json, each application's plugin-<id>.json, and the module; else the bootstrap goes
    /// to standard output.
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Where Envoy will find the module [default: where it is now].
    #[arg(long, value_name = "FILE")]
    pub module_path: Option<PathBuf>,
}

/// Flags about applications.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["app_id", "run_file"])))]
pub struct AppOptions {
    /// Name by which others call the application.
    #[arg(short = 'a', long, value_name = "ID")]
    pub app_id: Option<String>,
    /// Port on 127.0.0.1 where the application listens; without it the application cannot be called.
    #[arg(short = 'p', long, value_name = "PORT", value_parser = port())]
    pub app_port: Option<u16>,
    /// What the application speaks: http, https, h2c, grpc or grpcs.
    #[arg(short = 'P', long, value_name = "PROTOCOL", default_value = "http", value_parser = Protocol::from_str)]
    pub app_protocol: Protocol,
    #[command(flatten)]
    pub guard: GuardOptions,
    /// Port for Dapr's HTTP API [default: any free one].
    #[arg(short = 'H', long, value_name = "PORT", value_parser = port())]
    pub dapr_http_port: Option<u16>,
    /// Port for Dapr's gRPC API [default: any free one].
    #[arg(short = 'G', long, value_name = "PORT", value_parser = port())]
    pub dapr_grpc_port: Option<u16>,
    /// File or folder of components and subscriptions; may be repeated [default: the store `statestore` and the
    /// broker `pubsub`, in memory].
    #[arg(short = 'd', long, value_name = "PATH", visible_alias = "components-path")]
    pub resources_path: Vec<PathBuf>,
    /// File of the application's Configuration.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Largest body of a request that is not an invocation, such as 16Mi [default: 4Mi].
    #[arg(long, value_name = "SIZE", value_parser = body_size)]
    pub max_body_size: Option<u32>,
    /// Runs the applications of this file, or of the `dapr.yaml` in this folder.
    #[arg(
        short = 'f',
        long,
        value_name = "PATH",
        conflicts_with_all = [
            "app_id", "app_port", "app_protocol", "dapr_http_port", "dapr_grpc_port", "resources_path", "config",
            "max_body_size",
        ],
        conflicts_with_all = GuardOptions::NAMES,
    )]
    pub run_file: Option<PathBuf>,
}

/// Flags about the proxy.
#[derive(Debug, Args)]
pub struct ProxyOptions {
    /// The least severe line that Weft and Envoy log.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: Level,
    /// How many threads of Envoy serve requests.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub workers: u32,
    /// Host outside that applications may call by URL; one that begins with a dot stands for all names that end so; may
    /// be repeated [default: none].
    #[arg(long, value_name = "HOST")]
    pub external_host: Vec<String>,
    /// Private, link-local or loopback address that such hosts may have, or a range such as 10.0.0.0/8; may be repeated
    /// [default: none].
    #[arg(long, value_name = "ADDRESS")]
    pub external_address: Vec<Range>,
    /// Port on 127.0.0.1 for Envoy's own interface, such as its statistics [default: none].
    #[arg(long, value_name = "PORT", value_parser = port())]
    pub admin_port: Option<u16>,
    /// The filter's module, or a folder of modules to choose from [default: the one in weft, else beside it].
    #[arg(long, value_name = "PATH", env = "WEFT_WASM", hide_env = true)]
    pub wasm: Option<PathBuf>,
}

/// Severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Debug,
    Info,
    Warn,
    #[value(alias = "fatal", alias = "panic")]
    Error,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

fn port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

/// The whole command line.
fn command() -> Command {
    Weft::command().mut_subcommand("run", refused::add).mut_subcommand("render", describe_render)
}

/// Flags that both verbs have and that mean something else where the proxy runs later.
fn describe_render(render: Command) -> Command {
    let follows = |api: &str, first: u16| format!("Port for Dapr's {api} API [default: {first}, or the next one]");
    render
        .mut_arg("dapr_http_port", |it| it.help(follows("HTTP", prepare::HTTP)))
        .mut_arg("dapr_grpc_port", |it| it.help(follows("gRPC", prepare::GRPC)))
        .mut_arg("workers", |it| {
            it.help("How many threads Envoy will have: start it with that number as --concurrency")
        })
}

/// Reads the command line; ends the program where it is wrong or asks for help.
///
/// # Errors
/// Flags of `dapr run` that Weft does not have, each with the reason.
pub fn parse() -> Result<Weft, String> {
    let matches = command().get_matches();
    if let Some(run) = matches.subcommand_matches("run") {
        refused::check(run)?;
    }
    Weft::from_arg_matches(&matches).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_says_of_each_verb_which_ports_it_chooses() {
        let help = |verb: &str| {
            let text = command().find_subcommand_mut(verb).unwrap().render_help().to_string();
            // However it is broken into lines.
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(help("run").matches("[default: any free one]").count(), 2);
        let render = help("render");
        assert!(!render.contains("any free one"), "{render}");
        assert!(render.contains("[default: 3500, or the next one]"), "{render}");
        assert!(render.contains("[default: 50001, or the next one]"), "{render}");
        assert!(render.contains("start it with that number as --concurrency"), "{render}");
    }

    #[test]
    fn one_application_or_a_run_file_is_asked_for() {
        let why = |given: &[&str]| command().try_get_matches_from(given).unwrap_err().to_string();
        let neither = why(&["weft", "run"]);
        assert!(neither.contains("<--app-id <ID>|--run-file <PATH>>"), "{neither}");
        let both = why(&["weft", "run", "--app-id", "a", "-f", "run.yaml"]);
        assert!(both.contains("cannot be used with"), "{both}");
    }

    #[test]
    fn no_example_makes_a_file_of_a_command_that_may_fail() {
        assert!(!format!("{RUN_HELP}{RENDER_HELP}").contains("> "));
    }
}
