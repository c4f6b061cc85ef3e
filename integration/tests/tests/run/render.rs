//! `weft render`: what an Envoy of one's own starts with.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use weft_tests::app::{Reply, TestApp};
use weft_tests::client::get;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::{ports, weft};

#[test]
fn the_bootstrap_runs_in_a_plain_envoy() {
    let app = TestApp::start();
    app.on("/x", Reply::bytes(200, "x"));
    let (http, port) = (ports::free().to_string(), app.port().to_string());
    let ended = weft::run(["render", "--app-id", "orders", "--app-port", &port, "--dapr-http-port", &http]);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let bootstrap: Value = serde_json::from_str(&ended.out).unwrap();
    let _envoy = EnvoyProcess::start(bootstrap, 1);
    let address = format!("127.0.0.1:{http}");
    get(&address, "/v1.0/healthz/outbound").send().expect(204);
    assert_eq!(get(&address, "/v1.0/invoke/orders/method/x").send().expect(200).text(), "x");
}

#[test]
fn a_folder_holds_all_that_belongs_to_it_and_nobody_else_can_read_the_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (none, out) = (folder.path().join("none"), folder.path().join("out"));
    std::fs::create_dir(&none).unwrap();
    let words = ["render", "--app-id", "orders", "--module-path", "/opt/weft.wasm", "--resources-path"];
    let words = words.map(Path::new).into_iter().chain([none.as_path(), Path::new("--out"), &out]);
    let ended = weft::run(words);
    assert_eq!((ended.status, ended.err.as_str(), ended.out.as_str()), (0, "", ""));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let plugin: Value = serde_json::from_str(&read("plugin-orders.json")).unwrap();
    assert_eq!(plugin["appId"], "orders");
    let bootstrap: Value = serde_json::from_str(&read("envoy.json")).unwrap();
    let listeners = bootstrap["static_resources"]["listeners"].as_array().unwrap();
    let ports: Vec<_> = listeners.iter().map(|it| it["address"]["socket_address"]["port_value"].clone()).collect();
    assert_eq!(ports, [3500, 50001]);
    assert!(read("envoy.json").contains("/opt/weft.wasm"));
    assert!(out.join("weft-route.wasm").is_file(), "without components the small module will do");
    for name in ["envoy.json", "plugin-orders.json"] {
        assert_eq!(std::fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn a_run_file_is_rendered_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.yaml");
    std::fs::write(&file, "version: 1\napps:\n- {appID: a, appDirPath: ., appPort: 8}\n- {appID: b, appDirPath: .}\n")
        .unwrap();
    let ended = weft::run([Path::new("render"), Path::new("-f"), &file]);
    let bootstrap: Value = serde_json::from_str(&ended.out).unwrap();
    let listeners = bootstrap["static_resources"]["listeners"].as_array().unwrap();
    let port = |name: &str| {
        let found = listeners.iter().find(|it| it["name"] == name).unwrap();
        found["address"]["socket_address"]["port_value"].as_u64().unwrap()
    };
    assert_eq!(
        (port("weft_api_a"), port("weft_grpc_a"), port("weft_api_b"), port("weft_grpc_b")),
        (3500, 50001, 3501, 50002)
    );
}
