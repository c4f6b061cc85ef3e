//! How Redis is entered: passwords, users, databases, TLS.

use super::Store;
use serde_json::json;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::{Builder, Mesh};
use weft_tests::redis::{Redis, RedisOptions};

const PASSWORD: &str = "p@ss:w/rd#1%2B";
const USER_PASSWORD: &str = "users-secret";
const WRONG_PASSWORD: &str = "wrong-secret";

/// A Redis with a password and some users.
fn guarded(workers: u32) -> Builder {
    let users = [
        format!("weft on >{USER_PASSWORD} ~orders||* +@all"),
        format!("writer on >{USER_PASSWORD} ~* +@all -del -expire"),
        format!("reader on >{USER_PASSWORD} ~* +@read +@connection"),
    ];
    let redis = Redis::with(RedisOptions {
        password: Some(PASSWORD.to_owned()),
        users: users.into(),
        ..RedisOptions::default()
    });
    Mesh::builder().workers(workers).redis(redis).app("orders")
}

fn store<'a>(mesh: &'a Mesh, name: &'a str) -> Store<'a> {
    Store { mesh, name }
}

/// Asserts that no log line holds a password.
fn keeps_secrets(mesh: &Mesh) {
    let log = mesh.envoy.log();
    for secret in [PASSWORD, USER_PASSWORD, WRONG_PASSWORD] {
        assert!(!log.contains(secret), "a password stands in the log:\n{log}");
    }
}

#[test]
fn a_user_who_may_not_run_every_command_of_a_transaction_changes_nothing() {
    let user = json!({"redisUsername": "writer", "redisPassword": USER_PASSWORD});
    let mesh = guarded(1).redis_component("by-writer", "state.redis", user).start();
    let store = store(&mesh, "by-writer");
    let (first, last) = (unique("first"), unique("last"));
    let upsert = json!({"operation": "upsert", "request": {"key": first, "value": 1}});
    let lasting =
        json!({"operation": "upsert", "request": {"key": last, "value": 1, "metadata": {"ttlInSeconds": "9"}}});
    for (command, denied) in [("DEL", json!({"operation": "delete", "request": {"key": last}})), ("EXPIRE", lasting)] {
        let body = dapr::error(&store.transact(&json!([upsert, denied])), 500, "ERR_STATE_TRANSACTION");
        assert!(body["message"].as_str().unwrap().contains(command), "{body}");
        assert_eq!(store.value(&first), None);
    }
    dapr::no_content(&store.transact(&json!([upsert])));
    keeps_secrets(&mesh);
}

#[test]
fn a_password_or_a_user_lets_in_and_a_database_is_chosen() {
    for workers in [1, 4] {
        let user = json!({"redisUsername": "weft", "redisPassword": USER_PASSWORD});
        let mesh = guarded(workers)
            .redis_component("by-user", "state.redis", user)
            .redis_component("third", "state.redis", json!({"redisDB": "3"}))
            .start();
        let key = unique("guarded");
        store(&mesh, "statestore").put(&key, &json!(0));
        assert_eq!(store(&mesh, "by-user").value(&key).as_deref(), Some("0"));
        store(&mesh, "by-user").put(&key, &json!(1));
        assert_eq!(store(&mesh, "third").value(&key), None);
        store(&mesh, "third").put(&key, &json!(3));
        let mut client = mesh.redis().client();
        for (database, value) in [("0", "1"), ("3", "3")] {
            client.run::<()>(&["SELECT", database]);
            assert_eq!(client.run::<String>(&["HGET", &format!("orders||{key}"), "data"]), value);
        }
        keeps_secrets(&mesh);
    }
}

