//! A store on a real Redis Cluster of six nodes.

use super::Store;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;
use weft_tests::redis::RedisOptions;
use weft_tests::redis_cluster::RedisCluster;
use weft_tests::wait;

fn mesh(workers: u32, cluster: &RedisCluster) -> Mesh {
    let metadata = json!({"redisType": "cluster", "redisHost": cluster.hosts()});
    Mesh::builder().workers(workers).redis_nodes("statestore", "state.redis", metadata).app("orders").start()
}

fn store(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "statestore" }
}

#[test]
fn values_are_on_the_nodes_that_have_their_slots() {
    let cluster = RedisCluster::start();
    for workers in [1, 4] {
        let mesh = mesh(workers, &cluster);
        let store = store(&mesh);
        let keys: Vec<String> = (0..60).map(|number| format!("{}-{number}", unique("k"))).collect();
        for (number, key) in keys.iter().enumerate() {
            store.put(key, &json!(number));
            assert_eq!(store.value(key), Some(number.to_string()));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (number, key) in keys.iter().enumerate() {
            let full = format!("orders||{key}");
            seen.insert(cluster.owner(&full));
            let data: String = cluster.client_of(&full).run(&["HGET", &full, "data"]);
            assert_eq!(data, number.to_string());
        }
        assert_eq!(seen.len(), 3, "each master has some");
        let answer = store.bulk(&json!({"keys": keys})).expect(200).json();
        let items = answer.as_array().unwrap();
        assert_eq!(items.len(), 60);
        for (number, key) in keys.iter().enumerate() {
            let item = items.iter().find(|item| item["key"] == json!(key)).unwrap();
            assert_eq!((&item["data"], &item["etag"]), (&json!(number), &json!("1")));
        }
        for key in &keys {
            dapr::no_content(&store.delete(key));
            assert_eq!(store.value(key), None);
        }
    }
}

fn upsert(key: &str, value: u32) -> Value {
    json!({"operation": "upsert", "request": {"key": key, "value": value}})
}

#[test]
fn a_transaction_is_done_by_one_node_and_refused_where_its_keys_are_apart() {
    let cluster = RedisCluster::start();
    let mesh = mesh(1, &cluster);
    let store = store(&mesh);
    let (one, two) = ("{cart}1", "{cart}2");
    assert_eq!(cluster.slot("orders||{cart}1"), cluster.slot("orders||{cart}2"));
    dapr::no_content(&store.transact(&json!([upsert(one, 1), upsert(two, 2)])));
    assert_eq!((store.value(one).as_deref(), store.value(two).as_deref()), (Some("1"), Some("2")));
    let stale = json!({"operation": "delete", "request": {"key": two, "etag": "77"}});
    let body = dapr::error(&store.transact(&json!([upsert(one, 3), stale])), 500, "ERR_STATE_TRANSACTION");
    assert!(body["message"].as_str().unwrap().contains("possible etag mismatch"), "{body}");
    assert_eq!(store.value(one).as_deref(), Some("1"), "nothing was done");

    let (a, b) = ("foo", "bar");
    assert_ne!(cluster.slot("orders||foo"), cluster.slot("orders||bar"));
    for options in [json!({}), json!({"consistency": "strong"})] {
        let mut last = upsert(b, 1);
        last["request"]["options"] = options;
        let body = dapr::error(&store.transact(&json!([upsert(a, 1), last])), 500, "ERR_STATE_TRANSACTION");
        let text = body["message"].as_str().unwrap();
        assert!(text.contains("orders||foo and orders||bar have different hash slots"), "{text}");
        assert!(text.contains("the same part in braces"), "{text}");
        assert_eq!((store.value(a), store.value(b)), (None, None));
    }
}

#[test]
fn keys_are_found_wherever_their_slot_is_being_moved() {
    let cluster = RedisCluster::start();
    let mesh = mesh(1, &cluster);
    let store = store(&mesh);
    let full = |key: &str| format!("orders||{key}");
    let keys = ["{move}here", "{move}there", "{move}new"];
    let slot = cluster.slot(&full(keys[0]));
    let from = cluster.owner(&full(keys[0]));
    let to = (from + 1) % 3;
    keys[..2].iter().for_each(|key| store.put(key, &json!(1)));
    cluster.begin_move(slot, from, to);
    cluster.move_key(&full(keys[1]), from, to);
    // The first is where it was, the second has to be asked for at its new place, the third is made there.
    for (key, value) in [(keys[0], Some("1")), (keys[1], Some("1")), (keys[2], None)] {
        assert_eq!(store.value(key).as_deref(), value, "{key}");
    }
    for key in keys {
        store.put(key, &json!(2));
        assert_eq!(store.value(key).as_deref(), Some("2"));
    }
    let body = dapr::error(&store.save(&json!([{"key": keys[1], "value": 3, "etag": "9"}])), 409, "ERR_STATE_SAVE");
    assert!(body["message"].as_str().unwrap().contains("possible etag mismatch"), "{body}");
    let strong = json!([{"key": keys[1], "value": 3, "options": {"consistency": "strong"}}]);
    dapr::no_content(&store.save(&strong));
    assert_eq!(store.value(keys[1]).as_deref(), Some("3"));
    // Some of its keys are here, some there: until the move has ended no node can do it.
    let both = json!([upsert(keys[0], 4), upsert(keys[1], 4)]);
    let text = dapr::error(&store.transact(&both), 500, "ERR_STATE_TRANSACTION")["message"].to_string();
    assert!(text.contains("TRYAGAIN"), "{text}");
    std::thread::scope(|scope| {
        let transaction = scope.spawn(|| store.transact(&both));
        cluster.end_move(slot, from, to);
        dapr::no_content(&transaction.join().expect("an answer"));
    });
    let mut node = cluster.client(to);
    for (key, value) in [(keys[0], "4"), (keys[1], "4"), (keys[2], "2")] {
        assert_eq!(store.value(key).as_deref(), Some(value), "{key}");
        assert_eq!(node.run::<String>(&["HGET", &full(key), "data"]), value);
    }
}

/// Counts a value up by its etag until it is told to stop; gives how often that was done, and how often it is unknown.
fn count_up(address: &str, key: &str, stop: &AtomicBool) -> (u64, u64) {
    let (mut done, mut unknown) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(read) = Call::new(hyper::Method::GET, address, &format!("/v1.0/state/statestore/{key}")).try_send()
        else {
            continue;
        };
        if read.status != 200 {
            continue;
        }
        let value: u64 = read.text().parse().expect("a number");
        let item = json!([{
            "key": key, "value": value + 1, "etag": read.header("etag"), "options": {"consistency": "strong"},
        }]);
        let save = Call::new(hyper::Method::POST, address, "/v1.0/state/statestore").json(&item);
        match save.try_send() {
            Ok(answer) if answer.status == 204 => done += 1,
            Ok(answer) if answer.status == 409 => {}
            Ok(answer) if answer.status == 500 && !answer.text().contains("unknown") => {}
            _ => unknown += 1,
        }
    }
    (done, unknown)
}

