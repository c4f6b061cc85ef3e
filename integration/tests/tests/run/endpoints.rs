//! Servers outside of the mesh that are called by the name of an `HTTPEndpoint`.

use crate::{STAYS, http};
use serde_json::json;
use std::path::Path;
use weft_tests::app::{Reply, Secure, TestApp};
use weft_tests::certificates::{Authority, self_signed};
use weft_tests::client::get;
use weft_tests::dapr;
use weft_tests::weft::{self, Weft};

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

#[test]
fn an_endpoint_with_tls_is_called_with_our_certificate_and_only_if_its_own_is_sound() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, strangers) = (Authority::new(folder.path()), Authority::new(other.path()));
    let far = TestApp::secure(Secure::demanding(&authority.server("localhost"), &["http/1.1"], &authority));
    far.on("/v3/x", Reply::bytes(200, "secure"));
    let foreign = TestApp::secure(Secure::demanding(&strangers.server("localhost"), &["http/1.1"], &authority));
    let pem = |authority: &Authority| std::fs::read_to_string(&authority.certificate).unwrap();
    let ((certificate, key), (unknown, its_key)) = (authority.client(), self_signed());
    let secrets = json!({"tls": {"ca": pem(&authority), "certificate": certificate, "key": key},
        "unknown": {"certificate": unknown, "key": its_key}});
    std::fs::write(folder.path().join("secrets.json"), secrets.to_string()).unwrap();
    let endpoint = |name: &str, port: u16, host: &str, identity: &str| {
        let reference = |key: &str| format!("{{secretKeyRef: {{name: {identity}, key: {key}}}}}");
        let (certificate, key) = (reference("certificate"), reference("key"));
        let ours = if identity.is_empty() {
            String::new()
        } else {
            format!("certificate: {certificate}\n    privateKey: {key}")
        };
        format!(
            "---\napiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{name: {name}}}\nspec:\n  \
             baseUrl: https://{host}:{port}/v3\n  clientTLS:\n    \
             rootCA: {{secretKeyRef: {{name: tls, key: ca}}}}\n    {ours}\nauth: {{secretStore: vault}}\n"
        )
    };
    let resources = folder.path().join("resources");
    std::fs::create_dir(&resources).unwrap();
    let store = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: vault}}\nspec:\n  \
         type: secretstores.local.file\n  version: v1\n  metadata:\n  - {{name: secretsFile, value: {:?}}}\n  \
         - {{name: multiValued, value: \"true\"}}\n",
        folder.path().join("secrets.json")
    );
    let text = [
        store,
        endpoint("sound", far.port(), "localhost", "tls"),
        endpoint("bare", far.port(), "localhost", ""),
        endpoint("unknown", far.port(), "localhost", "unknown"),
        endpoint("misnamed", far.port(), "127.0.0.1", "tls"),
        endpoint("strange", foreign.port(), "localhost", "tls"),
    ];
    std::fs::write(resources.join("all.yaml"), text.concat()).unwrap();
    let weft = run(&resources);
    let address = http(&weft);
    assert_eq!(get(&address, "/v1.0/invoke/sound/method/x").send().expect(200).text(), "secure");
    assert_eq!(far.seen("/v3/x")[0].server_name.as_deref(), Some("localhost"));
    for (name, port, why) in [
        ("bare", far.port(), "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
        ("unknown", far.port(), "TLS"),
        ("misnamed", far.port(), "CERTIFICATE_VERIFY_FAILED"),
        ("strange", foreign.port(), "CERTIFICATE_VERIFY_FAILED"),
    ] {
        let refused = get(&address, &format!("/v1.0/invoke/{name}/method/x")).send();
        let body = dapr::error(&refused, 500, "ERR_DIRECT_INVOKE");
        let message = body["message"].as_str().unwrap();
        let names =
            message.contains(&format!("id: {name}, err: ")) && message.contains(&format!("host 127.0.0.1:{port}"));
        assert!(names && message.contains(why), "{name}: {message}");
    }
    assert_eq!((far.all_seen().len(), foreign.all_seen().len()), (1, 0));
}

#[test]
fn a_host_is_called_by_its_https_url_if_the_authorities_of_the_environment_know_it() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, strangers) = (Authority::new(folder.path()), Authority::new(other.path()));
    let far = TestApp::secure(Secure::new(&authority.server("localhost"), &["http/1.1"]));
    far.on("/x", Reply::bytes(200, "secure"));
    let call = |authorities: &Path| {
        let arguments =
            ["run", "--app-id", "orders", "--external-host", "localhost", "--external-address", "127.0.0.1"];
        let mut command = weft::command(arguments);
        command.args(["--", "sh", "-c", STAYS]).env("SSL_CERT_FILE", authorities);
        let weft = Weft::of(command);
        get(&http(&weft), &format!("/v1.0/invoke/https://localhost:{}/method/x", far.port())).send()
    };
    assert_eq!(call(&authority.certificate).expect(200).text(), "secure");
    let body = dapr::error(&call(&strangers.certificate), 500, "ERR_DIRECT_INVOKE");
    assert!(body["message"].as_str().unwrap().contains("CERTIFICATE_VERIFY_FAILED"), "{body}");
    assert_eq!(far.all_seen().len(), 1);
}
