//! Flags of `dapr run` and `daprd` that Weft does not have: they are known, so that it can be said why.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

const FLAGS: &[(&str, &str)] = &[
    ("actors-service", "there are no actors in this release"),
    ("allowed-origins", "Envoy's CORS filter does that"),
    ("app-channel-address", "applications are called at 127.0.0.1"),
    ("app-ssl", "write --app-protocol https or grpcs"),
    ("control-plane-address", "there is no control plane: Envoy's configuration is a file"),
    ("control-plane-namespace", "there is no control plane: Envoy's configuration is a file"),
    ("control-plane-trust-domain", "there is no control plane: Envoy's configuration is a file"),
    ("dapr-block-shutdown-duration", "not by this release"),
    ("dapr-graceful-shutdown-seconds", "applications have 10 seconds for their end"),
    ("dapr-http-max-request-size", "write --max-body-size, such as 16Mi"),
    ("dapr-http-read-buffer-size", "Envoy takes header fields of up to 60 KiB"),
    ("dapr-internal-grpc-listen-address", "applications call each other inside Envoy"),
    ("dapr-internal-grpc-port", "applications call each other inside Envoy"),
    ("dapr-listen-addresses", "Dapr's ports are at 127.0.0.1"),
    ("dapr-public-listen-address", "health and metadata are at --dapr-http-port"),
    ("dapr-public-port", "health and metadata are at --dapr-http-port"),
    ("disable-builtin-k8s-secret-store", "weft runs on this machine, not in Kubernetes"),
    ("disable-init-endpoints", "not by this release"),
    ("enable-api-logging", "not by this release"),
    ("enable-metrics", "Envoy's statistics are at --admin-port"),
    ("enable-mtls", "mutual TLS is the mesh's"),
    ("enable-profiling", "there is no profile server"),
    ("image", "weft runs on this machine, not in Kubernetes"),
    ("internal-grpc-port", "applications call each other inside Envoy"),
    ("kubernetes", "weft runs on this machine, not in Kubernetes"),
    ("log-as-json", "not by this release"),
    ("metrics-listen-address", "Envoy's statistics are at --admin-port"),
    ("metrics-port", "Envoy's statistics are at --admin-port"),
    ("mode", "weft runs on this machine, not in Kubernetes"),
    ("placement-host-address", "there are no actors in this release"),
    ("profile-listen-address", "there is no profile server"),
    ("profile-port", "there is no profile server"),
    ("profiling-port", "there is no profile server"),
    ("read-buffer-size", "Envoy takes header fields of up to 60 KiB"),
    ("reminders-service", "there are no actors in this release"),
    ("runtime-path", "there is no daprd"),
    ("scheduler-host-address", "there are no jobs in this release"),
    ("sentry-address", "mutual TLS is the mesh's"),
    ("unix-domain-socket", "not by this release"),
];

/// Their short forms.
const SHORT: &[(&str, char)] =
    &[("dapr-internal-grpc-port", 'I'), ("kubernetes", 'k'), ("metrics-port", 'M'), ("unix-domain-socket", 'u')];

/// Adds them, hidden.
pub(super) fn add(command: Command) -> Command {
    // A value is taken if there is one; whether the flag has one does not matter any more.
    let short = |name: &str| SHORT.iter().find(|(flag, _)| *flag == name).map(|(_, short)| *short);
    let flag = |name: &'static str| {
        Arg::new(name).long(name).short(short(name)).hide(true).num_args(0..=1).action(ArgAction::Append)
    };
    command.args(FLAGS.iter().map(|(name, _)| flag(name)))
}

/// Tells those that were given.
pub(super) fn check(run: &ArgMatches) -> Result<(), String> {
    let given = FLAGS.iter().filter(|(name, _)| run.value_source(name) == Some(ValueSource::CommandLine));
    let lines: Vec<String> = given.map(|(name, why)| format!("--{name} is not supported: {why}")).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\nweft: ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_refused_with_its_reason_in_either_form_with_and_without_value() {
        let given = ["run", "--read-buffer-size", "32Ki", "--log-as-json", "-M", "9090", "-k"];
        let run = add(Command::new("run")).try_get_matches_from(given).unwrap();
        let wanted = [
            "--kubernetes is not supported: weft runs on this machine, not in Kubernetes",
            "--log-as-json is not supported: not by this release",
            "--metrics-port is not supported: Envoy's statistics are at --admin-port",
            "--read-buffer-size is not supported: Envoy takes header fields of up to 60 KiB",
        ];
        assert_eq!(check(&run), Err(wanted.join("\nweft: ")));
        assert_eq!(check(&add(Command::new("run")).try_get_matches_from(["run"]).unwrap()), Ok(()));
    }
}
