//! Servers outside of the mesh that are called by the name of an `HTTPEndpoint`.

use crate::{STAYS, http};
use serde_json::{Value, json};
use std::path::Path;
use weft_tests::app::{Reply, TestApp};
use weft_tests::certificates::Certificates;
use weft_tests::client::get;
use weft_tests::envoy::EnvoyProcess;
use weft_tests::weft::{self, Weft};
use weft_tests::{dapr, ports};

fn run(resource: &Path) -> Weft {
    let mut command = weft::command(["run", "--app-id", "orders", "--resources-path"]);
    command.arg(resource).args(["--", "sh", "-c", STAYS]).env("FAR_TOKEN", "Bearer 100%s3cret");
    Weft::of(command)
}

#[test]
fn an_endpoint_is_called_by_its_name_with_its_path_and_headers() {
    let folder = tempfile::tempdir().unwrap();
    let far = TestApp::start();
    far.on("/v3/things/7", Reply::bytes(302, "far away").with("location", "/elsewhere"));
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{name: far}}\nspec:\n  baseUrl: http://localhost:{}/v3\n  \
         headers:\n  - {{name: Authorization, envRef: FAR_TOKEN}}\n  - {{name: X-Plain, value: plain}}\nscopes: [orders]\n",
        far.port()
    );
    let file = folder.path().join("far.yaml");
    std::fs::write(&file, text).unwrap();
    let weft = run(&file);
    let address = http(&weft);
    let call = get(&address, "/v1.0/invoke/far/method/things/7?a=%2F").header("authorization", "Basic mine");
    let answer = call.header("dapr-caller-app-id", "forged").send().expect(302);
    // As the host's own answer; nobody follows it.
    assert_eq!((answer.text().as_str(), answer.header("location")), ("far away", Some("/elsewhere")));
    get(&address, "/things/7").header("dapr-app-id", "far").send().expect(302);
    let seen = far.wait_for("/v3/things/7", 2);
    assert_eq!(seen[0].query(), Some("a=%2F"));
    for one in &seen {
        assert_eq!(one.values("authorization"), ["Bearer 100%s3cret"]);
        assert_eq!(one.values("x-plain"), ["plain"]);
        assert_eq!(one.value("host"), Some(format!("localhost:{}", far.port())));
        assert!(one.headers.iter().all(|(name, _)| !name.starts_with("dapr-") && !name.starts_with("x-weft")));
    }
}

/// An Envoy that answers only to clients with a certificate of the same authority.
fn secure_server(port: u16, certificates: &Certificates) -> EnvoyProcess {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let tls = json!({
        "@type": kind("transport_sockets.tls.v3.DownstreamTlsContext"),
        "require_client_certificate": true,
        "common_tls_context": {
            "tls_certificates": [{
                "certificate_chain": {"filename": certificates.server},
                "private_key": {"filename": certificates.server_key},
            }],
            "validation_context": {"trusted_ca": {"filename": certificates.authority}},
        },
    });
    let router = json!({"name": "router", "typed_config": {"@type": kind("filters.http.router.v3.Router")}});
    let answer =
        json!({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "secure"}}});
    let manager: Value = json!({
        "@type": kind("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "secure",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
    });
    let chain = json!({
        "filters": [{"name": "manager", "typed_config": manager}],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    });
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let listener = json!({"name": "secure", "address": address, "filter_chains": [chain]});
    EnvoyProcess::start(json!({"static_resources": {"listeners": [listener]}}), 1)
}

#[test]
fn an_endpoint_with_tls_is_called_with_our_certificate_and_only_if_its_own_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let other = tempfile::tempdir().unwrap();
    let strangers = Certificates::make(other.path());
    let port = ports::free();
    let server = secure_server(port, &certificates);
    let pem = |text: &str| serde_json::to_string(text).unwrap();
    let authority = |of: &Certificates| pem(&std::fs::read_to_string(&of.authority).unwrap());
    let endpoint = |name: &str, authority: &str| {
        format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{name: {name}}}\nspec:\n  \
             baseUrl: https://127.0.0.1:{port}\n  clientTLS:\n    rootCA: {{value: {authority}}}\n    \
             certificate: {{value: {}}}\n    privateKey: {{value: {}}}\n",
            pem(&certificates.client.0),
            pem(&certificates.client.1),
        )
    };
    let file = folder.path().join("far.yaml");
    let text = endpoint("sound", &authority(&certificates)) + &endpoint("strange", &authority(&strangers));
    std::fs::write(&file, text).unwrap();
    let weft = run(&file);
    let address = http(&weft);
    assert_eq!(get(&address, "/v1.0/invoke/sound/method/x").send().expect(200).text(), "secure");
    let refused = get(&address, "/v1.0/invoke/strange/method/x").send();
    let body = dapr::error(&refused, 500, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().is_some_and(|it| it.contains(&format!("host 127.0.0.1:{port}"))), "{body}");
    drop(server);
}
