use super::*;
use crate::config::PluginConfig;
use crate::state::State;

const ALL: [&str; 6] = [
    "GET /v1.0/state/x/k",
    "DELETE /v1.0/state/x/k",
    "POST /v1.0/state/x",
    "POST /v1.0/state/x/bulk",
    "POST /v1.0/state/x/transaction",
    "POST /v1.0-alpha1/state/x/query",
];

fn detail(body: &Value, at: usize, kind: &str) -> Value {
    let detail = body["details"][at].clone();
    assert_eq!(detail["@type"], format!("type.googleapis.com/google.rpc.{kind}"));
    detail
}

#[test]
fn without_stores_every_operation_is_not_configured() {
    let fixture = Fixture::with(&json!([]));
    for line in ALL {
        let reply = fixture.call(line, "");
        expect_error(&reply, 500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store x is not configured");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(detail(&body, 0, "ErrorInfo")["reason"], "DAPR_STATE_NOT_CONFIGURED");
        assert_eq!(body["details"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_unknown_store_is_told_before_the_body_is_read() {
    let fixture = Fixture::new();
    for line in ALL {
        let reply = fixture.call(line, "");
        expect_error(&reply, 400, "ERR_STATE_STORE_NOT_FOUND", "state store x is not found");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let info = detail(&body, 0, "ErrorInfo");
        assert_eq!((&info["reason"], &info["metadata"]), (&json!("DAPR_STATE_NOT_FOUND"), &json!({"appID": "myapp"})));
        assert_eq!(body["details"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_key_with_the_separator_is_refused_wherever_it_stands() {
    let fixture = Fixture::new();
    let transaction =
        |operation: &str| format!(r#"{{"operations":[{{"operation":"{operation}","request":{{"key":"a||b"}}}}]}}"#);
    for (line, body) in [
        ("GET /v1.0/state/s/a%7C%7Cb", String::new()),
        ("DELETE /v1.0/state/s/a||b", String::new()),
        ("POST /v1.0/state/s", r#"[{"key":"fine"},{"key":"a||b"}]"#.to_owned()),
        ("POST /v1.0/state/s/bulk", r#"{"keys":["fine","a||b"]}"#.to_owned()),
        ("POST /v1.0/state/s/transaction", transaction("upsert")),
        ("POST /v1.0/state/s/transaction", transaction("delete")),
    ] {
        let reply = fixture.call(line, &body);
        let message = "input key/keyPrefix 'a||b' can't contain '||'";
        expect_error(&reply, 400, "ERR_MALFORMED_REQUEST", message);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(detail(&body, 0, "ErrorInfo")["reason"], "DAPR_STATE_ILLEGAL_KEY");
        let resource = detail(&body, 1, "ResourceInfo");
        assert_eq!((&resource["resource_type"], &resource["resource_name"]), (&json!("state"), &json!("s")));
        let violations = json!([{"field": "a||b", "description": message}]);
        assert_eq!(detail(&body, 2, "BadRequest")["field_violations"], violations);
    }
    assert!(fixture.store.read.borrow().is_empty() && fixture.store.set.borrow().is_empty());
}

#[test]
fn queries_are_not_supported() {
    let fixture = Fixture::new();
    let reply = fixture.call("POST /v1.0-alpha1/state/s/query", "{}");
    expect_error(&reply, 500, "ERR_STATE_STORE_NOT_SUPPORTED", "state store does not support querying");
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(detail(&body, 0, "ErrorInfo")["reason"], "DAPR_STATE_QUERYING_NOT_SUPPORTED");
    assert_eq!(detail(&body, 1, "ResourceInfo")["resource_name"], "s");
}

#[test]
fn each_store_has_the_prefix_of_its_component() {
    let fixture = Fixture::with(&json!([{"name": "s", "type": "state.x", "metadata": {"keyprefix": "namespace"}}]));
    fixture.get("/v1.0/state/s/k");
    assert_eq!(*fixture.store.read.borrow(), ["shop.myapp||k"]);
    fixture.call("POST /v1.0/state/s/bulk", r#"{"keys":["b"]}"#);
    assert_eq!(fixture.store.read.borrow()[1], "shop.myapp||b");
}

#[test]
fn a_key_prefix_that_cannot_be_used_is_told_when_the_configuration_is_read() {
    let component = json!({"name": "m", "type": "state.in-memory", "metadata": {"keyPrefix": "a||b"}});
    let config = json!({"version": 1, "appId": "myapp", "components": [component]});
    let config = PluginConfig::read(config.to_string().as_bytes()).unwrap();
    let store: std::rc::Rc<dyn crate::state::StateStore> = std::rc::Rc::new(crate::state::fake::FakeStore::default());
    let runtime = crate::runtime::Runtime::new(crate::fake::FakeHost::new(), config.log_level);
    let errors = State::new(&config, &[("m".to_owned(), store)].into_iter().collect(), &runtime).err().unwrap();
    let expected = "$.components[0].metadata.keyPrefix holds \"||\", which stands between prefix and key; take it out";
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}
