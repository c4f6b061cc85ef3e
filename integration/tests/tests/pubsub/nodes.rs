//! A broker on a real Redis Cluster, and on one whose master Sentinels name.

use super::{data_at, wait_for_all};
use serde_json::{Value, json};
use weft_tests::app::Reply;
use weft_tests::client::Call;
use weft_tests::mesh::Mesh;
use weft_tests::redis_cluster::RedisCluster;
use weft_tests::redis_sentinel::{MASTER, RedisSentinel};
use weft_tests::wait;

/// Topics in slots of different nodes, and two in one slot.
const TOPICS: [&str; 8] = ["t0", "t1", "t2", "t3", "t4", "t5", "{pair}1", "{pair}2"];

fn mesh(workers: u32, metadata: Value) -> Mesh {
    let list = TOPICS.map(|topic| json!({"pubsubname": "pubsub", "topic": topic, "route": format!("/{topic}")}));
    let mesh = Mesh::builder()
        .workers(workers)
        .redis_nodes("pubsub", "pubsub.redis", metadata)
        .app("orders")
        .app("sink")
        .subscribes(list.to_vec().into())
        .start();
    mesh.wait_until_subscribed("sink");
    mesh.app("sink").server.on_any(|_| Reply::status(200));
    mesh
}

fn on_cluster(workers: u32, cluster: &RedisCluster) -> Mesh {
    mesh(
        workers,
        json!({"redisType": "cluster", "redisHost": cluster.hosts(), "processingTimeout": "1s", "redeliverInterval": "500ms"}),
    )
}

/// Publishes events to a topic; gives those that were taken.
fn publish(mesh: &Mesh, topic: &str, round: &str, count: usize) -> Vec<String> {
    let address = mesh.app("orders").http();
    let events = (0..count).map(|number| format!("{topic}-{round}-{number}"));
    events
        .filter(|event| {
            let call = Call::new(hyper::Method::POST, &address, &format!("/v1.0/publish/pubsub/{topic}"));
            call.body(event.clone()).try_send().is_ok_and(|answer| answer.status == 204)
        })
        .collect()
}

/// Publishes to every topic and waits until all has come.
fn flows(mesh: &Mesh, round: &str, count: usize) {
    let sink = &mesh.app("sink").server;
    for topic in TOPICS {
        let taken = publish(mesh, topic, round, count);
        assert_eq!(taken.len(), count, "{topic}");
        wait_for_all(sink, &format!("/{topic}"), &taken);
    }
}

#[test]
fn each_topic_is_a_stream_on_the_node_of_its_slot() {
    let cluster = RedisCluster::start();
    for workers in [1, 4] {
        let mesh = on_cluster(workers, &cluster);
        flows(&mesh, &format!("w{workers}"), 10);
        let mut owners = std::collections::BTreeSet::new();
        for topic in TOPICS {
            owners.insert(cluster.owner(topic));
            assert!(cluster.client_of(topic).stream(topic).len() >= 10, "{topic}");
            wait::until_true("all is acknowledged", || cluster.client_of(topic).pending(topic, "sink") == 0);
            let seen = data_at(&mesh.app("sink").server, &format!("/{topic}"));
            assert_eq!(seen.len(), 10, "{topic}: none came twice");
        }
        assert_eq!(owners.len(), 3, "each master has some");
    }
}

#[test]
fn events_flow_on_when_the_slot_of_a_topic_moves_and_when_masters_change() {
    for workers in [1, 4] {
        let mut cluster = RedisCluster::start();
        let mesh = on_cluster(workers, &cluster);
        flows(&mesh, "before", 5);
        let (slot, from) = (cluster.slot("t0"), cluster.owner("t0"));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        cluster.end_move(slot, from, to);
        flows(&mesh, "moved", 5);
        let before = cluster.owner("t0");
        let after = cluster.swap(before);
        flows(&mesh, "swapped", 5);
        wait::until_true("all know the new master", || cluster.owner("t0") == after);
        wait::until_true("the replica is in step", || {
            cluster.client(after).run::<String>(&["INFO", "replication"]).contains("state=online")
        });
        cluster.kill(after);
        cluster.wait_until_replaced(after);
        wait::until_true("events are taken", || publish(&mesh, "t0", "probe", 1).len() == 1);
        flows(&mesh, "failed over", 5);
    }
}

#[test]
fn events_flow_on_after_a_failover_by_sentinels() {
    for workers in [1, 4] {
        let mut redis = RedisSentinel::start();
        let metadata = json!({"failover": "true", "sentinelMasterName": MASTER, "redisHost": redis.hosts()});
        let mesh = mesh(workers, metadata);
        mesh.envoy.expect_log("it is a replica and not the master", 0..=50);
        flows(&mesh, "before", 5);
        let _second = redis.swap();
        wait::until_true("events are taken", || publish(&mesh, "t0", "probe", 1).len() == 1);
        flows(&mesh, "swapped", 5);
        let second = redis.master();
        redis.server(second).kill();
        let _third = redis.wait_until_replaced(second);
        wait::until_true("events are taken", || publish(&mesh, "t0", "again", 1).len() == 1);
        flows(&mesh, "failed over", 5);
    }
}
