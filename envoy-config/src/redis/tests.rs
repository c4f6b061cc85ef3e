use super::*;
use crate::problem::Problem;
use crate::resources::Resources;
use crate::resources::read_text;

fn split_of(metadata: &str) -> (Split, Vec<String>, Vec<String>) {
    let items = metadata.lines().map(|line| format!("  - {{{line}}}\n")).collect::<String>();
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: s}}\nspec:\n  type: state.redis\n  metadata:\n{items}"
    );
    let problems = Problems::default();
    let resources: Resources = read_text(&text, &problems);
    let split = split(&resources.components[0], Some(Path::new("ca.pem")), &problems);
    let text = |list: Vec<Problem>| list.iter().map(Problem::to_string).collect();
    (split, text(problems.check(()).err().unwrap_or_default()), text(problems.remarks()))
}

fn backend(metadata: &str) -> Backend {
    let (split, found, _) = split_of(metadata);
    assert_eq!(found, [""; 0]);
    split.backend.unwrap()
}

fn faults(metadata: &str) -> Vec<String> {
    split_of(metadata).1
}

#[test]
fn the_server_is_told_apart_from_the_other_settings() {
    let (split, found, _) =
        split_of("name: redisHost, value: 'r:1'\nname: REDISPASSWORD, value: x\nname: dialTimeout, value: 250");
    assert_eq!(found, [""; 0]);
    let backend = split.backend.unwrap();
    assert_eq!((backend.servers, backend.tls), (Servers::at("r", 1), None));
    assert_eq!(backend.connect_timeout, Duration::from_millis(250));
    assert_eq!(split.rest.into_iter().collect::<Vec<_>>(), [("REDISPASSWORD".to_owned(), "x".to_owned())]);
}

#[test]
fn a_host_may_come_with_and_without_port() {
    let of = |metadata: &str| backend(metadata).servers;
    assert_eq!(of("name: redisHost, value: redis"), Servers::at("redis", 6379));
    assert_eq!(of("name: redisHost, value: redis\nname: redisPort, value: 7"), Servers::at("redis", 7));
    assert_eq!(of("name: redisHost, value: '10.0.0.1:8'\nname: redisPort, value: 8"), Servers::at("10.0.0.1", 8));
    assert_eq!(of("name: redisHost, value: '[::1]:9'"), Servers::at("::1", 9));
    assert_eq!(of("name: redisHost, value: '::1'"), Servers::at("::1", 6379));
    assert_eq!(of("name: redisHost, value: '[::1]'"), Servers::at("::1", 6379));
}

#[test]
fn a_server_that_is_not_well_described_is_a_problem() {
    assert_eq!(faults("name: redisDB, value: 1"), ["r.yaml:5: Component \"s\": metadata redisHost is missing"]);
    let one = |metadata: &str, wanted: &str| {
        assert_eq!(faults(metadata), [format!("r.yaml:7: Component \"s\": metadata {wanted}")])
    };
    let port = "whose port is none; write <host>:<port> with a number from 1 to 65535";
    one("name: redisHost, value: 'r:x'", &format!("redisHost is \"r:x\", {port}"));
    one("name: redisHost, value: 'r:0'", &format!("redisHost is \"r:0\", {port}"));
    one("name: redisHost, value: 'r 1:6379'", "redisHost is \"r 1:6379\", which is not <host>:<port>");
    one("name: redisHost, value: 'r/0'", "redisHost is \"r/0\", which is not <host>:<port>");
    one("name: redisHost, value: '[::1'", "redisHost is \"[::1\", which is not <host>:<port>");
    one(
        "name: redisHost, value: 'redis://r:6379'",
        "redisHost is \"redis://r:6379\", a URL; write <host>:<port>, and enableTLS where TLS is wanted",
    );
    one(
        "name: redisHost, value: 'redis://me:hunter2@r:6379'",
        "redisHost holds an @: a user and a password stand in redisUsername and redisPassword",
    );
    one(
        "name: redisPort, value: 0\nname: redisHost, value: r",
        "redisPort is not the number of a port, from 1 to 65535",
    );
    one("name: redisHost, value: ':1'", "redisHost is \":1\", which is not <host>:<port>");
    one(
        "name: redisHost, value: 'a:1,b:1'",
        "redisHost names several servers; set redisType to cluster, or failover to true, or keep one",
    );
    one(
        "name: redisHost, value: 'r:1'\nname: redisPort, value: 2",
        "redisHost has port 1, but redisPort is 2; keep one",
    );
    one(
        "name: dialTimeout, value: soon\nname: redisHost, value: r",
        "dialTimeout is not a duration, such as \"5s\" or a number of milliseconds",
    );
}