/// Writers of each key at once.
const WRITERS: usize = 4;

/// Lets writers count each key up while `meanwhile` runs; then the sums are those of the writes that were answered, and at
/// most those whose outcome was unknown more.
pub fn count_while(store: &Store<'_>, keys: &[String], meanwhile: impl FnOnce()) -> u64 {
    keys.iter().for_each(|key| store.put(key, &json!(0)));
    let (stop, address) = (AtomicBool::new(false), store.app().http());
    let (stop, address) = (&stop, address.as_str());
    let counts = std::thread::scope(|scope: &Scope<'_, '_>| {
        let writers: Vec<_> = keys
            .iter()
            .map(|key| (0..WRITERS).map(|_| scope.spawn(move || count_up(address, key, stop))).collect::<Vec<_>>())
            .collect();
        meanwhile();
        stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|of| {
                of.into_iter().map(|it| it.join().expect("a writer ends")).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
            })
            .collect::<Vec<(u64, u64)>>()
    });
    for (key, (done, unknown)) in keys.iter().zip(&counts) {
        let sum: u64 = store.value(key).expect("a value").parse().expect("a number");
        assert!((*done..=done + unknown).contains(&sum), "{key}: {sum}, {done} done, {unknown} unknown");
    }
    let all: (u64, u64) = counts.into_iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    eprintln!("{} writes done, {} unknown", all.0, all.1);
    assert!(all.0 > 0);
    all.1
}

#[test]
fn no_write_is_lost_or_done_twice_while_slots_move() {
    let cluster = RedisCluster::start();
    for workers in [1, 4] {
        let mesh = mesh(workers, &cluster);
        let store = store(&mesh);
        let keys: Vec<String> = (0..3).map(|number| unique(&format!("{{m{number}}}"))).collect();
        let unknown = count_while(&store, &keys, || {
            for round in 0..10 {
                for key in &keys {
                    let full = format!("orders||{key}");
                    let (slot, from) = (cluster.slot(&full), cluster.owner(&full));
                    let to = (from + 1 + round % 2) % 3;
                    cluster.begin_move(slot, from, to);
                    cluster.end_move(slot, from, to);
                }
            }
        });
        assert_eq!(unknown, 0, "a slot that moves leaves no doubt");
    }
}

#[test]
fn no_strong_write_that_was_answered_is_lost_when_a_master_dies_under_load() {
    for workers in [1, 4] {
        let mut cluster = RedisCluster::start();
        let mesh = mesh(workers, &cluster);
        let store = store(&mesh);
        let keys: Vec<String> = (0..3).map(|number| unique(&format!("{{f{number}}}"))).collect();
        let full = format!("orders||{}", keys[0]);
        let gone = cluster.owner(&full);
        count_while(&store, &keys, || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            cluster.kill(gone);
            cluster.wait_until_replaced(gone);
            wait::until_true("the successor is used", || store.value(&keys[0]).is_some());
            std::thread::sleep(std::time::Duration::from_millis(300));
        });
        assert_ne!(cluster.owner(&full), gone);
    }
}

