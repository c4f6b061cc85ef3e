use super::*;
use crate::problem::{Problem, Problems};
use crate::resources::Resources;
use crate::resources::item::Source;
use crate::resources::tests::read;

fn endpoint(spec: &str) -> String {
    format!("apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{name: github}}\nspec:\n{spec}")
}

fn faults(spec: &str) -> Vec<String> {
    read(&endpoint(spec)).1
}

fn plain(item: &Item) -> (&str, &str) {
    match &item.value {
        Source::Plain(value) => (item.name.as_str(), value.as_str()),
        Source::Secret { .. } | Source::Environment(_) => panic!("not resolved"),
    }
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n";

#[test]
fn an_endpoint_is_read_with_its_headers_and_its_tls() {
    let key = PEM.replace("CERTIFICATE", "PRIVATE KEY");
    let text = endpoint(&format!(
        "  baseUrl: https://api.github.com/v3/
  headers:
  - {{name: Accept, value: text/html}}
  - {{name: Authorization, secretKeyRef: {{name: PASSWORD, key: PASSWORD}}}}
  - {{name: X-From, envRef: PASSWORD}}
  clientTLS:
    rootCA: {{value: \"{PEM}\"}}
    certificate: {{value: \"{PEM}\"}}
    privateKey: {{value: \"{key}\"}}
    renegotiation: RenegotiateFreelyAsClient
scopes: [a]
auth: {{secretStore: env}}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: env}}
spec: {{type: secretstores.local.env}}
"
    ));
    let (Resources { endpoints, .. }, found) = read(&text);
    assert_eq!(found, [""; 0]);
    let one = &endpoints[0];
    let url = &one.base_url;
    assert_eq!(
        (one.name.as_str(), url.host.as_str(), url.port, url.path.as_str()),
        ("github", "api.github.com", 443, "/v3")
    );
    let headers: Vec<_> = one.headers.iter().map(plain).collect();
    assert_eq!(headers, [("Accept", "text/html"), ("Authorization", "from-env"), ("X-From", "from-env")]);
    let tls = &one.client_tls;
    assert!(tls.root_ca.is_some() && tls.certificate.is_some() && tls.private_key.is_some() && tls.renegotiates);
    assert!(one.is_for("a", "default") && !one.is_for("b", "default"));
    assert!(!format!("{one:?}").contains("from-env"), "values may be secrets");
}

#[test]
fn everything_wrong_with_an_endpoint_is_told_at_once_and_no_value_is_shown() {
    let found = faults(
        "  baseUrl: http://api.github.com
  headers:
  - {name: a b, value: hunter2}
  - {name: Host, value: hunter2}
  - {name: X-Lines, value: \"hunter2\\r\\nx: y\"}
  - {name: X-Secret, secretKeyRef: {name: token}}
  clientTLS:
    rootCA: {value: hunter2.pem}
    privateKey: {value: hunter2}
    renegotiation: RenegotiateOnceAsClient
    extra: 1
  size: 1
",
    );
    let wanted = [
        "7: HTTPEndpoint \"github\": header a b is no name of a header: write letters, digits and -",
        "8: HTTPEndpoint \"github\": header Host is set by the proxy; remove it",
        "9: HTTPEndpoint \"github\": header X-Lines has a value with a line end or another control character",
        "10: HTTPEndpoint \"github\": header X-Secret: auth.secretStore has to name the secret store",
        "12: HTTPEndpoint \"github\": clientTLS.rootCA is not a certificate in PEM; give the text itself, from \
         -----BEGIN CERTIFICATE-----",
        "13: HTTPEndpoint \"github\": clientTLS.privateKey is not a private key in PEM; give the text itself, from \
         -----BEGIN PRIVATE KEY-----",
        "13: HTTPEndpoint \"github\": clientTLS.privateKey needs certificate beside it",
        "14: HTTPEndpoint \"github\": spec.clientTLS.renegotiation is \"RenegotiateOnceAsClient\"; write \
         RenegotiateNever or RenegotiateFreelyAsClient, which Envoy knows",
        "15: HTTPEndpoint \"github\": spec.clientTLS.extra is not known; there may be rootCA, certificate, privateKey, \
         renegotiation",
        "16: HTTPEndpoint \"github\": spec.size is not known; there may be baseUrl, headers, clientTLS",
    ];
    assert_eq!(found, wanted.map(|line| format!("r.yaml:{line}")));
}

#[test]
fn an_endpoint_needs_a_url_and_a_name() {
    assert_eq!(faults("  headers: []\n"), ["r.yaml:5: HTTPEndpoint \"github\": spec.baseUrl is missing"]);
    let wrong = "is \"github\", which is no URL such as https://api.example.com/v1";
    assert_eq!(faults("  baseUrl: github\n"), [format!("r.yaml:5: HTTPEndpoint \"github\": spec.baseUrl {wrong}")]);
    let unnamed = endpoint("  baseUrl: https://a\n").replace("{name: github}", "{}");
    assert_eq!(read(&unnamed).1, ["r.yaml:3: HTTPEndpoint: metadata.name is missing"]);
}

#[test]
fn tls_has_a_meaning_only_with_https() {
    let spec = format!("  baseUrl: http://a\n  clientTLS: {{rootCA: {{value: \"{PEM}\"}}}}\n");
    let why = "clientTLS.rootCA has no meaning where baseUrl begins with http://";
    assert_eq!(faults(&spec), [format!("r.yaml:6: HTTPEndpoint \"github\": {why}")]);
}

#[test]
fn of_headers_of_one_name_the_last_counts() {
    let problems = Problems::default();
    let spec = "  baseUrl: https://a\n  headers:\n  - {name: Accept, value: a}\n  - {name: accept, value: b}\n";
    let resources = crate::resources::read_text(&endpoint(spec), &problems);
    assert_eq!(resources.endpoints[0].headers.iter().map(plain).collect::<Vec<_>>(), [("accept", "b")]);
    let remarks: Vec<String> = problems.remarks().iter().map(Problem::to_string).collect();
    let why = "spec.headers Accept has no effect: it stands at r.yaml:8 again";
    assert_eq!(remarks, [format!("r.yaml:7: HTTPEndpoint \"github\": {why}")]);
}
