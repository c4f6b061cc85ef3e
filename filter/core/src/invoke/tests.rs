use super::*;
use crate::config::{AppChannel, External, Secret, TOKEN_HEADER, Target};
use crate::telemetry::Trace;

fn config() -> PluginConfig {
    let text = br#"{"version":1,"appId":"orders","namespace":"shop",
        "app":{"cluster":"own","authority":"127.0.0.1:8080"},
        "invoke":{"apps":{"warehouse":{"cluster":"to_warehouse","authority":"warehouse"}}}}"#;
    PluginConfig::read(text).unwrap()
}

fn planned(config: &PluginConfig, headers: &Headers, path: &str) -> Result<Forward, Reply> {
    plan(config, headers, path, &Trace::off())
}

fn set<'a>(forward: &'a Forward, name: &str) -> Option<&'a [u8]> {
    let mut given = forward.edits.set.iter().chain(&forward.edits.add);
    given.find(|(key, _)| *key == name).map(|(_, value)| value.as_slice())
}

#[test]
fn the_path_form_names_the_target_and_keeps_the_query_byte_for_byte() {
    let forward = planned(&config(), &Headers::new(), "/v1.0/invoke/warehouse/method/a/b?x=%2f&&y=+").unwrap();
    assert_eq!(set(&forward, ":path"), Some(&b"/a/b?x=%2f&&y=+"[..]));
    assert_eq!(set(&forward, ":authority"), Some(&b"warehouse"[..]));
    assert_eq!(set(&forward, CLUSTER_HEADER), Some(&b"to_warehouse"[..]));
    assert_eq!(set(&forward, "dapr-caller-app-id"), Some(&b"orders"[..]));
    assert_eq!(set(&forward, "dapr-caller-namespace"), Some(&b"shop"[..]));
    assert_eq!(set(&forward, "dapr-callee-app-id"), Some(&b"warehouse"[..]));
}

#[test]
fn the_header_beats_the_path_and_is_removed() {
    let headers = Headers::new().with("dapr-app-id", "warehouse").with("dapr-caller-app-id", "forged");
    let forward = planned(&config(), &headers, "/v1.0/invoke/other/method/b").unwrap();
    assert_eq!(set(&forward, ":path"), Some(&b"/v1.0/invoke/other/method/b"[..]));
    assert!(forward.edits.remove.contains(&"dapr-app-id"));
    assert_eq!(set(&forward, "dapr-caller-app-id"), Some(&b"orders"[..]));
    assert_eq!(set(&forward, "dapr-caller-app-id"), Some(&b"orders"[..]));
}

#[test]
fn basic_credentials_name_the_target_whatever_the_case_of_the_user() {
    let headers = Headers::new().with("authorization", "Basic REFQUi1BUFAtSUQ6d2FyZWhvdXNl");
    assert_eq!(planned(&config(), &headers, "/x").unwrap().app, "warehouse");
}

#[test]
fn credentials_of_another_user_name_nothing() {
    let headers = Headers::new().with("authorization", "Basic dXNlcjpwYXNz");
    assert_eq!(planned(&config(), &headers, "/x").unwrap_err().status, 404);
}

#[test]
fn a_missing_id_is_daprs_404() {
    let reply = planned(&config(), &Headers::new(), "/v1.0/invoke/warehouse").unwrap_err();
    assert_eq!(reply.status, 404);
    let body = String::from_utf8(reply.body).unwrap();
    assert!(body.contains("ERR_DIRECT_INVOKE"), "{body}");
    assert!(body.contains("failed getting app id either from the URL path or the header dapr-app-id"), "{body}");
}

#[test]
fn an_unknown_application_and_an_impossible_id_are_daprs_500() {
    for id in ["nobody", "a.b.c", "a%3Ab", "a%20b"] {
        let reply = planned(&config(), &Headers::new(), &format!("/v1.0/invoke/{id}/method/x")).unwrap_err();
        assert_eq!(reply.status, 500, "{id}");
        assert!(String::from_utf8(reply.body).unwrap().contains("failed to invoke, id: "), "{id}");
    }
}

