use super::*;
use serde_json::{Value, json};

fn read(list: Value) -> Vec<Declared> {
    read_list(list.to_string().as_bytes()).unwrap()
}

fn one(entry: Value) -> Result<Subscription, String> {
    read(json!([entry])).remove(0).checked
}

fn path(entry: Value) -> String {
    one(entry).unwrap().rules.remove(0).path
}

fn shown_as(subscription: &Subscription) -> Value {
    serde_json::from_slice(&subscription.to_json()).unwrap()
}

fn configured(entry: Value) -> Declared {
    let text = json!({"version": 1, "appId": "a", "subscriptions": [entry]}).to_string();
    Declared::from_config(&config::PluginConfig::draft(text.as_bytes()).0.subscriptions[0])
}

#[test]
fn both_styles_of_route_are_read_and_the_default_beats_the_old_one() {
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "route": "/x"})), "/x");
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "routes": {"default": "/z"}, "route": "/x"})), "/z");
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "routes": {"default": ""}, "route": "/x"})), "/x");
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "routes": null, "route": "/x"})), "/x");
    let rules = json!([{"match": " ", "path": "/first"}, {"path": "/second"}]);
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "routes": {"rules": rules, "default": "/z"}})), "/first");
}

#[test]
fn every_member_is_read_whatever_the_case_of_its_name() {
    let entry = json!({"PubsubName": "p", "Topic": "t", "Route": "x?y=1", "Metadata": {"rawPayload": "true", "k": "v"},
        "DeadLetterTopic": "d", "bulkSubscribe": {"enabled": false, "maxMessagesCount": 5}, "unknown": {}});
    let metadata = Metadata::from([("rawPayload".into(), "true".into()), ("k".into(), "v".into())]);
    let expected = Subscription {
        pubsub: "p".into(),
        topic: "t".into(),
        rules: vec![Rule { condition: None, path: "/x?y=1".into() }],
        metadata,
        raw: true,
        dead_letter_topic: Some("d".into()),
        bulk: None,
        origin: Origin::Programmatic,
    };
    assert_eq!(one(entry), Ok(expected));
}

