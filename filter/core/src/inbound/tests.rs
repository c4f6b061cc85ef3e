use super::*;
use crate::fake::FakeHost;
use serde_json::{Value, json};

fn callee(members: &Value) -> Rc<Callee> {
    let mut config = json!({"version": 1, "appId": "me", "app": {"cluster": "c", "authority": "here:1"},
        "tracing": {"samplingRate": "0"}});
    config.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Callee::read(config.to_string().as_bytes(), FakeHost::new(), Vm::default()).unwrap()
}

/// A callee that lets the application `shop` read below `/stock`, and nobody do anything else.
fn guarded() -> Rc<Callee> {
    callee(&json!({"accessControl": {"defaultAction": "deny", "probes": ["/ready"], "policies": [{
        "appId": "shop", "namespace": "default", "trustDomain": "public",
        "operations": [{"name": "/stock/**", "httpVerb": ["GET"], "action": "allow"}],
    }]}}))
}

fn request(verb: &str, path: &str) -> Headers {
    Headers::new().with(":method", verb).with(":path", path).with(":authority", "me")
}

fn from_shop() -> Option<Vec<u8>> {
    Some(b"spiffe://public/ns/default/shop".to_vec())
}

fn forwarded(step: RequestStep) -> Edits {
    match step {
        RequestStep::Forward(edits) => edits,
        other => panic!("not forwarded: {other:?}"),
    }
}

/// Status and message of a refusal.
fn refused(step: RequestStep) -> (u16, String) {
    let RequestStep::Refuse(reply) = step else { panic!("not refused: {step:?}") };
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["errorCode"], "ERR_DIRECT_INVOKE");
    (reply.status, body["message"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_allowed_goes_on_and_names_its_caller() {
    let headers =
        request("GET", "/stock/1").with("dapr-caller-app-id", "forged").with("dapr-caller-namespace", "default");
    let edits = forwarded(guarded().request(&headers, from_shop));
    assert_eq!(edits.remove, [""; 0]);
    assert_eq!(edits.set, [(":authority", b"here:1".to_vec()), ("dapr-caller-app-id", b"shop".to_vec())]);
    assert_eq!(edits.add, [("dapr-callee-app-id", b"me".to_vec())]);
}

#[test]
fn the_application_gets_its_own_token_in_place_of_any_other() {
    let token = |edits: &Edits| edits.set.iter().find(|it| it.0 == TOKEN_HEADER).map(|it| it.1.clone());
    let with_token = {
        let host = FakeHost::new();
        host.environment.borrow_mut().insert("MINE".to_owned(), "s3cret".to_owned());
        let text = br#"{"version":1,"appId":"me","app":{"cluster":"c","authority":"a","apiToken":{"env":"MINE"}}}"#;
        Callee::read(text, host, Vm::default()).unwrap()
    };
    for headers in [request("GET", "/"), request("GET", "/").with(TOKEN_HEADER, "s3cret")] {
        let edits = forwarded(with_token.request(&headers, || None));
        assert_eq!((token(&edits), edits.remove), (Some(b"s3cret".to_vec()), vec![]));
    }
    let edits = forwarded(callee(&json!({})).request(&request("GET", "/").with(TOKEN_HEADER, "theirs"), || None));
    assert_eq!((token(&edits), edits.remove), (None, vec![TOKEN_HEADER]));
}

#[test]
fn what_is_denied_is_refused_in_daprs_words() {
    let why = "failed to invoke, id: me, err: rpc error: code = PermissionDenied desc = access control policy has denied \
               access to id: spiffe://public/ns/default/shop operation: /stock/1 verb: POST";
    assert_eq!(refused(guarded().request(&request("POST", "/stock//1"), from_shop)), (403, why.to_owned()));
    let (status, why) = refused(guarded().request(&request("GET", "/stock/1"), || None));
    assert!(status == 403 && why.contains("access to id:  operation: /stock/1 verb: GET"), "{why}");
    let grpc = request("POST", "/pkg.Service/Method").with("content-type", "application/grpc");
    let RequestStep::Deny(why) = guarded().request(&grpc, from_shop) else { panic!("not denied") };
    assert!(why.starts_with("access control policy has denied access to id: spiffe://"), "{why}");
}

#[test]
fn the_path_that_was_judged_is_sent_with_its_query() {
    let edits = forwarded(guarded().request(&request("GET", "/x/..%2Fstock//1?a=%2F..#"), from_shop));
    assert_eq!(edits.set, [(":path", b"/stock/1?a=%2F..#".to_vec())]);
    assert_eq!(refused(guarded().request(&request("GET", "/stock/..%2Fadmin"), from_shop)).0, 403);
    assert_eq!(refused(guarded().request(&request("GET", "/stock/%00"), from_shop)).0, 500);
    let bytes = Headers::new().with(":method", "GET").with(":path", b"/stock/\xff".to_vec());
    assert_eq!(refused(guarded().request(&bytes, from_shop)).0, 500);
    assert_eq!(refused(guarded().request(&Headers::new().with(":method", "CONNECT"), from_shop)).0, 500);
}

#[test]
fn a_probe_is_not_judged_and_nothing_but_a_probe_passes_for_one() {
    let nobody = || None;
    forwarded(guarded().request(&request("GET", "/ready?x"), nobody));
    forwarded(guarded().request(&request("HEAD", "/ready"), nobody));
    for (verb, path) in [("POST", "/ready"), ("GET", "/ready/x"), ("GET", "//ready"), ("GET", "/READY")] {
        assert_eq!(refused(guarded().request(&request(verb, path), nobody)).0, 403, "{verb} {path}");
    }
}

#[test]
fn an_unknown_caller_is_not_named_by_a_header() {
    let headers = request("GET", "/").with("dapr-caller-app-id", "boss").with("dapr-caller-namespace", "castle");
    let edits = forwarded(callee(&json!({"callers": {}})).request(&headers, || None));
    assert_eq!(edits.remove, ["dapr-caller-app-id", "dapr-caller-namespace"]);
    // Where nobody is told apart, the caller's proxy is believed.
    let edits = forwarded(callee(&json!({})).request(&headers, || panic!("nobody asks")));
    assert_eq!(edits.remove, [""; 0]);
}
