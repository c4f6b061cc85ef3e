//! From a component's text to its cluster and what is left.

use super::*;
use crate::resources::Resources;
use std::collections::BTreeMap;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

/// Servers, and what stays with the component.
type Parts = (Option<Backend>, BTreeMap<String, String>);

fn split_of(metadata: &[(&str, &str)], authorities: Option<&str>) -> Result<Parts, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.yaml");
    let items: String =
        metadata.iter().map(|(name, value)| format!("  - {{name: {name}, value: {value:?}}}\n")).collect();
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: store}}\nspec:\n  type: state.etcd\n  version: v2\n  metadata:\n{items}"
    );
    std::fs::write(&file, text).unwrap();
    let problems = Problems::default();
    let resources = Resources::read(&[file], &problems);
    let split = split(&resources.components[0], authorities.map(Path::new), &problems);
    let text = |found: Vec<crate::problem::Problem>| {
        found.into_iter().map(|problem| problem.to_string()).collect::<Vec<_>>().join("\n")
    };
    problems.check((split.backend, split.rest)).map_err(text)
}

fn backend(metadata: &[(&str, &str)]) -> Backend {
    split_of(metadata, Some("ca.pem")).unwrap().0.unwrap()
}

#[test]
fn endpoints_become_a_cluster_of_http_2_and_the_rest_stays() {
    let metadata = [("Endpoints", "a.example:2380, http://10.0.0.1 ,[::1]:7,a.example:2380"), ("keyPrefixPath", "p")];
    let (one, rest) = split_of(&metadata, None).unwrap();
    let one = one.unwrap();
    assert_eq!((one.http2, &one.tls), (true, &None));
    let servers = [("a.example", 2380), ("10.0.0.1", 2379), ("::1", 7)];
    assert_eq!(one.servers, Servers::At(servers.map(|(host, port)| (host.to_owned(), port)).to_vec()));
    assert_eq!(rest.into_iter().collect::<Vec<_>>(), [("keyPrefixPath".to_owned(), "p".to_owned())]);
}

#[test]
fn tls_has_the_authorities_and_the_identity_that_are_given() {
    let usual = backend(&[("endpoints", "h"), ("tlsEnable", "true")]).tls.unwrap();
    assert_eq!((usual.authorities, usual.alpn), (Some(Authorities::File("ca.pem".into())), Some("h2")));
    assert!(usual.identity.is_none() && !usual.any_name);
    let all =
        [("endpoints", "https://h"), ("tlsEnable", "1"), ("ca", CERTIFICATE), ("cert", CERTIFICATE), ("key", KEY)];
    let own = backend(&all).tls.unwrap();
    assert_eq!(own.authorities, Some(Authorities::Text(CERTIFICATE.to_owned())));
    assert_eq!(own.identity, Some((CERTIFICATE.to_owned(), KEY.to_owned())));
    let off = [("endpoints", "h"), ("tlsEnable", "false"), ("ca", ""), ("cert", ""), ("key", "")];
    assert!(backend(&off).tls.is_none());
}

#[test]
fn what_cannot_be_used_is_named_and_no_secret_is_told() {
    for (metadata, words) in [
        (&[("keyPrefixPath", "p")][..], "metadata endpoints is missing"),
        (&[("endpoints", ",")], "metadata endpoints names no server"),
        (&[("endpoints", "a:b")], "\"a:b\", which is not <host>:<port>"),
        (&[("endpoints", "a:0")], "\"a:0\", which is not <host>:<port>"),
        (&[("endpoints", "unix:///run/etcd")], "neither http nor https"),
        (&[("endpoints", "https://a")], "does not go with tlsEnable"),
        (&[("endpoints", "http://a"), ("tlsEnable", "true")], "does not go with tlsEnable"),
        (&[("endpoints", "a"), ("tlsEnable", "maybe")], "tlsEnable is not true or false"),
        (&[("endpoints", "a"), ("ca", "hunter2")], "ca has no meaning without tlsEnable"),
        (&[("endpoints", "a"), ("tlsEnable", "true"), ("ca", "hunter2")], "ca is not a certificate in PEM"),
        (&[("endpoints", "a"), ("tlsEnable", "true"), ("cert", CERTIFICATE)], "cert needs both cert and key"),
        (&[("endpoints", "a"), ("tlsEnable", "true"), ("key", "hunter2")], "key is not a private key in PEM"),
    ] {
        let found = split_of(metadata, Some("ca.pem")).expect_err(words);
        assert!(found.contains(words) && !found.contains("hunter2"), "{found}");
    }
    let found = split_of(&[("endpoints", "a"), ("tlsEnable", "true")], None).unwrap_err();
    assert!(found.contains("give ca, or set SSL_CERT_FILE"), "{found}");
}
