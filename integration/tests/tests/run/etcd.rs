//! Components whose data is in an etcd.

use super::resources::{files, run_with, save_and_read};
use crate::http;
use serde_json::Value;
use tempfile::TempDir;
use weft_tests::certificates::Certificates;
use weft_tests::client::get;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::etcd::Etcd;
use weft_tests::{ports, weft};

fn store(version: &str, metadata: &[(&str, &str)]) -> TempDir {
    let item = |(name, value): &(&str, &str)| format!("  - {{name: {name}, value: {value:?}}}\n");
    let items: String = metadata.iter().map(item).collect();
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec:";
    files(&[("store.yaml", format!("{head}\n  type: state.etcd\n  version: {version}\n  metadata:\n{items}"))])
}

#[test]
fn state_is_kept_in_the_etcd_of_a_component_of_either_version() {
    let etcd = Etcd::start();
    let url = format!("http://{}", etcd.endpoint());
    for (version, key) in [("v1", "bare/orders||a"), ("v2", "timed/orders||a")] {
        let prefix = key.split('/').next().unwrap();
        let folder = store(version, &[("endpoints", &url), ("keyPrefixPath", prefix), ("tlsEnable", "false")]);
        save_and_read(&http(&run_with(&[folder.path()], &[])));
        let value = etcd.client().get(key).unwrap().value;
        assert_eq!(value == br#"{"n":1}"#, version == "v1", "{value:?}");
    }
}

#[test]
fn of_several_endpoints_those_that_cannot_be_reached_are_left_out() {
    let etcd = Etcd::start();
    let dead = [ports::free(), ports::free()].map(|port| format!("127.0.0.1:{port}"));
    let folder = store("v2", &[("endpoints", &format!("{},{},{}", dead[0], etcd.endpoint(), dead[1]))]);
    let weft = run_with(&[folder.path()], &[]);
    weft_tests::wait::until_true("the dead ones are known", || {
        (0..20).all(|_| get(&http(&weft), "/v1.0/state/store/a").send().status == 204)
    });
    save_and_read(&http(&weft));
}

#[test]
fn an_etcd_behind_tls_is_used_with_a_certificate_if_its_own_is_right() {
    let etcd = Etcd::behind_tls();
    let folder = tempfile::tempdir().unwrap();
    let other = Certificates::make(folder.path());
    let read = |file: &std::path::Path| std::fs::read_to_string(file).unwrap();
    let own = etcd.certificates();
    let (certificate, key) = &own.client;
    let url = format!("https://{}", etcd.endpoint());
    let metadata = |authority: &str| {
        let items =
            [("endpoints", &*url), ("tlsEnable", "true"), ("ca", authority), ("cert", certificate), ("key", key)];
        store("v2", &items)
    };
    let folder = metadata(&read(&own.authority));
    save_and_read(&http(&run_with(&[folder.path()], &[])));
    // The same by the environment's authorities.
    let folder = store("v2", &[("endpoints", &url), ("tlsEnable", "true"), ("cert", certificate), ("key", key)]);
    let environment = [("SSL_CERT_FILE", own.authority.display().to_string())];
    save_and_read(&http(&run_with(&[folder.path()], &environment)));
    let nobody = store("v2", &[("endpoints", &url), ("tlsEnable", "true"), ("ca", &read(&own.authority))]);
    for folder in [metadata(&read(&other.authority)), nobody] {
        let weft = run_with(&[folder.path()], &[]);
        let answer = get(&http(&weft), "/v1.0/state/store/a").send().expect(500);
        assert_eq!(answer.json()["errorCode"], "ERR_STATE_GET");
    }
}

#[test]
fn what_is_rendered_for_an_etcd_runs_in_a_plain_envoy() {
    let etcd = Etcd::start();
    let folder = store("v2", &[("endpoints", &etcd.endpoint())]);
    let port = ports::free().to_string();
    let words = ["render", "--app-id", "orders", "--dapr-http-port", &port, "--resources-path"];
    let ended = weft::run(words.map(Into::into).into_iter().chain([folder.path().as_os_str().to_owned()]));
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let bootstrap: Value = serde_json::from_str(&ended.out).unwrap();
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    let cluster = clusters.iter().find(|it| it["name"] == "weft_tcp_store").unwrap();
    let options =
        &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    assert!(options["explicit_http_config"]["http2_protocol_options"].is_object(), "{cluster}");
    let _envoy = EnvoyProcess::start(bootstrap, 1);
    save_and_read(&format!("127.0.0.1:{port}"));
}
