//! Flags of `dapr run` and `daprd` that Weft does not have: they are known, so that it can be said why.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

const FLAGS: &[(&str, &str)] = &[
    ("allowed-origins", "Envoy's CORS filter does that"),
    ("app-channel-address", "applications are called at 127.0.0.1"),
    ("app-health-check-path", "not by this release"),
    ("app-health-probe-interval", "not by this release"),
    ("app-health-probe-timeout", "not by this release"),
    ("app-health-threshold", "not by this release"),
    ("app-max-concurrency", "not by this release"),
    ("app-ssl", "write --app-protocol https or grpcs"),
    ("dapr-http-max-request-size", "write --max-body-size, such as 16Mi"),
    ("dapr-http-read-buffer-size", "Envoy takes header fields of up to 60 KiB"),
    ("dapr-internal-grpc-port", "applications call each other inside Envoy"),
    ("dapr-listen-addresses", "Dapr's ports are at 127.0.0.1"),
    ("enable-api-logging", "not by this release"),
    ("enable-app-health-check", "not by this release"),
    ("enable-metrics", "Envoy's statistics are at --admin-port"),
    ("enable-mtls", "mutual TLS is the mesh's"),
    ("enable-profiling", "there is no profile server"),
    ("image", "weft runs on this machine, not in Kubernetes"),
    ("kubernetes", "weft runs on this machine, not in Kubernetes"),
    ("metrics-port", "Envoy's statistics are at --admin-port"),
    ("mode", "weft runs on this machine, not in Kubernetes"),
    ("placement-host-address", "there are no actors in this release"),
    ("profile-port", "there is no profile server"),
    ("runtime-path", "there is no daprd"),
    ("scheduler-host-address", "there are no jobs in this release"),
    ("unix-domain-socket", "not by this release"),
];

/// Adds them, hidden.
pub(super) fn add(command: Command) -> Command {
    // A value is taken if there is one; whether the flag has one does not matter any more.
    let flag = |name: &'static str| Arg::new(name).long(name).hide(true).num_args(0..=1).action(ArgAction::Append);
    command.args(FLAGS.iter().map(|(name, _)| flag(name)))
}

/// Tells those that were given.
pub(super) fn check(run: &ArgMatches) -> Result<(), String> {
    let given = FLAGS.iter().filter(|(name, _)| run.value_source(name) == Some(ValueSource::CommandLine));
    let lines: Vec<String> = given.map(|(name, why)| format!("--{name} is not supported: {why}")).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\nweft: ")) }
}