#[test]
fn a_master_that_steps_down_is_left_without_a_failed_request() {
    let cluster = RedisCluster::start();
    let mesh = mesh(1, &cluster);
    let store = store(&mesh);
    let key = unique("swap");
    let full = format!("orders||{key}");
    store.put(&key, &json!(0));
    // Masters vote once for the successor of each master within twice the time of silence, so not more often.
    for round in 1..=2 {
        let before = cluster.owner(&full);
        let after = cluster.swap(before);
        store.put(&key, &json!(round));
        assert_eq!(cluster.client(after).run::<String>(&["HGET", &full, "data"]), round.to_string());
        wait::until_true("all know the new master", || cluster.owner(&full) == after);
    }
}

#[test]
fn a_cluster_asks_each_of_its_nodes_for_the_password_and_health_tells_of_a_wrong_one() {
    let options = RedisOptions { password: Some("hunter2".to_owned()), ..RedisOptions::default() };
    let cluster = RedisCluster::with(&options);
    let metadata =
        |password: &str| json!({"redisType": "cluster", "redisHost": cluster.hosts(), "redisPassword": password});
    let mesh = Mesh::builder()
        .redis_nodes("statestore", "state.redis", metadata("hunter2"))
        .redis_nodes("wrong", "state.redis", metadata("hunter3"))
        .app("orders")
        .start();
    for number in 0..20 {
        store(&mesh).put(&format!("k{number}"), &json!(number));
    }
    let health = || mesh.app("orders").get("/v1.0/healthz").send();
    wait::until_true("health tells of it", || health().text().contains("WRONGPASS"));
    assert!(!health().text().contains("hunter"), "{}", health().text());
    dapr::error(&Store { mesh: &mesh, name: "wrong" }.get("k"), 500, "ERR_STATE_GET");
    mesh.envoy.expect_log("refused by the backend", 1..=50);
}

#[test]
fn a_cluster_that_is_down_at_the_start_is_told_by_health_until_it_is_there() {
    let mut cluster = RedisCluster::start();
    (0..6).for_each(|at| cluster.kill(at));
    let mesh = mesh(1, &cluster);
    let health = || mesh.app("orders").get("/v1.0/healthz").send();
    wait::until_true("health tells of it", || health().text().contains("statestore: no connection to 127.0.0.1:"));
    let text = dapr::error(&store(&mesh).get("k"), 500, "ERR_STATE_GET")["message"].to_string();
    assert!(text.contains("no connection to 127.0.0.1:"), "{text}");
    (0..6).for_each(|at| cluster.restart(at));
    wait::until_true("all is well", || health().status == 204);
    wait::until_true("the store is back", || store(&mesh).save(&json!([{"key": "k", "value": 1}])).status == 204);
}

#[test]
fn a_master_that_hangs_is_left_for_its_successor() {
    let cluster = RedisCluster::start();
    let mesh = mesh(1, &cluster);
    let store = store(&mesh);
    let key = unique("hang");
    let full = format!("orders||{key}");
    store.put(&key, &json!(1));
    let hangs = cluster.owner(&full);
    cluster.freeze(hangs);
    // It takes connections still, and the first commands.
    wait::until("the successor is used", 2 * wait::SOON, || {
        (store.save(&json!([{"key": key, "value": 2}])).status == 204).then_some(())
    });
    assert_eq!(store.value(&key).as_deref(), Some("2"));
    cluster.thaw(hangs);
    assert_ne!(cluster.owner(&full), hangs);
    for round in 3..20 {
        store.put(&key, &json!(round));
        assert_eq!(store.value(&key), Some(round.to_string()));
    }
    assert_eq!(cluster.client_of(&full).run::<String>(&["HGET", &full, "data"]), "19");
}

#[test]
fn a_bulk_get_asks_all_nodes_and_tells_which_keys_it_could_not_get() {
    let partly = ["--cluster-require-full-coverage", "no"].map(str::to_owned).to_vec();
    let mut cluster = RedisCluster::with(&RedisOptions { arguments: partly, ..RedisOptions::default() });
    let mesh = mesh(1, &cluster);
    let store = store(&mesh);
    let keys: Vec<String> = (0..30).map(|number| format!("b{number}")).collect();
    let items: Vec<Value> = keys.iter().map(|key| json!({"key": key, "value": key})).collect();
    dapr::no_content(&store.save(&json!(items)));
    let owners: Vec<usize> = keys.iter().map(|key| cluster.owner(&format!("orders||{key}"))).collect();
    // A master, and whoever could take over.
    let gone = owners[0];
    cluster.kill(gone + 3);
    cluster.kill(gone);
    let answer = store.bulk(&json!({"keys": keys})).expect(200).json();
    for (key, owner) in keys.iter().zip(owners) {
        let item = answer.as_array().unwrap().iter().find(|item| item["key"] == json!(key)).unwrap();
        if owner == gone {
            let why = item["error"].as_str().unwrap_or_else(|| panic!("{item}"));
            assert!(why.contains("no connection to 127.0.0.1:") || why.contains("no node"), "{why}");
        } else {
            assert_eq!(item["data"], json!(key));
        }
    }
}
