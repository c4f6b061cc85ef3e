//! Verbs and flags. They are those of `dapr run` wherever there is one.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
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
    /// Starts Envoy with Weft's filter and then the application.
    #[command(after_help = RUN_HELP)]
    Run(RunOptions),
    /// Ends process groups when its parent has ended.
    #[command(name = guard_verb(), hide = true)]
    Guard { folder: PathBuf },
}

const RUN_HELP: &str = "\
The application finds Dapr's API by DAPR_HTTP_PORT and DAPR_GRPC_PORT, and its own id and port in APP_ID and APP_PORT. \
Its lines come out with its id in front, weft's status is the application's. Ctrl-C and SIGTERM end the application, \
then Envoy; a second one ends them at once.

Examples:
  weft run --app-id orders --app-port 8080 -- node app.js
  weft run --app-id probe                                    no application: only Dapr's API, until Ctrl-C

Environment:
  ENVOY_BIN   Envoy's binary; else `envoy` on PATH
  WEFT_WASM   as --wasm";

const fn guard_verb() -> &'static str {
    crate::launch::guard::VERB
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// Name by which others call the application.
    #[arg(short = 'a', long, value_name = "ID")]
    pub app_id: String,
    /// Port on 127.0.0.1 where the application listens; without it the application cannot be called.
    #[arg(short = 'p', long, value_name = "PORT")]
    pub app_port: Option<u16>,
    /// How the application is called.
    #[arg(short = 'P', long, value_name = "PROTOCOL", default_value = "http")]
    pub app_protocol: String,
    /// Port for Dapr's HTTP API [default: any free one].
    #[arg(short = 'H', long, value_name = "PORT")]
    pub dapr_http_port: Option<u16>,
    /// Port for Dapr's gRPC API [default: any free one].
    #[arg(short = 'G', long, value_name = "PORT")]
    pub dapr_grpc_port: Option<u16>,
    #[command(flatten)]
    pub proxy: ProxyOptions,
    /// The application and its arguments, after `--`.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
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
    /// Port on 127.0.0.1 for Envoy's own interface, such as its statistics; 0 for any free one [default: none].
    #[arg(long, value_name = "PORT")]
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

/// Reads the command line; ends the program where it is wrong or asks for help.
pub fn parse() -> Weft {
    Weft::parse()
}
