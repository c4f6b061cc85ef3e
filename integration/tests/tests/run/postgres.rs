//! Components whose data is in a PostgreSQL.

use super::resources::{files, run_with, save_and_read};
use crate::http;
use serde_json::json;
use std::process::Command;
use tempfile::TempDir;
use weft_tests::certificates::Certificates;
use weft_tests::client::{Call, get};
use weft_tests::envoy::EnvoyProcess;
use weft_tests::ports;
use weft_tests::postgres::{PASSWORD, Postgres, USER};
use weft_tests::wait;

fn store(metadata: &[(&str, &str)]) -> TempDir {
    let items: String =
        metadata.iter().map(|(name, value)| format!("  - {{name: {name}, value: {value:?}}}\n")).collect();
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec:";
    files(&[("store.yaml", format!("{head}\n  type: state.postgresql\n  version: v2\n  metadata:\n{items}"))])
}

#[test]
fn state_is_kept_in_the_postgresql_of_either_form_of_connection_string_and_of_fields() {
    let postgres = Postgres::start();
    let port = postgres.port().to_string();
    let url = format!("postgres://{USER}:it's%20a%20%22secret%22@127.0.0.1:{port}/postgres?sslmode=disable");
    let fields =
        [("host", "127.0.0.1"), ("port", &port), ("user", USER), ("password", PASSWORD), ("database", "postgres")];
    for metadata in
        [&[("connectionString", postgres.connection_string().as_str())][..], &[("connectionString", &url)], &fields]
    {
        let folder = store(metadata);
        let weft = run_with(&[folder.path()], &[]);
        save_and_read(&http(&weft));
        let mut sql = postgres.client();
        assert_eq!(sql.one("SELECT convert_from(value, 'UTF8') FROM state WHERE key = 'orders||a'"), r#"{"n":1}"#);
        sql.rows("DELETE FROM state");
    }
}

/// What PostgreSQL 17 does with `sslnegotiation=direct`, before an older one: TLS from the first byte, for clients that
/// name the protocol. Gives the port.
fn behind_tls(postgres: &Postgres, certificates: &Certificates) -> (EnvoyProcess, String) {
    let port = ports::free();
    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let server = json!({"cluster_name": "server", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(postgres.port())}}]}]});
    let tls = json!({
        "@type": kind("transport_sockets.tls.v3.DownstreamTlsContext"),
        "common_tls_context": {
            "alpn_protocols": ["postgresql"],
            "tls_certificates": [{
                "certificate_chain": {"filename": certificates.server},
                "private_key": {"filename": certificates.server_key},
            }],
        },
    });
    let onwards =
        json!({"@type": kind("filters.network.tcp_proxy.v3.TcpProxy"), "stat_prefix": "server", "cluster": "server"});
    let proxy = json!({"static_resources": {
        "listeners": [{
            "name": "tls",
            "address": address(port),
            "listener_filters": [{
                "name": "tls_inspector",
                "typed_config": {"@type": kind("filters.listener.tls_inspector.v3.TlsInspector")},
            }],
            "filter_chains": [{
                "filter_chain_match": {"application_protocols": ["postgresql"]},
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
                "filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": onwards}],
            }],
        }],
        "clusters": [{"name": "server", "type": "STATIC", "connect_timeout": "2s", "load_assignment": server}],
    }});
    (EnvoyProcess::start(proxy, 1), port.to_string())
}

