use super::*;
use crate::api::path::method_path;
use crate::config::{Callers, PluginConfig};
use crate::http::Headers;
use pattern::{fits, normal};
use serde_json::{Value, json};

/// The configuration with these members.
fn config(members: &Value) -> PluginConfig {
    let mut config = json!({"version": 1, "appId": "me"});
    config.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    PluginConfig::read(config.to_string().as_bytes()).unwrap()
}

fn rules(access: &Value) -> AccessControl {
    config(&json!({"accessControl": access})).access_control.unwrap()
}

fn callers(json: &Value) -> Callers {
    config(&json!({"callers": json})).callers.unwrap()
}

const SHOP: Caller<'static> = Caller { trust_domain: Some("public"), namespace: "default", app_id: "shop" };

fn allows(rules: &AccessControl, verb: &str, path: &str) -> bool {
    rules.judge(Some(&SHOP), verb, path) == Action::Allow
}

/// Rules with these operations for [`SHOP`].
fn operations(default: &str, list: &Value) -> AccessControl {
    rules(&json!({"policies": [{
        "appId": "shop", "namespace": "default", "trustDomain": "public", "defaultAction": default, "operations": list,
    }]}))
}

#[test]
fn the_default_of_all_holds_for_whom_no_policy_is() {
    let policy = json!([{"appId": "shop", "namespace": "default", "trustDomain": "public", "defaultAction": "allow"}]);
    for (access, stranger) in [
        (json!({}), Action::Allow),
        (json!({"defaultAction": "deny"}), Action::Deny),
        (json!({"policies": policy}), Action::Deny),
        (json!({"defaultAction": "allow", "policies": policy}), Action::Allow),
    ] {
        let rules = rules(&access);
        for caller in [
            None,
            Some(Caller { app_id: "other", ..SHOP }),
            Some(Caller { namespace: "other", ..SHOP }),
            Some(Caller { trust_domain: Some("other"), ..SHOP }),
        ] {
            assert_eq!(rules.judge(caller.as_ref(), "GET", "/x"), stranger, "{access} {caller:?}");
        }
    }
}

#[test]
fn a_policy_holds_for_its_caller_and_its_trust_domain() {
    let access = rules(&json!({"defaultAction": "deny", "policies": [
        {"appId": "shop", "namespace": "default", "trustDomain": "public", "defaultAction": "allow"},
        {"appId": "shop", "namespace": "other", "trustDomain": "public"},
    ]}));
    assert_eq!(access.judge(Some(&SHOP), "GET", "/x"), Action::Allow);
    assert_eq!(access.judge(Some(&Caller { trust_domain: None, ..SHOP }), "GET", "/x"), Action::Allow);
    assert_eq!(access.judge(Some(&Caller { namespace: "other", ..SHOP }), "GET", "/x"), Action::Deny);
}

#[test]
fn a_verb_by_name_goes_before_the_star_and_the_running_default_holds_for_the_rest() {
    let rules = operations(
        "deny",
        &json!([
            {"name": "/a", "httpVerb": ["*"], "action": "allow"},
            {"name": "/a", "httpVerb": ["delete", "PUT"], "action": "deny"},
            {"name": "b", "httpVerb": ["GET"], "action": "allow"},
            {"name": "/c", "action": "allow"},
        ]),
    );
    for (verb, path, is_allowed) in [
        ("GET", "/a", true),
        ("DELETE", "/a", false),
        ("PUT", "/A", false),
        ("GET", "/b", true),
        ("POST", "/b", false),
        ("PATCH", "/c", true),
        ("GET", "/d", false),
    ] {
        assert_eq!(allows(&rules, verb, path), is_allowed, "{verb} {path}");
    }
}

#[test]
fn the_most_specific_pattern_decides_whatever_the_order() {
    let mut list = vec![
        json!({"name": "/**", "action": "allow"}),
        json!({"name": "/admin/**", "action": "deny"}),
        json!({"name": "/admin/*", "action": "allow"}),
        json!({"name": "/admin/keys", "action": "deny"}),
    ];
    for _ in 0..list.len() {
        list.rotate_left(1);
        let rules = operations("deny", &Value::Array(list.clone()));
        for (path, is_allowed) in [
            ("/", true),
            ("/x/y", true),
            ("/admin", true),
            ("/admin/x", true),
            ("/admin/x/y", false),
            ("/admin/keys", false),
        ] {
            assert_eq!(allows(&rules, "GET", path), is_allowed, "{path} {list:?}");
        }
    }
}

