//! What guards an application's port, as flags, a run file and the environment say it.

use serde_json::{Value, json};
use std::path::Path;
use weft_tests::weft::{self, Weft};

/// The application's cluster of what is rendered.
fn cluster(arguments: &[&Path], token: Option<&str>) -> Value {
    let mut command = weft::command(arguments);
    match token {
        Some(token) => command.env("APP_API_TOKEN", token),
        None => command.env_remove("APP_API_TOKEN"),
    };
    let ended = Weft::of(command).wait();
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let bootstrap: Value = serde_json::from_str(&ended.out).unwrap();
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    clusters.iter().find(|it| it["name"] == "weft_app_orders").unwrap().clone()
}

fn flags(words: &str) -> Vec<&Path> {
    let usual = ["render", "--app-id", "orders", "--app-port", "8080"];
    usual.into_iter().chain(words.split_whitespace()).map(Path::new).collect()
}

/// Everything set to something else than usual.
fn judge(cluster: &Value, token: &str) {
    assert_eq!(cluster["circuit_breakers"]["thresholds"][0]["max_connections"], 7);
    let check = &cluster["health_checks"][0];
    assert_eq!(
        [&check["interval"], &check["timeout"], &check["unhealthy_threshold"]],
        [&json!("9s"), &json!("0.25s"), &json!(2)]
    );
    assert_eq!(check["http_health_check"]["path"], "/alive");
    let header = &check["http_health_check"]["request_headers_to_add"][0]["header"];
    assert_eq!(header, &json!({"key": "dapr-api-token", "value": token}));
    assert!(cluster["typed_extension_protocol_options"].to_string().contains(token));
}

#[test]
fn flags_and_the_environment_set_token_health_and_concurrency() {
    let given = flags(
        "--app-max-concurrency 7 --enable-app-health-check --app-health-check-path alive --app-health-probe-interval 9 \
         --app-health-probe-timeout 250 --app-health-threshold 2",
    );
    judge(&cluster(&given, Some("mine")), "mine");
}

#[test]
fn a_run_file_sets_them_for_each_application() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.yaml");
    let text = "version: 1
apps:
- appID: orders
  appDirPath: .
  appPort: 8080
  appMaxConcurrency: 7
  enableAppHealthCheck: true
  appHealthCheckPath: /alive
  appHealthProbeInterval: 9
  appHealthProbeTimeout: 250
  appHealthThreshold: 2
  env: {APP_API_TOKEN: its own}
";
    std::fs::write(&file, text).unwrap();
    judge(&cluster(&[Path::new("render"), Path::new("-f"), &file], Some("everybody's")), "its own");
}

#[test]
fn without_them_nothing_guards_the_port() {
    for words in ["", "--app-max-concurrency -1 --app-health-threshold 2"] {
        let cluster = cluster(&flags(words), None);
        assert!(cluster["circuit_breakers"].is_null() && cluster["health_checks"].is_null(), "{cluster}");
        assert!(!cluster.to_string().contains("dapr-api-token"), "{cluster}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_by_name() {
    for (words, name) in [
        ("--app-max-concurrency many", "--app-max-concurrency"),
        ("--app-health-probe-interval 0", "--app-health-probe-interval"),
        ("--app-health-threshold 0", "--app-health-threshold"),
        ("--app-max-concurrency 3 --workers 4", "use 3 --workers at most"),
        ("--enable-app-health-check --app-protocol grpc", "switch the health check off"),
    ] {
        let ended = weft::run(flags(words));
        assert_ne!(ended.status, 0);
        assert!(ended.err.contains(name), "{}", ended.err);
    }
}