#[test]
fn the_first_rule_that_holds_leads_the_event() {
    let rules = json!([{"match": "event.type == 'a'", "path": "/a"}, {"match": " event.n > 1 ", "path": "/n"}]);
    let default = one(json!({"pubsubname": "p", "topic": "t", "routes": {"rules": rules, "default": "/z"}})).unwrap();
    let none = one(json!({"pubsubname": "p", "topic": "t", "routes": {"rules": rules}})).unwrap();
    let route = |subscription: &Subscription, event: &str| {
        let members = RawObject::parse(event).unwrap();
        subscription.route(event, &members).map(|path| path.map(str::to_owned)).map_err(|error| error.to_string())
    };
    assert_eq!(route(&default, r#"{"type":"a"}"#), Ok(Some("/a".into())));
    assert_eq!(route(&default, r#"{"type":"b","n":2}"#), Ok(Some("/n".into())));
    assert_eq!(route(&default, r#"{"type":"b","n":1}"#), Ok(Some("/z".into())));
    assert_eq!(route(&none, r#"{"type":"b","n":1}"#), Ok(None));
    assert_eq!(route(&none, r#"{"n":2}"#), Err("there is no member type".into()));
    assert_eq!((default.only_path(), none.only_path()), (None, None));
    let shown = json!([{"match": "event.type == 'a'", "path": "/a"}, {"match": "event.n > 1", "path": "/n"},
        {"match": "", "path": "/z"}]);
    assert_eq!(shown_as(&default)["rules"], shown);
}

#[test]
fn a_condition_that_cannot_be_asked_is_refused_by_name() {
    let rules = json!([{"match": "event.type.map(x, x)", "path": "/x"}]);
    let why = one(json!({"pubsubname": "p", "topic": "t", "routes": {"rules": rules, "default": "/z"}})).unwrap_err();
    assert!(why.contains("match: event.type.map(x, x)") && why.contains("`map` is not supported"), "{why}");
}

#[test]
fn bulk_has_daprs_defaults() {
    let bulk =
        |bulk: Value| one(json!({"pubsubname": "p", "topic": "t", "route": "/x", "bulkSubscribe": bulk})).unwrap().bulk;
    let of = |most: usize, millis: u64| Some(Bulk { most, longest: Duration::from_millis(millis) });
    assert_eq!(bulk(json!({"enabled": true})), of(100, 1000));
    assert_eq!(bulk(json!({"enabled": true, "maxMessagesCount": 0, "maxAwaitDurationMs": -1})), of(100, 1000));
    assert_eq!(bulk(json!({"enabled": true, "maxMessagesCount": 7, "maxAwaitDurationMs": 40})), of(7, 40));
    for off in [json!({"enabled": false, "maxMessagesCount": 7}), json!({"maxMessagesCount": 7}), json!(null)] {
        assert_eq!(bulk(off), None);
    }
    let list =
        br#"[{"pubsubname":"p","topic":"t","route":"/x","bulkSubscribe":{"enabled":true,"maxMessagesCount":"7"}}]"#;
    assert_eq!(read_list(list).unwrap_err().to_string(), "maxMessagesCount must be a whole number");
}

#[test]
fn what_cannot_be_served_is_refused_alone() {
    let list = read(json!([
        {"pubsubname": "p", "topic": "none"},
        {"pubsubname": "p", "route": "/x"},
        {"topic": "t", "route": "/x"},
        {"pubsubname": "p", "topic": "raw", "route": "/x", "metadata": {"rawPayload": "maybe"}},
        {"pubsubname": "p", "topic": "good", "route": "/x"},
    ]));
    let sound: Vec<_> = list.iter().map(|declared| declared.checked.is_ok()).collect();
    assert_eq!(sound, [false, false, false, false, true]);
}

#[test]
fn a_path_that_cannot_be_called_is_refused() {
    for path in ["/a b", "/a\r\nx: y", "/a#b", "/é", "/\u{0}", &format!("/{}", "a".repeat(MAX_PATH))] {
        assert!(one(json!({"pubsubname": "p", "topic": "t", "route": path})).is_err(), "{path:?}");
    }
    assert_eq!(path(json!({"pubsubname": "p", "topic": "t", "route": "events/in"})), "/events/in");
}

#[test]
fn an_empty_or_null_list_is_no_subscription_and_anything_else_an_error() {
    for body in ["", " \n", "null", "[]"] {
        assert_eq!(read_list(body.as_bytes()), Ok(Vec::new()), "{body:?}");
    }
    for body in ["{}", "<html>", "[1]", r#"[{"topic":5}]"#, r#"[{"topic":"t","routes":[]}]"#] {
        assert!(read_list(body.as_bytes()).is_err(), "{body:?}");
    }
    assert_eq!(read_list(br#"[{"topic":5}]"#).unwrap_err().to_string(), "topic must be a string");
}

#[test]
fn of_the_applications_own_the_last_counts_and_replaces_a_resource() {
    let resources = [
        configured(json!({"pubsubname": "p", "topic": "t", "routes": {"default": "/resource"}})),
        configured(json!({"pubsubname": "p", "topic": "u", "routes": {"default": "/u1"}})),
        configured(json!({"pubsubname": "p", "topic": "u", "routes": {"default": "/u2"}})),
    ];
    let named = read(json!([
        {"pubsubname": "p", "topic": "t", "route": "/first"},
        {"pubsubname": "q", "topic": "t", "route": "/q"},
        {"pubsubname": "p", "topic": "t", "route": "/last"},
    ]));
    let merged = merge(&resources, named);
    let paths: Vec<_> =
        merged.iter().map(|declared| declared.checked.as_ref().unwrap().rules[0].path.as_str()).collect();
    assert_eq!(paths, ["/last", "/u1", "/q"]);
}

#[test]
fn a_subscription_is_shown_as_daprs_metadata_shows_it() {
    let declared = configured(json!({"pubsubname": "p", "topic": "t", "routes": {"default": "/x"},
        "deadLetterTopic": "d", "metadata": {"rawPayload": "false"}}));
    let shown = json!({"pubsubname": "p", "topic": "t", "metadata": {"rawPayload": "false"},
        "rules": [{"match": "", "path": "/x"}], "deadLetterTopic": "d", "type": "DECLARATIVE"});
    assert_eq!(shown_as(&declared.checked.unwrap()), shown);
    let shown =
        json!({"pubsubname": "p", "topic": "t", "rules": [{"match": "", "path": "/x"}], "type": "PROGRAMMATIC"});
    let plain = one(json!({"pubsubname": "p", "topic": "t", "route": "/x"})).unwrap();
    assert_eq!(shown_as(&plain), shown);
}
