//! What is in etcd, who may have put it there, and what becomes of requests when it fails.

use super::{Store, on_etcd};
use prost::Message as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::env;
use weft_tests::etcd::{Client, Etcd, Time, Value as Stored};
use weft_tests::fault_proxy::{FaultProxy, Way};
use weft_tests::mesh::Mesh;
use weft_tests::wait;

/// What daprd's component writes for `{"n":1}` at 2025-01-02T03:04:05.000000006Z without a time to live: `data`, `ts`
/// and an empty `ttl` (`dapr-api` 3.7).
const OF_DAPRD: &[u8] = b"\x0a\x07{\"n\":1}\x12\x08\x08\xa5\x84\xd8\xbb\x06\x10\x06\x1a\x00";
/// The same with 3,000,000,000 seconds to live.
const OF_DAPRD_FOR_LONG: &[u8] =
    b"\x0a\x07{\"n\":1}\x12\x08\x08\xa5\x84\xd8\xbb\x06\x10\x06\x1a\x06\x08\x80\xbc\xc1\x96\x0b";

fn mesh(workers: u32, etcd: Etcd) -> Mesh {
    Mesh::builder().workers(workers).etcd(etcd, json!({})).app("orders").start()
}

fn store(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "etcd" }
}

/// What is stored for a key, which has to be in daprd's form to the byte.
fn stored(client: &Client, key: &str) -> (Stored, i64) {
    let pair = client.get(&format!("/orders||{key}")).expect("a value");
    let value = Stored::decode(pair.value.as_slice()).expect("daprd's message");
    assert_eq!(value.encode_to_vec(), pair.value, "as a protobuf library writes it");
    (value, pair.lease)
}

fn text(client: &Client, key: &str) -> Option<String> {
    client.get(&format!("/orders||{key}"))?;
    Some(String::from_utf8(stored(client, key).0.data).unwrap())
}

fn message(body: &Value) -> &str {
    body["message"].as_str().unwrap()
}

