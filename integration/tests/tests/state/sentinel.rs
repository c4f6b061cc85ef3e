//! A store whose master Sentinels name.

use super::Store;
use super::cluster::count_while;
use serde_json::json;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;
use weft_tests::redis::RedisOptions;
use weft_tests::redis_sentinel::{MASTER, RedisSentinel};
use weft_tests::wait;

fn mesh(workers: u32, redis: &RedisSentinel) -> Mesh {
    let metadata = json!({"failover": "true", "sentinelMasterName": MASTER, "redisHost": redis.hosts()});
    Mesh::builder().workers(workers).redis_nodes("statestore", "state.redis", metadata).app("orders").start()
}

fn store(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "statestore" }
}

#[test]
fn after_a_master_has_died_its_successor_is_used() {
    for workers in [1, 4] {
        let mut redis = RedisSentinel::start();
        let mesh = mesh(workers, &redis);
        let store = store(&mesh);
        store.put("k", &json!(1));
        assert_eq!(redis.client().run::<String>(&["HGET", "orders||k", "data"]), "1");
        let before = redis.master();
        redis.server(before).kill();
        let after = redis.wait_until_replaced(before);
        wait::until_true("the successor is used", || store.save(&json!([{"key": "k", "value": 2}])).status == 204);
        assert_eq!(redis.server(after).client().run::<String>(&["HGET", "orders||k", "data"]), "2");
        for _ in 0..20 {
            assert_eq!(store.value("k").as_deref(), Some("2"));
        }
    }
}

/// A failover that is forced on a master which is up is another matter: it takes writes until it is told.
#[test]
fn no_strong_write_that_was_answered_is_lost_when_masters_die_under_load() {
    for workers in [1, 4] {
        let mut redis = RedisSentinel::start();
        let mesh = mesh(workers, &redis);
        mesh.envoy.expect_log("it is a replica and not the master", 0..=50);
        let store = store(&mesh);
        let keys = [unique("sum")];
        count_while(&store, &keys, || {
            for _ in 0..2 {
                wait::until_true("both replicas are in step", || {
                    redis.client().run::<String>(&["INFO", "replication"]).matches("state=online").count() == 2
                });
                std::thread::sleep(std::time::Duration::from_millis(300));
                let before = redis.master();
                redis.server(before).kill();
                let _after = redis.wait_until_replaced(before);
                wait::until_true("the successor is used", || store.value(&keys[0]).is_some());
                redis.server(before).restart();
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
        });
    }
}

#[test]
fn sentinels_and_servers_have_passwords_of_their_own() {
    let options = RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() };
    let redis = RedisSentinel::with(&options, Some("watch3r"));
    let metadata = |password: &str, sentinels: &str, master: &str| {
        json!({
            "failover": "true",
            "sentinelMasterName": master,
            "redisHost": redis.hosts(),
            "redisPassword": password,
            "sentinelPassword": sentinels,
        })
    };
    let mesh = Mesh::builder()
        .redis_nodes("statestore", "state.redis", metadata("hunter2", "watch3r", MASTER))
        .redis_nodes("wrong-server", "state.redis", metadata("wrong", "watch3r", MASTER))
        .redis_nodes("wrong-sentinel", "state.redis", metadata("hunter2", "wrong", MASTER))
        .redis_nodes("wrong-name", "state.redis", metadata("hunter2", "watch3r", "nobody"))
        .app("orders")
        .start();
    mesh.envoy.expect_log("refused by the backend", 2..=100);
    store(&mesh).put("k", &json!(1));
    assert_eq!(redis.client().run::<String>(&["HGET", "orders||k", "data"]), "1");
    let health = || mesh.app("orders").get("/v1.0/healthz").send().text();
    for (name, why) in
        [("wrong-server", "WRONGPASS"), ("wrong-sentinel", "WRONGPASS"), ("wrong-name", "knows no master named")]
    {
        let tells = || health().split("; ").any(|part| part.contains(&format!("{name}: ")) && part.contains(why));
        wait::until_true(&format!("health tells of {name}"), || tells() || health().contains(why));
        let text = dapr::error(&Store { mesh: &mesh, name }.get("k"), 500, "ERR_STATE_GET")["message"].to_string();
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_sentinel_that_has_died_is_not_missed() {
    let mut redis = RedisSentinel::start();
    let mesh = mesh(1, &redis);
    let store = store(&mesh);
    store.put("k", &json!(1));
    redis.kill_sentinel(0);
    let before = redis.master();
    redis.server(before).kill();
    let _after = redis.wait_until_replaced(before);
    wait::until_true("the successor is used", || store.save(&json!([{"key": "k", "value": 2}])).status == 204);
}