#[test]
fn tls_is_on_only_where_it_is_asked_for() {
    let on = backend("name: redisHost, value: r\nname: enableTLS, value: true");
    assert_eq!(on.tls.unwrap().authorities, Some(Authorities::File("ca.pem".into())));
    let lax =
        backend("name: redisHost, value: r\nname: enableTLS, value: yes\nname: insecureSkipTLSVerify, value: true");
    assert!(lax.tls.unwrap().authorities.is_none());
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    let known = backend(&format!(
        "name: redisHost, value: r\nname: enableTLS, value: 1\n\
         name: clientCert, value: {certificate:?}\nname: clientKey, value: {key:?}",
    ));
    assert_eq!(known.tls.unwrap().identity, Some((certificate.clone(), key)));
    assert_eq!(backend("name: redisHost, value: r\nname: enableTLS, value: false").tls, None);
    assert_eq!(
        faults(&format!("name: clientCert, value: {certificate:?}\nname: redisHost, value: r")),
        [
            "r.yaml:7: Component \"s\": metadata clientCert has no meaning without enableTLS",
            "r.yaml:7: Component \"s\": metadata clientCert needs both clientCert and clientKey",
        ]
    );
    assert_eq!(faults("name: enableTLS, value: maybe\nname: redisHost, value: r").len(), 1);
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
}

#[test]
fn what_is_no_certificate_and_no_key_is_told_and_never_shown() {
    let tls = "name: redisHost, value: r\nname: enableTLS, value: true\n";
    let found = faults(&format!("{tls}name: clientCert, value: /certs/one.pem\nname: clientKey, value: hunter2"));
    let text =
        |what: &str, label: &str| format!("is not {what} in PEM; give the text itself, from -----BEGIN {label}-----");
    assert_eq!(
        found,
        [
            format!("r.yaml:9: Component \"s\": metadata clientCert {}", text("a certificate", "CERTIFICATE")),
            format!("r.yaml:10: Component \"s\": metadata clientKey {}", text("a private key", "PRIVATE KEY")),
        ]
    );
}

#[test]
fn what_is_not_supported_is_refused_and_what_has_no_effect_is_remarked() {
    let fine = "name: redisHost, value: r\nname: redisType, value: node\nname: failover, value: 'false'";
    assert_eq!(faults(fine), [""; 0]);
    let (_, found, remarks) =
        split_of("name: useEntraID, value: 'true'\nname: redisHost, value: r\nname: poolSize, value: 20");
    assert_eq!(
        found,
        ["r.yaml:7: Component \"s\": metadata useEntraID is not supported: this release logs in by password"]
    );
    let why = "has no effect: a worker has one connection, with all commands on it";
    assert_eq!(remarks, [format!("r.yaml:9: Component \"s\": metadata poolSize {why}")]);
}

#[test]
fn several_servers_are_the_filters_to_find_and_the_proxy_leads_where_it_says() {
    let of = |metadata: &str| {
        let (split, found, _) = split_of(metadata);
        assert_eq!(found, [""; 0]);
        assert_eq!(split.backend.unwrap().servers, Servers::AsAsked);
        split.rest.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let cluster =
        "name: redisType, value: Cluster\nname: redisHost, value: 'a:1, b,[::1]:2'\nname: redisPassword, value: x";
    assert_eq!(of(cluster), ["redisHost=a:1,b:6379,[::1]:2", "redisPassword=x", "redisType=cluster"]);
    let sentinel = "name: failover, value: 'yes'\nname: sentinelMasterName, value: m\nname: redisHost, value: s\nname: redisType, value: node";
    assert_eq!(of(sentinel), ["failover=true", "redisHost=s:26379", "sentinelMasterName=m"]);
    assert_eq!(
        of("name: redisType, value: cluster\nname: redisHost, value: 'a,b'\nname: redisPort, value: 7")[0],
        "redisHost=a:7,b:7"
    );
}