#[test]
fn a_value_is_a_message_as_daprd_writes_it_and_its_life_is_a_lease() {
    on_etcd(|store| {
        let client = store.mesh.etcd().client();
        let key = unique("pair");
        store.put(&key, &json!({"n": 1}));
        let (value, lease) = stored(&client, &key);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let age = i64::try_from(now.as_secs()).unwrap() - value.ts.unwrap().seconds;
        assert!((0..30).contains(&age), "{age}");
        assert_eq!((value.data.as_slice(), value.ttl, lease), (&br#"{"n":1}"#[..], Some(Time::default()), 0));
        let answer = store.get(&key).expect(200);
        let revision = client.get(&format!("/orders||{key}")).unwrap().mod_revision.to_string();
        assert_eq!((answer.header("etag"), answer.header("metadata.ttlexpiretime")), (Some(&*revision), None));

        dapr::no_content(&store.save(&json!([{"key": key, "value": 2, "metadata": {"ttlInSeconds": "1000"}}])));
        let (value, lease) = stored(&client, &key);
        assert_eq!((value.ttl, client.granted(lease)), (Some(Time { seconds: 1000, nanos: 0 }), 1000));
        assert!(store.get(&key).header("metadata.ttlexpiretime").unwrap().ends_with('Z'));
        store.put(&key, &json!(3));
        assert_eq!(stored(&client, &key).1, 0, "without a time it stays");
        dapr::no_content(&store.delete(&key));
        assert_eq!(client.get(&format!("/orders||{key}")), None);
    });
}

#[test]
fn the_store_is_told_in_the_metadata_with_what_it_can() {
    on_etcd(|store| {
        let metadata = store.app().get("/v1.0/metadata").send().expect(200).json();
        for (name, version) in [("etcd", "v2"), ("etcd-v1", "v1")] {
            let found = metadata["components"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
            assert_eq!((&found["type"], &found["version"]), (&json!("state.etcd"), &json!(version)));
            assert_eq!(found["capabilities"], json!(["ETAG", "TRANSACTIONAL", "TTL"]), "{name}");
        }
    });
}

#[test]
fn what_daprd_wrote_is_read_changed_by_its_etag_and_removed() {
    on_etcd(|store| {
        let client = store.mesh.etcd().client();
        let (key, long) = (unique("theirs"), unique("long"));
        client.put(&format!("/orders||{key}"), OF_DAPRD);
        client.put(&format!("/orders||{long}"), OF_DAPRD_FOR_LONG);
        let answer = store.get(&key).expect(200);
        assert_eq!((answer.text().as_str(), answer.header("metadata.ttlexpiretime")), (r#"{"n":1}"#, None));
        assert_eq!(store.get(&long).expect(200).header("metadata.ttlexpiretime"), Some("2120-01-27T08:24:05Z"));
        let etag = store.etag(&key);
        dapr::no_content(&store.save(&json!([{"key": key, "value": 2, "etag": etag}])));
        dapr::error(&store.save(&json!([{"key": key, "value": 3, "etag": etag}])), 409, "ERR_STATE_SAVE");
        assert_eq!(text(&client, &key).as_deref(), Some("2"));
        dapr::error(&store.delete_if(&key, &etag), 409, "ERR_STATE_DELETE");
        dapr::no_content(&store.delete_if(&key, &store.etag(&key)));
        assert_eq!(client.get(&format!("/orders||{key}")), None);
    });
}

#[test]
fn version_1_keeps_values_bare_and_version_2_says_so_of_them() {
    on_etcd(|store| {
        let client = store.mesh.etcd().client();
        let old = Store { mesh: store.mesh, name: "etcd-v1" };
        let key = unique("bare");
        old.put(&key, &json!({"a": 1}));
        assert_eq!(client.get(&format!("my/path/orders||{key}")).unwrap().value, br#"{"a":1}"#);
        assert_eq!(old.value(&key).as_deref(), Some(r#"{"a":1}"#));
        client.put(&format!("/orders||{key}"), br#"{"a":1}"#);
        let body = dapr::error(&store.get(&key), 500, "ERR_STATE_GET");
        assert!(message(&body).contains(&key) && message(&body).contains("use version v1"), "{body}");
        store.put(&key, &json!(2));
        assert_eq!(text(&client, &key).as_deref(), Some("2"), "it can be written over");
    });
}

#[test]
fn an_etag_for_a_missing_key_is_409_and_first_write_needs_that_there_is_none() {
    on_etcd(|store| {
        let key = unique("missing");
        for etag in ["7", "0", "abc"] {
            dapr::error(&store.save(&json!([{"key": key, "value": 1, "etag": etag}])), 409, "ERR_STATE_SAVE");
            dapr::error(&store.delete_if(&key, etag), 409, "ERR_STATE_DELETE");
        }
        let first = |value: u32| json!([{"key": key, "value": value, "options": {"concurrency": "first-write"}}]);
        dapr::no_content(&store.save(&first(1)));
        let body = dapr::error(&store.save(&first(2)), 409, "ERR_STATE_SAVE");
        assert!(message(&body).contains("there is a value"), "{body}");
        assert_eq!(store.value(&key).as_deref(), Some("1"));
    });
}

#[test]
fn a_transaction_with_one_etag_that_does_not_fit_changes_nothing_and_names_the_key() {
    on_etcd(|store| {
        let (a, b) = (unique("a"), unique("b"));
        store.put(&a, &json!(1));
        let upsert = |key: &str, value: u32| json!({"operation": "upsert", "request": {"key": key, "value": value}});
        let old = store.etag(&a);
        store.put(&a, &json!(2));
        let operations =
            json!([upsert(&b, 2), {"operation": "delete", "request": {"key": a, "etag": old}}, upsert(&a, 4)]);
        let body = dapr::error(&store.transact(&operations), 500, "ERR_STATE_TRANSACTION");
        let wanted = format!("failed to delete key orders||{a}: its etag is not {old}");
        assert!(message(&body).ends_with(&wanted), "{body}");
        assert_eq!((store.value(&a).as_deref(), store.value(&b)), (Some("2"), None));
    });
}

#[test]
fn transactions_and_values_are_as_large_as_component_and_etcd_say() {
    let etcd = Etcd::with(&["--max-txn-ops=130"]);
    let port = etcd.port();
    let mesh = Mesh::builder().etcd(etcd, json!({})).etcd_component("more", "v2", json!({"maxTxnOps": "500"}), port);
    let mesh = mesh.app("orders").start();
    let (usual, more) = (store(&mesh), Store { mesh: &mesh, name: "more" });
    let operations = |count: usize| {
        let upsert = |n: usize| json!({"operation": "upsert", "request": {"key": format!("k{n}"), "value": n}});
        json!((0..count).map(upsert).collect::<Vec<_>>())
    };
    dapr::no_content(&usual.transact(&operations(128)));
    let body = dapr::error(&usual.transact(&operations(129)), 400, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS");
    let expected = json!({"currentOpsTransaction": "129", "maxOpsPerTransaction": "128"});
    assert_eq!(dapr::detail(&body, "ErrorInfo")["metadata"], expected);
    dapr::no_content(&more.transact(&operations(130)));
    let body = dapr::error(&more.transact(&operations(131)), 500, "ERR_STATE_TRANSACTION");
    assert!(message(&body).contains("too many operations in txn request"), "{body}");

    for (kib, words) in [(1700, "request is too large"), (2100, "message larger than max"), (4000, "larger than max")] {
        let large = json!([{"key": "large", "value": "x".repeat(kib * 1024)}]);
        let body = dapr::error(&usual.save(&large), 500, "ERR_STATE_SAVE");
        assert!(message(&body).contains(words) && !message(&body).contains("unknown"), "{body}");
    }
    assert_eq!(usual.value("large"), None);
}

#[test]
fn a_lease_whose_value_was_not_written_is_given_back() {
    let mesh = mesh(1, Etcd::start());
    let (store, client) = (store(&mesh), mesh.etcd().client());
    store.put("k", &json!(1));
    let item = json!([{"key": "k", "value": 2, "etag": "1", "metadata": {"ttlInSeconds": "5000"}}]);
    for _ in 0..5 {
        dapr::error(&store.save(&item), 409, "ERR_STATE_SAVE");
    }
    wait::until_true("no lease is left", || client.leases() == 0);
    let upsert = |key: &str, ttl: &str| json!({"operation": "upsert", "request": {"key": key, "value": 1, "metadata": {"ttlInSeconds": ttl}}});
    dapr::no_content(&store.transact(&json!([upsert("a", "60"), upsert("b", "70"), upsert("c", "60")])));
    assert_eq!(client.leases(), 2, "one for each length of life");
    assert_eq!(stored(&client, "a").1, stored(&client, "c").1);
}

#[test]
fn a_bulk_get_asks_for_twenty_values_with_one_call() {
    let mesh = mesh(1, Etcd::start());
    let store = store(&mesh);
    let keys: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    let items: Vec<Value> = keys.iter().enumerate().map(|(at, key)| json!({"key": key, "value": at})).collect();
    dapr::no_content(&store.save(&json!(items)));
    let sent = || mesh.envoy.admin().stat("cluster.weft_tcp_etcd.upstream_rq_total");
    for (parallelism, calls) in [(0, 5), (7, 15), (1, 100), (1000, 5)] {
        let before = sent();
        let entries = store.bulk(&json!({"keys": keys, "parallelism": parallelism})).expect(200).json();
        for (at, key) in keys.iter().enumerate() {
            assert_eq!((&entries[at]["key"], &entries[at]["data"]), (&json!(key), &json!(at)), "{parallelism}");
            assert!(entries[at]["etag"].is_string());
        }
        assert_eq!(sent() - before, calls, "{parallelism}");
    }
    mesh.etcd().kill();
    wait::until_true("the outage is noticed", || store.get("k").status == 500);
    let entries = store.bulk(&json!({"keys": keys})).expect(200).json();
    let errors = |words: &str| {
        let tells = |entry: &&Value| entry["error"].as_str().unwrap().contains(words);
        entries.as_array().unwrap().iter().filter(tells).count()
    };
    assert_eq!((errors("no connection to weft_tcp_etcd"), errors("not tried")), (40, 60));
}

fn writes(store: &Store<'_>, key: &str) -> [(Call, &'static str); 4] {
    let operations = json!({"operations": [{"operation": "upsert", "request": {"key": key, "value": 2}}]});
    let etag = store.get(key).header("etag").unwrap_or("7").to_owned();
    [
        (store.saving(&json!([{"key": key, "value": 1}])), "ERR_STATE_SAVE"),
        (store.saving(&json!([{"key": key, "value": 1, "etag": etag}])), "ERR_STATE_SAVE"),
        (store.app().post(&store.path("transaction")).json(&operations), "ERR_STATE_TRANSACTION"),
        (store.app().delete(&store.path(key)), "ERR_STATE_DELETE"),
    ]
}

#[test]
fn without_etcd_nothing_is_said_to_be_done_or_unknown_and_all_is_well_when_it_is_back() {
    for workers in [1, 4] {
        let mesh = mesh(workers, Etcd::start());
        let store = store(&mesh);
        store.put("k", &json!("kept"));
        mesh.etcd().kill();
        wait::until_true("the outage is noticed", || store.get("k").status == 500);
        for (call, code) in writes(&store, "k") {
            let body = dapr::error(&call.send(), 500, code);
            assert!(message(&body).contains("no connection to weft_tcp_etcd"), "{body}");
            assert!(!message(&body).contains("unknown"), "{body}");
        }
        mesh.etcd().restart();
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"kept\""));
    }
}

#[test]
fn a_write_under_way_when_etcd_dies_has_an_unknown_outcome_and_is_no_mismatch() {
    let mesh = mesh(1, Etcd::start());
    let store = store(&mesh);
    let sent = || mesh.envoy.admin().stat("cluster.weft_tcp_etcd.upstream_rq_total");
    store.put("k", &json!("before"));
    for (call, code) in writes(&store, "k") {
        mesh.etcd().freeze();
        let before = sent();
        let answer = std::thread::scope(|scope| {
            let answer = scope.spawn(|| call.send());
            wait::until_true("the command has left", || sent() > before);
            mesh.etcd().kill();
            answer.join().expect("an answer")
        });
        let body = dapr::error(&answer, 500, code);
        assert!(message(&body).contains("the outcome is unknown"), "{body}");
        mesh.etcd().restart();
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"before\""));
    }
}

#[test]
fn an_etcd_that_stands_still_ends_every_request_in_time() {
    let mesh = mesh(1, Etcd::start());
    let store = store(&mesh);
    store.put("k", &json!(0));
    mesh.etcd().freeze();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let save = |number: u32| store.saving(&json!([{"key": format!("k{number}"), "value": number}]));
        let calls: Vec<_> = (0..50).map(|number| scope.spawn(move || save(number).send())).collect();
        dapr::error(&store.get("k"), 500, "ERR_STATE_GET");
        for call in calls {
            let body = dapr::error(&call.join().expect("an answer"), 500, "ERR_STATE_SAVE");
            assert!(message(&body).contains("the outcome is unknown"), "{body}");
        }
    });
    assert!((4..12).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    mesh.etcd().thaw();
    wait::until_true("the store is back", || store.get("k").status == 200);
    assert_eq!(mesh.envoy.admin().stat("cluster.weft_tcp_etcd.upstream_rq_active"), 0);
}

#[test]
fn an_etcd_that_is_down_or_lets_nobody_in_at_the_start_is_told_by_health_until_it_does() {
    let mut down = Etcd::start();
    down.kill();
    let mesh = mesh(1, down);
    let health = || mesh.app("orders").get("/v1.0/healthz").send();
    wait::until_true("health tells of it", || health().text().contains("etcd: no connection to weft_tcp_etcd"));
    dapr::error(&store(&mesh).get("k"), 500, "ERR_STATE_GET");
    mesh.etcd().restart();
    wait::until_true("all is well", || health().status == 204);
    store(&mesh).put("k", &json!(1));

    mesh.etcd().client().demand_names();
    let body = dapr::error(&store(&mesh).save(&json!([{"key": "k", "value": 2}])), 500, "ERR_STATE_SAVE");
    assert!(message(&body).contains("user name is empty"), "{body}");
    let other = Mesh::builder().module(env::full_module()).app("orders");
    let other = other.etcd_component("closed", "v2", json!({}), mesh.etcd().port()).start();
    let health = || other.app("orders").get("/v1.0/healthz").send().text();
    wait::until_true("health tells of it", || health().contains("closed: etcdserver: user name is empty"));
}

#[test]
fn an_answer_that_is_cut_anywhere_is_asked_for_again_or_of_unknown_outcome() {
    let etcd = Etcd::start();
    let proxy = FaultProxy::before(etcd.port());
    let mesh = Mesh::builder().module(env::full_module()).app("orders");
    let mesh = mesh.etcd_component("etcd", "v2", json!({}), proxy.port()).start();
    let (store, client) = (store(&mesh), etcd.client());
    let replies_to = |ask: &dyn Fn()| {
        let _before = proxy.take(Way::Replies);
        ask();
        std::thread::sleep(Duration::from_millis(50));
        proxy.take(Way::Replies).len()
    };
    store.put("k", &json!("kept"));
    let etag = store.etag("k");
    let length = replies_to(&|| drop(store.get("k")));
    assert!(length > 100, "{length}");
    for cut in 0..length {
        proxy.cut_after(Way::Replies, cut);
        let answer = store.get("k").expect(200);
        assert_eq!((answer.text().as_str(), answer.header("etag")), ("\"kept\"", Some(&*etag)), "{cut} of {length}");
    }
    proxy.pass();
    store.put("w", &json!("old"));
    let length = replies_to(&|| store.put("w", &json!("new")));
    let mut unknown = 0;
    for cut in 0..length {
        store.put("w", &json!("old"));
        let etag = store.etag("w");
        proxy.cut_after(Way::Replies, cut);
        let answer = store.save(&json!([{"key": "w", "value": cut, "etag": etag}]));
        proxy.pass();
        let is_done = text(&client, "w") == Some(cut.to_string());
        // What HTTP/2 says of the connection itself may stand before or behind the answer.
        if answer.status == 204 {
            assert!(is_done, "{cut} of {length}");
        } else {
            let body = dapr::error(&answer, 500, "ERR_STATE_SAVE");
            assert!(message(&body).contains("the outcome is unknown"), "{cut} of {length}: {body}");
            unknown += u32::from(is_done);
        }
    }
    assert!(unknown > 40, "of {length} cuts {unknown} took the answer away from a write that was done");
}

#[test]
fn a_connection_that_has_gone_silent_is_given_up_before_the_request_is() {
    let etcd = Etcd::start();
    let proxy = FaultProxy::before(etcd.port());
    let mesh = Mesh::builder().module(env::full_module()).app("orders");
    let mesh = mesh.etcd_component("etcd", "v2", json!({}), proxy.port()).start();
    let store = store(&mesh);
    store.put("k", &json!(1));
    let before = proxy.connections();
    proxy.hold(Way::Replies);
    std::thread::sleep(Duration::from_millis(5200));
    std::thread::scope(|scope| {
        let read = scope.spawn(|| store.get("k"));
        wait::until_true("another connection is made", || proxy.connections() > before);
        proxy.pass();
        assert_eq!(read.join().expect("an answer").expect(200).text(), "1");
    });
    for _ in 0..5 {
        // Asking for a sign of life does not make etcd end the connection.
        std::thread::sleep(Duration::from_millis(5100));
        store.put("k", &json!(2));
    }
    assert_eq!(proxy.connections(), before + 1);
}

#[test]
fn what_is_no_answer_of_grpc_ends_its_request_and_the_next_one_is_served() {
    let etcd = Etcd::start();
    let proxy = FaultProxy::before(etcd.port());
    let mesh = Mesh::builder().module(env::full_module()).app("orders");
    let mesh = mesh.etcd_component("etcd", "v2", json!({}), proxy.port()).start();
    let store = store(&mesh);
    store.put("k", &json!("old"));
    for nonsense in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\0", &[0xff; 200], b"\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]
    {
        proxy.forge(nonsense);
        let answer = store.saving(&json!([{"key": "k", "value": "new"}])).send();
        proxy.pass();
        if answer.status != 204 {
            let body = dapr::error(&answer, 500, "ERR_STATE_SAVE");
            assert!(message(&body).contains("the outcome is unknown"), "{nonsense:?}: {body}");
        }
        wait::until_true("the store is back", || store.get("k").status == 200);
    }
}