#[test]
fn a_pattern_fits_the_paths_that_it_describes_and_no_others() {
    for (pattern, fitting, others) in [
        ("/a", &["/a", "/A"][..], &["/", "/ab", "/a/b", "/b"][..]),
        ("a//b/", &["/a/b"], &["/a", "/a/b/c"]),
        ("/op*", &["/op", "/op1", "/OPx"], &["/o", "/op/1", "/xop"]),
        ("/*", &["/", "/a"], &["/a/b"]),
        ("/**", &["/", "/a", "/a/b/c"], &[]),
        ("/a/*/c", &["/a/b/c", "/a/bbb/c"], &["/a/c", "/a/b/b/c", "/a/b/d"]),
        ("/a/**/d", &["/a/b/d", "/a/b/c/d"], &["/a/d", "/a/b/c"]),
        ("/**/x*y/z", &["/a/xy/z", "/a/b/xqqy/z", "/xy/xy/z"], &["/a/x/y/z", "/xy/z/q"]),
        ("/a b/é", &["/a%20b/%C3%A9", "/A%20B/%c3%a9"], &["/a b/é"]),
        ("/a%20b%2fc", &["/a%20b/c"], &["/a%20b%2fc"]),
        ("/100%25", &["/100%25"], &["/100%"]),
        ("/a?b", &[], &["/a", "/a?b/"]),
        ("***", &["/", "/a/b"], &[]),
    ] {
        let it = normal(pattern);
        fitting.iter().for_each(|path| assert!(fits(&it, path), "{pattern} {path}"));
        others.iter().for_each(|path| assert!(!fits(&it, path), "{pattern} {path}"));
    }
}

#[test]
fn a_pattern_full_of_stars_is_judged_soon() {
    assert!(!fits(&normal(&"/*a*".repeat(40)), &"/aaaaaaaaaaaaaaaa".repeat(400)));
    assert!(!fits(&normal(&format!("/{}b", "**a*".repeat(40))), &format!("/{}", "a/".repeat(4000))));
}

#[test]
fn the_forms_of_identities_lead_to_namespace_and_application() {
    let own = callers(&json!({}));
    let mapped = callers(&json!({"serviceAccounts": {"shop/runner": "orders"}}));
    let nothing = Headers::new();
    for (identity, by_name, by_map) in [
        ("spiffe://td/ns/shop/orders", Some(("td", "shop", "orders")), Some(("td", "shop", "orders"))),
        ("spiffe://td/ns/shop/sa/runner", Some(("td", "shop", "runner")), Some(("td", "shop", "orders"))),
        ("spiffe://td/ns/other/sa/runner", Some(("td", "other", "runner")), None),
        ("spiffe://td/ns/shop/sa/", None, None),
        ("spiffe://td/ns/shop//x", None, None),
        ("spiffe://td/ns/shop/sa", Some(("td", "shop", "sa")), Some(("td", "shop", "sa"))),
        (
            "runner.shop.serviceaccount.identity.linkerd.cluster.local",
            Some(("cluster.local", "shop", "runner")),
            Some(("cluster.local", "shop", "orders")),
        ),
        (
            "runner.shop.serviceaccount.identity.linkerd.td.evil.serviceaccount.identity.linkerd.td",
            Some(("td", "evil", "runner.shop.serviceaccount.identity.linkerd.td")),
            None,
        ),
        ("spiffe://td/ns/shop/sa/runner/x", None, None),
        ("spiffe://td/ns/shop/x/runner", None, None),
        ("spiffe://td/namespace/shop/orders", None, None),
        ("spiffe:///ns/shop/orders", None, None),
        ("spiffe://td/ns//orders", None, None),
        ("spiffe://td/ns/shop/", None, None),
        ("https://td/ns/shop/orders", None, None),
        (".shop.serviceaccount.identity.linkerd.td", None, None),
        ("runner", None, None),
    ] {
        for (callers, wanted) in [(&own, by_name), (&mapped, by_map)] {
            let found = callers.caller(&nothing, Some(identity));
            let found = found.map(|it| (it.trust_domain.unwrap(), it.namespace, it.app_id));
            assert_eq!(found, wanted, "{identity}");
        }
    }
}