#[test]
fn a_postgresql_behind_tls_is_used_if_its_certificate_is_right() {
    let postgres = Postgres::start();
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (own, other) = (Certificates::make(folders.0.path()), Certificates::make(folders.1.path()));
    let (tls, port) = behind_tls(&postgres, &own);
    let text = |more: &str| format!("{} port={port} sslnegotiation=direct {more}", postgres.connection_string());
    let strict = |by: &Certificates| format!("sslmode=verify-full sslrootcert={}", by.authority.display());
    for more in ["sslmode=require", &strict(&own)] {
        let folder = store(&[("connectionString", &text(more))]);
        save_and_read(&http(&run_with(&[folder.path()], &[])));
        assert_eq!(postgres.client().one("SELECT convert_from(value, 'UTF8') FROM state"), r#"{"n":1}"#);
        postgres.client().rows("DELETE FROM state");
    }
    let folder = store(&[("connectionString", &text(&strict(&other)))]);
    let weft = run_with(&[folder.path()], &[]);
    let answer = get(&http(&weft), "/v1.0/state/store/a").send().expect(500);
    assert_eq!(answer.json()["errorCode"], "ERR_STATE_GET");
    tls.check_log();
}

/// Both ways between a real daprd and Weft, where `DAPRD_BIN` names one that has PostgreSQL's component.
#[test]
fn a_daprd_and_weft_read_what_the_other_wrote() {
    let Some(daprd) = std::env::var_os("DAPRD_BIN") else {
        eprintln!("DAPRD_BIN is not set: nothing was compared with a real daprd");
        return;
    };
    for daprd_is_first in [true, false] {
        let postgres = Postgres::start();
        let folder = store(&[("connectionString", &(postgres.connection_string() + " sslmode=disable"))]);
        let start_daprd = || {
            let port = ports::free().to_string();
            let mut command = Command::new(&daprd);
            command.args(["--app-id", "orders", "--dapr-http-port", &port, "--enable-metrics=false"]);
            for flag in ["--dapr-grpc-port", "--dapr-internal-grpc-port", "--profile-port"] {
                command.args([flag, &ports::free().to_string()]);
            }
            command.arg("--resources-path").arg(folder.path()).stdout(std::process::Stdio::null());
            let process = command.stderr(std::process::Stdio::null()).spawn().unwrap();
            let address = format!("127.0.0.1:{port}");
            wait::until_true("daprd is ready", || {
                get(&address, "/v1.0/healthz/outbound").try_send().is_ok_and(|answer| answer.status == 204)
            });
            (process, address)
        };
        let (weft, mut daprd, address);
        if daprd_is_first {
            (daprd, address) = start_daprd();
            weft = run_with(&[folder.path()], &[]);
            save_and_read(&http(&weft));
        } else {
            weft = run_with(&[folder.path()], &[]);
            save_and_read(&http(&weft));
            (daprd, address) = start_daprd();
        }
        exchange(&address, &http(&weft));
        exchange(&http(&weft), &address);
        daprd.kill().and_then(|()| daprd.wait()).unwrap();
    }
}

/// What one wrote, the other reads, writes over by its etag, and removes.
fn exchange(one: &str, other: &str) {
    let post = |address: &str, items: serde_json::Value| {
        Call::new(hyper::Method::POST, address, "/v1.0/state/store").json(&items).send().status
    };
    let path = "/v1.0/state/store/shared";
    assert_eq!(
        post(one, json!([{"key": "shared", "value": {"n": [1, "two"]}, "metadata": {"ttlInSeconds": "500"}}])),
        204
    );
    let (written, read) = (get(one, path).send().expect(200), get(other, path).send().expect(200));
    assert_eq!(read.text(), written.text());
    for name in ["etag", "metadata.ttlexpiretime"] {
        assert!(read.header(name).is_some() && read.header(name) == written.header(name), "{name}");
    }
    let etag = read.header("etag").unwrap();
    assert_eq!(post(other, json!([{"key": "shared", "value": 2, "etag": etag}])), 204);
    assert_eq!(post(one, json!([{"key": "shared", "value": 3, "etag": etag}])), 409);
    let read = get(one, path).send().expect(200);
    assert_eq!((read.text().as_str(), read.header("metadata.ttlexpiretime")), ("2", None));
    Call::new(hyper::Method::DELETE, one, path).send().expect(204);
    assert_eq!(get(other, path).send().status, 204);
}
