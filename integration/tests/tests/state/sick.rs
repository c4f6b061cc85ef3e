//! Redis is there and does not do what is asked: full, a replica, out of connections.

use super::Store;
use serde_json::{Value, json};
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::fault_proxy::FaultProxy;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::wait;

fn statestore(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "statestore" }
}

fn message(body: &Value) -> String {
    body["message"].as_str().unwrap().to_owned()
}

/// Every kind of write that adds something, and the code of its failure.
fn additions(store: &Store<'_>, key: &str) -> [(Call, &'static str); 3] {
    let operations = json!({"operations": [
        {"operation": "upsert", "request": {"key": format!("{key}-other"), "value": 1}},
        {"operation": "upsert", "request": {"key": key, "value": "new"}},
    ]});
    [
        (store.saving(&json!([{"key": key, "value": "new"}])), "ERR_STATE_SAVE"),
        (store.saving(&json!([{"key": key, "value": "new", "etag": "1"}])), "ERR_STATE_SAVE"),
        (store.app().post(&store.path("transaction")).json(&operations), "ERR_STATE_TRANSACTION"),
    ]
}

/// Asserts that each write is refused in these words, known not to have been done, and was not.
fn all_refused(store: &Store<'_>, key: &str, words: &str) {
    for (call, code) in additions(store, key) {
        let text = message(&dapr::error(&call.send(), 500, code));
        assert!(text.contains(words) && !text.contains("unknown"), "{text}");
    }
    assert_eq!((store.value(key).as_deref(), store.etag(key).as_str()), (Some("\"old\""), "1"));
    assert_eq!(store.value(&format!("{key}-other")), None);
}

#[test]
fn a_redis_that_is_full_refuses_what_adds_and_serves_the_rest() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).redis(Redis::start()).app("orders").start();
        let store = statestore(&mesh);
        let (key, second) = (unique("full"), unique("full"));
        [&key, &second].into_iter().for_each(|key| store.put(key, &json!("old")));
        mesh.redis().client().run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        all_refused(&store, &key, "OOM");
        dapr::no_content(&store.delete(&second));
        dapr::no_content(&store.delete_if(&key, "1"));
        assert_eq!((store.value(&key), store.value(&second)), (None, None));
        mesh.redis().client().run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        store.put(&key, &json!("again"));
        assert_eq!(store.value(&key).as_deref(), Some("\"again\""));
    }
}

#[test]
fn a_replica_serves_reads_refuses_writes_and_takes_them_once_it_is_the_master() {
    for workers in [1, 4] {
        let master = Redis::start();
        let mesh = Mesh::builder().workers(workers).redis(master.replica()).app("orders").start();
        let store = statestore(&mesh);
        let key = unique("replica");
        let full = format!("orders||{key}");
        master.client().run::<u64>(&["HSET", &full, "data", "\"old\"", "version", "1"]);
        wait::until_true("the replica has it", || store.value(&key).is_some());
        all_refused(&store, &key, "READONLY");
        for path in [store.path(&key), store.path(&format!("{key}?consistency=strong"))] {
            let answer = store.app().delete(&path).send();
            assert!(message(&dapr::error(&answer, 500, "ERR_STATE_DELETE")).contains("READONLY"));
        }
        mesh.redis().client().run::<()>(&["REPLICAOF", "NO", "ONE"]);
        store.put(&key, &json!("new"));
        assert_eq!(store.etag(&key), "2");
    }
}

#[test]
fn a_redis_that_is_busy_with_a_script_says_so_itself() {
    let mesh = Mesh::builder().redis(Redis::start()).app("orders").start();
    let store = statestore(&mesh);
    let key = unique("busy");
    store.put(&key, &json!("old"));
    let mut redis = mesh.redis().client();
    redis.run::<()>(&["CONFIG", "SET", "busy-reply-threshold", "1"]);
    let mut other = mesh.redis().client();
    std::thread::scope(|scope| {
        let endless = scope.spawn(move || other.try_run::<()>(&["EVAL", "while true do end", "0"]));
        wait::until_true("Redis is busy", || store.get(&key).status == 500);
        for (call, code) in additions(&store, &key) {
            let text = message(&dapr::error(&call.send(), 500, code));
            assert!(text.contains("BUSY") && !text.contains("unknown"), "{text}");
        }
        redis.run::<()>(&["SCRIPT", "KILL"]);
        endless.join().unwrap().expect_err("the script was ended");
    });
    assert_eq!(store.etag(&key), "1");
}

#[test]
fn a_redis_that_takes_no_more_connections_does_nothing_until_it_takes_one() {
    let redis = Redis::start();
    let proxy = FaultProxy::before(redis.port());
    let mesh = Mesh::builder().app("orders").component_at("statestore", "state.redis", proxy.port()).start();
    let store = statestore(&mesh);
    let key = unique("crowded");
    store.put(&key, &json!("old"));
    let mut other = redis.client();
    other.run::<()>(&["CONFIG", "SET", "maxclients", "1"]);
    proxy.refuse();
    proxy.accept();
    for (call, code) in additions(&store, &key) {
        dapr::error(&call.send(), 500, code);
    }
    assert_eq!(other.run::<String>(&["HGET", &format!("orders||{key}"), "version"]), "1");
    other.run::<()>(&["CONFIG", "SET", "maxclients", "100"]);
    wait::until_true("the store is back", || store.get(&key).status == 200);
}