#[test]
fn only_the_configured_source_of_an_identity_counts() {
    let headers = Headers::new()
        .with("x-forwarded-client-cert", "URI=spiffe://td/ns/n/forwarded")
        .with("l5d-client-id", "linkerd.n.serviceaccount.identity.l.td")
        .with("dapr-caller-app-id", "told")
        .with("dapr-caller-namespace", "n");
    let certificate = || Some(b"spiffe://td/ns/n/certified".to_vec());
    for (source, app) in [
        ("certificate", "certified"),
        ("forwardedCertificate", "forwarded"),
        ("linkerd", "linkerd"),
        ("sameProxy", "told"),
    ] {
        let callers = callers(&json!({"identity": source}));
        let identity = callers.identity(&headers, certificate);
        assert_eq!(callers.caller(&headers, identity.as_deref()).unwrap().app_id, app, "{source}");
        let identity = callers.identity(&Headers::new(), || None);
        assert_eq!(callers.caller(&Headers::new(), identity.as_deref()), None, "{source}");
    }
}

#[test]
fn of_forwarded_certificates_the_last_one_counts_and_quotes_hide_nothing() {
    let callers = callers(&json!({"identity": "forwardedCertificate"}));
    for (value, identity) in [
        ("By=spiffe://td/b;Hash=1;URI=spiffe://td/a", Some("spiffe://td/a")),
        ("URI=spiffe://td/forged,By=x;uri=spiffe://td/a;DNS=y", Some("spiffe://td/a")),
        ("URI=spiffe://td/forged, Hash=1;URI=\"spiffe://td/a\"", Some("spiffe://td/a")),
        (
            "Subject=\"CN=a,URI=spiffe://td/forged;O=\\\",URI=spiffe://td/forged\";URI=spiffe://td/a",
            Some("spiffe://td/a"),
        ),
        ("Subject=\"/CN=,URI=spiffe://td/forged\"", None),
        ("URI=spiffe://td/forged,Hash=1", None),
        ("URI=spiffe://td/forged,", None),
        ("URI=spiffe://td/a\"", None),
        ("URI=\"spiffe://td/a", None),
        ("URI=", None),
        ("", None),
    ] {
        let headers =
            Headers::new().with("x-forwarded-client-cert", "URI=first").with("x-forwarded-client-cert", value);
        assert_eq!(callers.identity(&headers, || None).as_deref(), identity, "{value}");
    }
}

#[test]
fn two_values_of_linkerds_header_count_as_none() {
    let callers = callers(&json!({"identity": "linkerd"}));
    let headers = Headers::new().with("l5d-client-id", "a").with("l5d-client-id", "b");
    assert_eq!(callers.identity(&headers, || None), None);
}

/// However a path is written, it is judged as what it is sent as: the rule for `/admin` holds exactly where an application
/// that decodes what it gets finds itself below `/admin`.
#[test]
fn no_way_of_writing_a_path_gets_past_a_rule() {
    let rules =
        operations("allow", &json!([{"name": "/admin", "action": "deny"}, {"name": "/admin/**", "action": "deny"}]));
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    const PARTS: &[&str] = &[
        "/",
        "/",
        "//",
        "%2f",
        "%2F",
        "%5c",
        "\\",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%252e",
        "%252f",
        "admin",
        "ADMIN",
        "%61dmin",
        "adm%69n",
        "%2561dmin",
        "public",
        ";",
        "%00",
        "%",
        "%zz",
        "%c0%af",
        "*",
        " ",
        "?x",
    ];
    let (mut sent, mut denied) = (0, 0);
    for _ in 0..200_000 {
        let written: String = (0..=random(9)).map(|_| PARTS[random(PARTS.len())]).collect();
        let (written, _) = crate::api::path::split_query(&written);
        let Ok(path) = method_path(written) else { continue };
        // What comes out is in the normal form itself, so a second proxy judges and sends the same.
        assert_eq!(method_path(&path).as_deref(), Ok(path.as_str()), "{written}");
        let seen = crate::api::path::decode(&path, false).to_ascii_lowercase();
        let is_admin = seen == b"/admin" || seen.starts_with(b"/admin/");
        assert_eq!(!allows(&rules, "GET", &path), is_admin, "{written} is sent as {path}");
        sent += 1;
        denied += u32::from(is_admin);
    }
    assert!(sent > 100_000 && denied > 1_000, "{sent} {denied}");
}
