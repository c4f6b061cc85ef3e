//! Components, secrets and configuration from files.

use crate::{STAYS, http};
use hyper::Method;
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use weft_tests::app::{Reply, TestApp};
use weft_tests::certificates::Certificates;
use weft_tests::client::{Call, get};
use weft_tests::collector::{Collector, assert_one_tree};
use weft_tests::redis::{Redis, RedisOptions};
use weft_tests::redis_cluster::RedisCluster;
use weft_tests::redis_sentinel::{MASTER, RedisSentinel};
use weft_tests::weft::{self, Weft};

/// A folder with these files.
pub fn files(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn store(metadata: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: store}}\nspec:\n  type: state.redis\n  version: v1\n  metadata:\n{metadata}"
    )
}

/// `weft run` with resources of an application that stays, and with an environment of its own.
pub fn run_with(paths: &[&Path], environment: &[(&str, String)]) -> Weft {
    let mut command = weft::command(["run", "--app-id", "orders"]);
    for path in paths {
        command.arg("--resources-path").arg(path);
    }
    command.args(["--", "sh", "-c", STAYS]).envs(environment.iter().cloned());
    Weft::of(command)
}

pub fn save_and_read(address: &str) {
    let save = Call::new(Method::POST, address, "/v1.0/state/store").json(&json!([{"key": "a", "value": {"n": 1}}]));
    save.send().expect(204);
    assert_eq!(get(address, "/v1.0/state/store/a").send().expect(200).json(), json!({"n": 1}));
}