#[test]
fn a_user_that_may_only_read_reads_and_is_told_so_when_it_writes() {
    let user = json!({"redisUsername": "reader", "redisPassword": USER_PASSWORD});
    let mesh = guarded(1).redis_component("by-reader", "state.redis", user).start();
    let key = unique("read-only");
    store(&mesh, "statestore").put(&key, &json!(1));
    let reader = store(&mesh, "by-reader");
    assert_eq!(reader.value(&key).as_deref(), Some("1"));
    let body = dapr::error(&reader.save(&json!([{"key": key, "value": 2}])), 500, "ERR_STATE_SAVE");
    assert!(body["message"].as_str().unwrap().contains("NOPERM"), "{body}");
    dapr::error(&reader.delete(&key), 500, "ERR_STATE_DELETE");
    let operations = json!([{"operation": "delete", "request": {"key": key}}]);
    dapr::error(&reader.transact(&operations), 500, "ERR_STATE_TRANSACTION");
    assert_eq!(reader.value(&key).as_deref(), Some("1"));
    keeps_secrets(&mesh);
}

#[test]
fn whoever_is_not_let_in_is_told_why_and_what_to_look_at() {
    let mesh = guarded(1)
        .redis_component("wrong", "state.redis", json!({"redisPassword": WRONG_PASSWORD}))
        .redis_component("nobody", "state.redis", json!({"redisUsername": "nobody", "redisPassword": WRONG_PASSWORD}))
        .redis_component("far", "state.redis", json!({"redisDB": "999"}))
        .start();
    mesh.envoy.expect_log("what=\"refused by the backend\"", 1..=1000);
    for (name, words) in [("wrong", "WRONGPASS"), ("nobody", "WRONGPASS"), ("far", "out of range")] {
        let store = store(&mesh, name);
        let read = dapr::error(&store.get("k"), 500, "ERR_STATE_GET");
        let saved = dapr::error(&store.save(&json!([{"key": "k", "value": 1}])), 500, "ERR_STATE_SAVE");
        for body in [read, saved] {
            let message = body["message"].as_str().unwrap();
            assert!(message.contains(words) && message.contains("redisPassword and redisDB"), "{message}");
            assert!(!message.contains("unknown") && !message.contains(WRONG_PASSWORD), "{message}");
        }
    }
    let entries = store(&mesh, "wrong").bulk(&json!({"keys": ["a", "b"]})).expect(200).json();
    assert!(entries[1]["error"].as_str().unwrap().contains("WRONGPASS"), "{entries}");
    assert_eq!(store(&mesh, "statestore").value("k"), None, "another component is not harmed");
    keeps_secrets(&mesh);
}

#[test]
fn a_component_without_the_password_gets_redis_own_words() {
    let mesh = guarded(1).redis_component("open", "state.redis", json!({"redisPassword": ""})).start();
    let store = store(&mesh, "open");
    let body = dapr::error(&store.get("k"), 500, "ERR_STATE_GET");
    assert!(body["message"].as_str().unwrap().contains("NOAUTH"), "{body}");
    dapr::error(&store.save(&json!([{"key": "k", "value": 1}])), 500, "ERR_STATE_SAVE");
}

#[test]
fn redis_is_reached_over_tls_by_the_cluster() {
    for workers in [1, 4] {
        let options = RedisOptions { tls: true, password: Some(PASSWORD.to_owned()), ..RedisOptions::default() };
        let mesh = Mesh::builder().workers(workers).redis(Redis::with(options)).app("orders").start();
        let store = store(&mesh, "statestore");
        let key = unique("tls");
        let large = "x".repeat(1024 * 1024);
        store.put(&key, &json!(large));
        assert_eq!(store.value(&key), Some(format!("{large:?}")));
        let operations = json!([{"operation": "upsert", "request": {"key": key, "value": 2}}]);
        dapr::no_content(&store.transact(&operations));
        let mut client = mesh.redis().client();
        assert_eq!(client.run::<String>(&["HGET", &format!("orders||{key}"), "data"]), "2");
        let handshakes = mesh.envoy.admin().stat("cluster.weft_tcp_statestore.ssl.handshake");
        assert!(handshakes >= 1, "the proxy speaks TLS");
        keeps_secrets(&mesh);
    }
}
