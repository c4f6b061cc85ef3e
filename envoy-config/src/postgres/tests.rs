//! From a component's text to its cluster and what is left.

use super::*;
use crate::resources::Resources;

/// A server, and what stays with the component.
type Parts = (Option<Backend>, BTreeMap<String, String>);

fn split_of(metadata: &str) -> Result<Parts, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.yaml");
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: store}}\nspec:\n  type: state.postgresql\n  version: v2\n  metadata:\n{metadata}"
    );
    std::fs::write(&file, text).unwrap();
    let problems = Problems::default();
    let resources = Resources::read(&[file], &problems);
    let split = split(&resources.components[0], Some("ca.pem".as_ref()), &problems);
    let text = |found: Vec<crate::problem::Problem>| found.into_iter().map(|problem| problem.to_string()).collect();
    problems.check((split.backend, split.rest)).map_err(text)
}

fn item(name: &str, value: &str) -> String {
    format!("  - {{name: {name}, value: {value:?}}}\n")
}

#[test]
fn a_connection_string_becomes_a_cluster_and_a_login() {
    let text = "host=db.example port=6432 user=u password='p w' dbname=orders connect_timeout=7";
    let (backend, rest) = split_of(&(item("connectionString", text) + &item("tablePrefix", "a_"))).unwrap();
    let backend = backend.unwrap();
    assert_eq!((backend.servers, backend.tls), (Servers::at("db.example", 6432), None));
    assert_eq!(backend.connect_timeout, Duration::from_secs(7));
    let expected = [("database", "orders"), ("password", "p w"), ("tablePrefix", "a_"), ("user", "u")];
    assert_eq!(rest.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
}

#[test]
fn tls_is_on_where_it_is_demanded() {
    let tls = |text: &str| {
        let (backend, _) =
            split_of(&item("connectionString", &format!("host=h user=u sslnegotiation=direct {text}"))).unwrap();
        backend.unwrap().tls.map(|tls| {
            assert_eq!(tls.alpn, Some("postgresql"));
            (
                tls.authorities.map(|it| {
                    if let Authorities::File(file) = it { file.display().to_string() } else { String::new() }
                }),
                tls.any_name,
            )
        })
    };
    assert_eq!((tls(""), tls("sslmode=prefer"), tls("sslmode=disable")), (None, None, None));
    assert_eq!(tls("sslmode=require"), Some((None, true)));
    assert_eq!(tls("sslmode=require sslrootcert=/a.pem"), Some((Some("/a.pem".to_owned()), true)));
    assert_eq!(tls("sslmode=verify-ca"), Some((Some("ca.pem".to_owned()), true)));
    assert_eq!(tls("sslmode=verify-full sslrootcert=/a.pem"), Some((Some("/a.pem".to_owned()), false)));
}

#[test]
fn fields_go_before_the_connection_string() {
    let fields = item("connectionString", "postgres://a:b@c:1/d")
        + &item("host", "h")
        + &item("hostaddr", "10.0.0.1")
        + &item("port", "2")
        + &item("user", "u")
        + &item("password", "p")
        + &item("database", "x");
    let (backend, rest) = split_of(&fields).unwrap();
    let backend = backend.unwrap();
    assert_eq!(backend.servers, Servers::at("10.0.0.1", 2));
    assert_eq!(rest.into_values().collect::<Vec<_>>(), ["x", "p", "u"]);
}

#[test]
fn what_cannot_be_is_refused_by_name_and_without_secrets() {
    let secret = "user=u password=hunter2 ";
    for (metadata, expected) in [
        (item("connectionString", &format!("{secret} port=1")), "names no host"),
        (item("connectionString", "host=h"), "names no user"),
        (item("connectionString", &format!("{secret} host=/var/run/postgresql")), "has to name one host"),
        (item("connectionString", &format!("{secret} host=a,b")), "has to name one host"),
        (item("connectionString", &format!("{secret} host=a port=x")), "the number of a port"),
        (item("connectionString", &format!("{secret} host=a sslmode=yes")), "has an sslmode that is not"),
        (
            item("connectionString", &format!("{secret} host=a sslmode=require")),
            "sslmode=require, for which Envoy needs",
        ),
        (item("connectionString", &format!("{secret} host=a options=-c")), "has \"options\", which is not supported"),
        (item("connectionString", &format!("{secret} host=a")) + &item("useAWSIAM", "true"), "useAWSIAM is not"),
        (item("connectionString", &format!("{secret} host=a")) + &item("sslRootCert", "/x"), "sslRootCert has no"),
    ] {
        let found = split_of(&metadata).unwrap_err().join("\n");
        assert!(found.contains(expected), "{metadata}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}
