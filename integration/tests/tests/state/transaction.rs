//! Several writes that happen together or not at all.

use super::{Store, on_each_store, on_redis};
use serde_json::{Value, json};
use weft_tests::dapr::{self, unique};
use weft_tests::runtime::{block_on, runtime};

fn upsert(key: &str, value: impl Into<Value>) -> Value {
    json!({"operation": "upsert", "request": {"key": key, "value": value.into()}})
}

fn upsert_if(key: &str, value: u32, etag: &str) -> Value {
    json!({"operation": "upsert", "request": {"key": key, "value": value, "etag": etag}})
}

fn delete(key: &str) -> Value {
    json!({"operation": "delete", "request": {"key": key}})
}

fn delete_if(key: &str, etag: &str) -> Value {
    json!({"operation": "delete", "request": {"key": key, "etag": etag}})
}

/// Asserts that a conflict of etags was told as daprd tells it.
fn conflict(store: &Store<'_>, operations: &Value) {
    let body = dapr::error(&store.transact(operations), 500, "ERR_STATE_TRANSACTION");
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("error while executing state transaction: possible etag mismatch. "), "{message}");
}

#[test]
fn all_operations_are_done_in_order() {
    on_each_store(|store| {
        let (a, b, c) = (unique("a"), unique("b"), unique("c"));
        store.put(&b, &json!("old"));
        let etag = store.etag(&b);
        let operations = [
            upsert(&a, 1),
            upsert(&a, 2),
            delete_if(&b, &etag),
            upsert(&c, 1),
            delete(&c),
            upsert(&c, json!({"x": 1.0})),
            delete(&unique("never")),
        ];
        dapr::no_content(&store.transact(&json!(operations)));
        assert_eq!(store.value(&a).as_deref(), Some("2"));
        assert_eq!(store.value(&b), None);
        assert_eq!(store.value(&c).as_deref(), Some(r#"{"x":1.0}"#));
    });
}

#[test]
fn a_conflict_anywhere_changes_nothing() {
    on_each_store(|store| {
        let keys: Vec<String> = (0..8).map(|number| unique(&format!("all-or-none-{number}"))).collect();
        for key in &keys[..4] {
            store.put(key, &json!("old"));
        }
        let strange = store.strange_etag();
        let before: Vec<_> = keys.iter().map(|key| store.value(key)).collect();
        let etags: Vec<_> = keys[..4].iter().map(|key| store.etag(key)).collect();
        let good = || keys.iter().map(|key| upsert(key, "new"));
        for bad in [upsert_if(&keys[2], 1, strange), delete_if(&keys[3], strange)] {
            conflict(store, &json!(good().chain([bad.clone()]).collect::<Vec<_>>()));
            conflict(store, &json!([bad.clone()].into_iter().chain(good()).collect::<Vec<_>>()));
            conflict(store, &json!([delete(&keys[0]), delete(&keys[1]), bad]));
        }
        assert_eq!(keys.iter().map(|key| store.value(key)).collect::<Vec<_>>(), before);
        assert_eq!(keys[..4].iter().map(|key| store.etag(key)).collect::<Vec<_>>(), etags);
    });
}

#[test]
fn an_etag_is_held_against_the_value_that_the_operation_meets() {
    on_redis(|store| {
        let key = unique("meets");
        dapr::no_content(&store.transact(&json!([upsert(&key, 1), upsert_if(&key, 2, "1"), upsert_if(&key, 3, "2")])));
        assert_eq!((store.value(&key).as_deref(), store.etag(&key).as_str()), (Some("3"), "3"));
        conflict(store, &json!([upsert(&key, 4), upsert_if(&key, 5, "3")]));
        assert_eq!(store.etag(&key), "3");
    });
}

#[test]
fn a_foreign_version_that_cannot_be_counted_up_changes_nothing() {
    on_redis(|store| {
        for version in ["9223372036854775807", "99999999999999999999", "1000000000000000", "007", "seven", "1.5"] {
            let (first, foreign) = (unique("first"), unique("foreign"));
            let full = format!("orders||{foreign}");
            store.mesh.redis().client().run::<u64>(&["HSET", &full, "data", "\"old\"", "version", version]);
            let operations = json!([upsert(&first, "new"), delete(&unique("gone")), upsert(&foreign, "new")]);
            let body = dapr::error(&store.transact(&operations), 500, "ERR_STATE_TRANSACTION");
            assert!(body["message"].as_str().unwrap().contains(&full), "{body}");
            assert_eq!(store.value(&first), None, "{version}");
            assert_eq!((store.value(&foreign).as_deref(), store.etag(&foreign).as_str()), (Some("\"old\""), version));
            dapr::no_content(&store.transact(&json!([delete(&foreign), upsert(&foreign, "new")])));
            assert_eq!(store.etag(&foreign), "1");
        }
    });
}

#[test]
fn a_transaction_may_be_large() {
    on_each_store(|store| {
        let prefix = unique("large");
        let filler = "x".repeat(1000);
        let operations: Vec<_> = (0..1000).map(|n| upsert(&format!("{prefix}-{n}"), format!("{n}{filler}"))).collect();
        dapr::no_content(&store.transact(&json!(operations)));
        assert_eq!(store.value(&format!("{prefix}-999")), Some(format!("\"999{filler}\"")));
        let deletes: Vec<_> = (0..1000).map(|n| delete(&format!("{prefix}-{n}"))).collect();
        dapr::no_content(&store.transact(&json!(deletes)));
        assert_eq!(store.value(&format!("{prefix}-0")), None);
    });
}

#[test]
fn ten_thousand_operations_are_one_transaction() {
    on_each_store(|store| {
        let prefix = unique("many");
        let key = |n: usize| format!("{prefix}-{}", n % 5000);
        let mut operations: Vec<_> = (0..10_000).map(|n| upsert(&key(n), n)).collect();
        operations.push(upsert_if(&key(0), 0, store.strange_etag()));
        conflict(store, &json!(operations));
        assert_eq!(store.value(&key(4999)), None);
        operations.pop();
        dapr::no_content(&store.transact(&json!(operations)));
        assert_eq!(store.value(&key(0)).as_deref(), Some("5000"), "the later one of two for a key");
        assert_eq!(store.value(&key(4999)).as_deref(), Some("9999"));
        let deletes: Vec<_> = (0..10_000).map(|n| delete(&key(n))).collect();
        dapr::no_content(&store.transact(&json!(deletes)));
        assert_eq!(store.value(&key(4999)), None);
    });
}

#[test]
fn no_operations_are_done_at_once() {
    on_each_store(|store| {
        dapr::no_content(&store.transact(&json!([])));
        let send = |body: &str| store.app().put(&store.path("transaction")).body(body.to_owned()).send();
        dapr::no_content(&send("{}"));
        dapr::no_content(&send(r#"{"operations":null,"metadata":null} trailing"#));
    });
}

#[test]
fn transfers_between_values_keep_their_sum() {
    on_each_store(|store| {
        let accounts: Vec<String> = (0..4).map(|number| unique(&format!("account-{number}"))).collect();
        for account in &accounts {
            store.put(account, &json!(100));
        }
        let tellers: Vec<_> = (0..16_usize)
            .map(|number| {
                let (from, to) = (accounts[number % 4].clone(), accounts[(number + 1 + number / 4 % 3) % 4].clone());
                let (address, name) = (store.app().http(), store.name.to_owned());
                runtime().spawn(async move { transfer(&address, &name, &from, &to).await })
            })
            .collect();
        for teller in tellers {
            block_on(teller).expect("a teller ends well");
        }
        let sum: i64 = accounts.iter().map(|account| store.value(account).unwrap().parse::<i64>().unwrap()).sum();
        assert_eq!(sum, 400, "{}", store.name);
    });
}

/// Takes one from one account and adds it to another, five times, in one transaction each.
async fn transfer(address: &str, store: &str, from: &str, to: &str) {
    let mut left = 5;
    while left > 0 {
        let mut operations = Vec::new();
        for (key, change) in [(from, -1), (to, 1)] {
            let call = weft_tests::client::get(address, &format!("/v1.0/state/{store}/{key}")).keep_alive();
            let read = call.send_async().await.expect("an answer").expect(200);
            let value: i64 = read.text().parse().expect("a number");
            let etag = read.header("etag").expect("an etag");
            operations
                .push(json!({"operation": "upsert", "request": {"key": key, "value": value + change, "etag": etag}}));
        }
        let path = format!("/v1.0/state/{store}/transaction");
        let call = weft_tests::client::Call::new(hyper::Method::POST, address, &path).keep_alive();
        let answer = call.json(&json!({"operations": operations})).send_async().await.expect("an answer");
        match answer.status {
            204 => left -= 1,
            500 if answer.text().contains("possible etag mismatch") => {}
            other => panic!("{other}: {}", answer.text()),
        }
    }
}