#[test]
fn state_is_kept_in_the_redis_of_a_component_with_a_secret() {
    let redis = Redis::with(RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() });
    let metadata = format!(
        "  - {{name: redisHost, value: {:?}}}\n  - name: redisPassword\n    secretKeyRef: {{name: redis:password}}\nauth: {{secretStore: local}}\n",
        redis.host()
    );
    let secrets = "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: local}\nspec:\n  type: secretstores.local.file\n  metadata: [{name: secretsFile, value: secrets.json}]\n";
    let folder = files(&[
        ("store.yaml", store(&metadata) + secrets),
        ("secrets.json", json!({"redis": {"password": "hunter2"}}).to_string()),
    ]);
    let weft = run_with(&[folder.path()], &[]);
    save_and_read(&http(&weft));
    let fields = redis.client().hash("orders||a");
    assert!(fields.contains(&("data".to_owned(), r#"{"n":1}"#.to_owned())), "{fields:?}");
}

#[test]
fn a_component_with_blanks_and_slashes_in_its_name_is_used() {
    let redis = Redis::start();
    let name = "my store/1?%";
    let text = store(&format!("  - {{name: redisHost, value: {:?}}}\n", redis.host()));
    let folder = files(&[("store.yaml", text.replace("{name: store}", &format!("{{name: {name:?}}}")))]);
    let weft = run_with(&[folder.path()], &[]);
    let (address, path) = (http(&weft), "/v1.0/state/my%20store%2F1%3F%25");
    Call::new(Method::POST, &address, path).json(&json!([{"key": "a", "value": 1}])).send().expect(204);
    assert_eq!(get(&address, &format!("{path}/a")).send().expect(200).json(), json!(1));
    assert_eq!(redis.client().hash("orders||a").len(), 2);
}

/// Resources for a Redis behind TLS that asks for a certificate, and the environment that they refer to.
fn behind_tls(redis: &Redis, more: &str) -> (TempDir, Vec<(&'static str, String)>) {
    let tls = redis.tls().unwrap();
    let metadata = format!(
        "  - {{name: redisHost, value: '127.0.0.1:{}'}}
  - {{name: enableTLS, value: true}}
  - {{name: clientCert, envRef: CERTIFICATE}}
  - {{name: clientKey, envRef: KEY}}
{more}",
        tls.port
    );
    let (certificate, key) = tls.certificates.client.clone();
    (files(&[("store.yaml", store(&metadata))]), vec![("CERTIFICATE", certificate), ("KEY", key)])
}

#[test]
fn a_redis_behind_tls_is_used_if_its_certificate_is_known_or_need_not_be() {
    let redis = Redis::with(RedisOptions { tls: true, ..RedisOptions::default() });
    let (strict, mut environment) = behind_tls(&redis, "");
    let authority = redis.tls().unwrap().certificates.authority.to_string_lossy().into_owned();
    environment.push(("SSL_CERT_FILE", authority));
    save_and_read(&http(&run_with(&[strict.path()], &environment)));
    let (lax, environment) = behind_tls(&redis, "  - {name: insecureSkipTLSVerify, value: true}\n");
    save_and_read(&http(&run_with(&[lax.path()], &environment)));
}

#[test]
fn the_nodes_of_a_redis_cluster_are_found_by_tls_with_their_certificates() {
    let cluster = RedisCluster::by_tls();
    let (certificate, key) = cluster.certificates().client.clone();
    let metadata = format!(
        "  - {{name: redisHost, value: '{}'}}
  - {{name: redisType, value: cluster}}
  - {{name: enableTLS, value: true}}
  - {{name: clientCert, envRef: CERTIFICATE}}
  - {{name: clientKey, envRef: KEY}}
",
        cluster.hosts()
    );
    let (authority, other) = (cluster.certificates().authority.clone(), tempfile::tempdir().unwrap());
    let strange = Certificates::make(other.path()).authority;
    let folder = files(&[("store.yaml", store(&metadata))]);
    let environment = |authority: &Path| {
        let file = authority.to_string_lossy().into_owned();
        [("CERTIFICATE", certificate.clone()), ("KEY", key.clone()), ("SSL_CERT_FILE", file)]
    };
    let weft = run_with(&[folder.path()], &environment(&authority));
    let address = http(&weft);
    save_and_read(&address);
    for number in 0..20 {
        let item = json!([{"key": format!("k{number}"), "value": number}]);
        Call::new(Method::POST, &address, "/v1.0/state/store").json(&item).send().expect(204);
        let full = format!("orders||k{number}");
        assert_eq!(cluster.client_of(&full).run::<String>(&["HGET", &full, "data"]), number.to_string());
    }
    drop(weft);
    let weft = run_with(&[folder.path()], &environment(&strange));
    let answer = get(&http(&weft), "/v1.0/state/store/a").send().expect(500);
    assert_eq!(answer.json()["errorCode"], "ERR_STATE_GET");
}

#[test]
fn the_master_that_sentinels_name_is_found() {
    let redis = RedisSentinel::start();
    let metadata = format!(
        "  - {{name: redisHost, value: '{}'}}\n  - {{name: failover, value: 'true'}}\n  - {{name: sentinelMasterName, value: {MASTER}}}\n",
        redis.hosts()
    );
    let folder = files(&[("store.yaml", store(&metadata))]);
    save_and_read(&http(&run_with(&[folder.path()], &[])));
    assert_eq!(redis.client().run::<String>(&["HGET", "orders||a", "data"]), r#"{"n":1}"#);
}

#[test]
fn a_redis_whose_certificate_another_has_signed_is_not_used() {
    let redis = Redis::with(RedisOptions { tls: true, ..RedisOptions::default() });
    let other = tempfile::tempdir().unwrap();
    let authority = Certificates::make(other.path()).authority;
    let (folder, mut environment) = behind_tls(&redis, "");
    environment.push(("SSL_CERT_FILE", authority.to_string_lossy().into_owned()));
    let weft = run_with(&[folder.path()], &environment);
    let answer = get(&http(&weft), "/v1.0/state/store/a").send().expect(500);
    assert_eq!(answer.json()["errorCode"], "ERR_STATE_GET");
}

#[test]
fn resources_come_from_several_files_and_folders() {
    let memory = |name: &str, kind: &str| {
        format!("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec: {{type: {kind}}}\n")
    };
    let one = files(&[("a.yaml", memory("first", "state.in-memory") + "---\n" + &memory("bus", "pubsub.in-memory"))]);
    let two = files(&[("b.yml", memory("second", "state.in-memory"))]);
    let file: PathBuf = two.path().join("b.yml");
    let weft = run_with(&[one.path(), &file], &[]);
    let metadata = get(&http(&weft), "/v1.0/metadata").send().json();
    let names: Vec<&str> =
        metadata["components"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["first", "bus", "second"]);
}

#[test]
fn a_configuration_sets_the_sampling_of_traces() {
    let folder = files(&[(
        "config.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: {tracing: {samplingRate: '0'}}\n".to_owned(),
    )]);
    let app = TestApp::start();
    app.on("/x", Reply::status(200));
    let trace_with = |more: &[&Path]| {
        let mut command = weft::command(["run", "--app-id", "orders", "--app-port", &app.port().to_string()]);
        if let [file] = more {
            command.arg("--config").arg(file);
        }
        let weft = Weft::of({
            command.args(["--", "sh", "-c", STAYS]);
            command
        });
        get(&http(&weft), "/v1.0/invoke/orders/method/x").send().expect(200);
        app.seen("/x").pop().unwrap().values("traceparent").join(",")
    };
    assert!(trace_with(&[]).ends_with("-01"));
    assert!(!trace_with(&[&folder.path().join("config.yaml")]).ends_with("-01"));
}

#[test]
fn a_configuration_names_the_collector_of_spans_of_calls_and_events() {
    for protocol in ["grpc", "http"] {
        let (collector, app) = (Collector::start(), TestApp::start());
        app.subscribes(&json!([{"pubsubname": "bus", "topic": "t", "route": "/t"}]));
        app.on("/t", Reply::status(200));
        let otel = format!(
            "{{endpointAddress: '127.0.0.1:{}', isSecure: false, protocol: {protocol}, timeout: 2s, headers: [{{name: x-tenant, value: one}}]}}",
            collector.port()
        );
        let folder = files(&[
            (
                "bus.yaml",
                "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: bus}\nspec: {type: pubsub.in-memory}\n".to_owned(),
            ),
            (
                "config.yaml",
                format!(
                    "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{name: c}}\nspec: {{tracing: {{samplingRate: '1', otel: {otel}}}}}\n"
                ),
            ),
        ]);
        let mut command = weft::command(["run", "--app-id", "orders", "--app-port", &app.port().to_string()]);
        command.arg("--resources-path").arg(folder.path()).args(["--", "sh", "-c", STAYS]);
        let weft = Weft::of(command);
        let answer = Call::new(Method::POST, &http(&weft), "/v1.0/publish/bus/t").body("x").send().expect(204);
        let told = answer.header("traceparent").unwrap().to_owned();
        // Envoy's span of the request, and the filter's of publishing and of the delivery.
        let spans = collector.trace(told.split('-').nth(1).unwrap(), 3);
        assert_one_tree(&spans, "");
        assert!(spans.iter().all(|span| span.service == "orders"), "{spans:#?}");
        assert!(collector.requests().iter().all(|(_, headers)| headers["x-tenant"] == "one"));
    }
}

#[test]
fn what_has_no_effect_is_said_and_what_is_wrong_ends_the_run() {
    let redis = Redis::start();
    let metadata = |more: &str| store(&format!("  - {{name: redisHost, value: {:?}}}\n{more}", redis.host()));
    let folder = files(&[("store.yaml", metadata("  - {name: poolSize, value: 20}\n"))]);
    let weft = run_with(&[folder.path()], &[]);
    weft.err("store.yaml:9: Component \"store\": metadata poolSize has no effect");
    save_and_read(&http(&weft));
    let folder =
        files(&[("store.yaml", metadata("  - {name: redisType, value: ring}\n  - {name: ttlInSeconds, value: x}\n"))]);
    let ended = run_with(&[folder.path(), Path::new("/nowhere")], &[]).wait();
    assert_eq!(ended.status, 1);
    let file = folder.path().join("store.yaml");
    let starts = [
        "weft: nothing was done, because of 3 problems:".to_owned(),
        "  /nowhere: cannot be read: ".to_owned(),
        format!("  {}:9: Component \"store\": metadata.redisType is not node or cluster", file.display()),
        format!("  {}:10: Component \"store\": metadata.ttlInSeconds ", file.display()),
    ];
    for (line, start) in ended.err.lines().zip(&starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
    assert_eq!(ended.err.lines().count(), starts.len(), "{}", ended.err);
}