#[test]
fn a_call_of_oneself_goes_straight_to_the_application_without_caller_headers() {
    let forward = planned(&config(), &Headers::new(), "/v1.0/invoke/orders/method/x").unwrap();
    assert_eq!(set(&forward, CLUSTER_HEADER), Some(&b"own"[..]));
    assert_eq!(set(&forward, "dapr-caller-app-id"), None);
}

#[test]
fn a_call_of_oneself_brings_the_applications_token_and_no_other_call_does() {
    let mut config = config();
    config.app.as_mut().unwrap().token = Secret("s3cret".to_owned());
    config.invoke.external = Some(External { hosts: vec!["a.example".to_owned()], ..External::default() });
    let headers = Headers::new().with(TOKEN_HEADER, "theirs");
    let token = |app: &str| {
        let forward = planned(&config, &headers, &format!("/v1.0/invoke/{app}/method/x")).unwrap();
        set(&forward, TOKEN_HEADER).map(<[u8]>::to_vec)
    };
    assert_eq!(token("orders"), Some(b"s3cret".to_vec()));
    assert_eq!((token("warehouse"), token("http://a.example")), (None, None));
}

#[test]
fn a_template_serves_ids_of_any_namespace() {
    let mut config = config();
    let authority = "{app}.{namespace}.svc.cluster.local:8080".to_owned();
    config.invoke.template = Some(Target { cluster: None, authority });
    let forward = planned(&config, &Headers::new(), "/v1.0/invoke/billing.finance/method/x").unwrap();
    assert_eq!(set(&forward, ":authority"), Some(&b"billing.finance.svc.cluster.local:8080"[..]));
    assert_eq!(set(&forward, "dapr-callee-app-id"), Some(&b"billing"[..]));
    assert_eq!(set(&forward, CLUSTER_HEADER), None);
}

#[test]
fn a_client_cannot_choose_the_cluster() {
    let mut config = config();
    config.invoke.template = Some(Target { cluster: None, authority: "{app}".to_owned() });
    config.app = None::<AppChannel>;
    let headers = Headers::new().with("x-weft-cluster", "metadata_server");
    let forward = planned(&config, &headers, "/v1.0/invoke/anybody/method/x").unwrap();
    assert!(forward.edits.remove.contains(&"x-weft-cluster"));
}

#[test]
fn a_header_is_added_set_or_left_as_the_clients_own_demand() {
    let headers = Headers::new()
        .with(":authority", "warehouse")
        .with("dapr-caller-app-id", "somebody")
        .with("dapr-callee-app-id", "warehouse")
        .with("dapr-callee-app-id", "warehouse");
    let edits = planned(&config(), &headers, "/v1.0/invoke/warehouse/method/x").unwrap().edits;
    let names = |fields: &[(&'static str, Vec<u8>)]| fields.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    assert_eq!(names(&edits.set), [":path", "dapr-caller-app-id", "dapr-callee-app-id"]);
    assert_eq!(names(&edits.add), ["x-weft-cluster", "dapr-caller-namespace"]);
    assert!(edits.remove.is_empty());
}

#[test]
fn connection_headers_are_removed() {
    let headers = Headers::new().with("te", "trailers").with("proxy-authorization", "x").with("x-kept", "1");
    let forward = planned(&config(), &headers, "/v1.0/invoke/warehouse/method/x").unwrap();
    assert_eq!(forward.edits.remove, ["te", "proxy-authorization"]);
}

#[test]
fn an_answer_loses_what_its_connection_names_and_never_a_pseudo_header() {
    assert_eq!(nominated(b" X-Drop ,close,, Keep-Alive, :status,\xff, upgrade"), ["x-drop", "upgrade"]);
}
