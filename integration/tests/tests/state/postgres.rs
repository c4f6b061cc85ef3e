//! What is in PostgreSQL's tables, and who may have put it there.

use super::{Store, on_postgres};
use serde_json::json;
use weft_tests::client::Call;
use weft_tests::dapr::{self, unique};
use weft_tests::env;
use weft_tests::fault_proxy::{FaultProxy, Way};
use weft_tests::mesh::Mesh;
use weft_tests::postgres::{Login, Postgres, Sql};
use weft_tests::wait;

/// What daprd made and wrote into an empty database for a `state.postgresql` of version 2, as it was watched.
const OF_DAPRD: &str = "
CREATE TABLE dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
INSERT INTO dapr_metadata VALUES ('lock', 'lock'), ('migrations-state-v2-', '1'),
  ('last-cleanup-state-v2-', '2026-11-30 07:42:02.422778+00');
CREATE TABLE state (
  key text NOT NULL PRIMARY KEY,
  value bytea NOT NULL,
  etag uuid DEFAULT gen_random_uuid() NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  updated_at timestamp with time zone,
  expires_at timestamp with time zone);
CREATE INDEX state_expires_at_idx ON state (expires_at);
INSERT INTO state (key, value, etag, created_at, expires_at) VALUES
  ('orders||a', '{\"n\":1,\"s\":\"x\"}', 'da298bd2-6b63-41e9-8f5e-25905903f5a0', now(), NULL),
  ('orders||t', '\"text\"', '5d4aefb1-170b-441b-ab8a-ceb8e564b289', now(), '2126-11-30 08:00:03.439264+00'),
  ('orders||gone', '1', '558f15b6-6d35-4f0b-ab26-b11d3cb9a884', now(), '2026-11-30 07:43:24.467373+00');
";

/// Columns of a table: name, type, whether it may be `NULL`, default.
const COLUMNS: &str = "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns \
    WHERE table_name = 'state' ORDER BY ordinal_position";

fn mesh(workers: u32, postgres: Postgres) -> Mesh {
    Mesh::builder().workers(workers).postgres(postgres).app("orders").start()
}

fn store(mesh: &Mesh) -> Store<'_> {
    Store { mesh, name: "postgres" }
}

/// The row of a key: value, etag, whether it was changed, seconds that it lives.
fn row(sql: &mut Sql, key: &str) -> Vec<Option<String>> {
    let columns = "convert_from(value, 'UTF8'), etag, updated_at IS NOT NULL, \
        round(extract(epoch FROM expires_at - coalesce(updated_at, created_at)))";
    sql.rows(&format!("SELECT {columns} FROM state WHERE key = 'orders||{key}'")).pop().expect("a row")
}

fn texts(row: &[Option<String>]) -> Vec<&str> {
    row.iter().map(|column| column.as_deref().unwrap_or("NULL")).collect()
}

#[test]
fn a_value_is_a_row_as_daprd_writes_it() {
    on_postgres(|store| {
        let mut sql = store.mesh.postgres().client();
        let key = unique("row");
        let item = json!([{"key": key, "value": {"n": 1}, "metadata": {"ttlInSeconds": "1000"}}]);
        dapr::no_content(&store.save(&item));
        let etag = store.etag(&key);
        assert_eq!(texts(&row(&mut sql, &key)), [r#"{"n":1}"#, &etag, "f", "1000"]);
        let time = store.get(&key).header("metadata.ttlexpiretime").unwrap().to_owned();
        let expected = "SELECT to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM state";
        assert_eq!(time, sql.one(&format!("{expected} WHERE key = 'orders||{key}'")));
        store.put(&key, &json!("a"));
        assert_ne!(store.etag(&key), etag);
        assert_eq!(texts(&row(&mut sql, &key)), ["\"a\"", &store.etag(&key), "t", "NULL"], "without a time it stays");
        dapr::no_content(&store.delete(&key));
        assert_eq!(sql.one(&format!("SELECT count(*) FROM state WHERE key = 'orders||{key}'")), "0");
    });
}

#[test]
fn the_tables_are_those_that_daprd_makes_and_its_own_are_used_as_they_are() {
    let made = Postgres::start();
    made.client().rows(OF_DAPRD);
    let of_daprd = made.client().rows(COLUMNS);
    let (theirs, ours) = (mesh(4, made), mesh(4, Postgres::start()));
    store(&ours).put("k", &json!(1));
    let mut sql = ours.postgres().client();
    assert_eq!(sql.rows(COLUMNS), of_daprd);
    let metadata = "SELECT key, value FROM dapr_metadata ORDER BY key";
    let expected = [["lock", "lock"], ["migrations-state-v2-", "1"]];
    assert_eq!(sql.rows(metadata).iter().map(|row| texts(row)).collect::<Vec<_>>(), expected);
    assert_eq!(
        sql.one("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'state_expires%'"),
        "state_expires_at_idx"
    );

    let store = store(&theirs);
    let read = store.get("a").expect(200);
    assert_eq!(
        (read.text().as_str(), read.header("etag")),
        (r#"{"n":1,"s":"x"}"#, Some("da298bd2-6b63-41e9-8f5e-25905903f5a0"))
    );
    assert_eq!(store.get("t").expect(200).header("metadata.ttlexpiretime"), Some("2126-11-30T08:00:03Z"));
    assert_eq!(store.value("gone"), None);
    let item = json!([{"key": "gone", "value": 2, "options": {"concurrency": "first-write"}}]);
    dapr::no_content(&store.save(&item));
    let item = json!([{"key": "a", "value": 2, "etag": "da298bd2-6b63-41e9-8f5e-25905903f5a0"}]);
    dapr::no_content(&store.save(&item));
    assert_eq!(texts(&row(&mut theirs.postgres().client(), "a"))[0], "2");
    assert_eq!(theirs.postgres().client().one("SELECT count(*) FROM dapr_metadata"), "3");
}

#[test]
fn a_table_of_another_name_and_schema_is_made_and_used() {
    let postgres = Postgres::start();
    postgres.client().rows("CREATE SCHEMA side");
    let metadata = json!({"tablePrefix": "side.My_", "metadataTableName": "side.about"});
    let mesh = Mesh::builder().postgres(postgres).postgres_component("other", metadata).app("orders").start();
    Store { mesh: &mesh, name: "other" }.put("k", &json!(1));
    let mut sql = mesh.postgres().client();
    assert_eq!(sql.one("SELECT convert_from(value, 'UTF8') FROM side.my_state"), "1");
    assert_eq!(sql.one("SELECT value FROM side.about WHERE key = 'migrations-state-v2-side.My_'"), "1");
}

#[test]
fn every_way_to_show_a_password_lets_us_in_and_a_wrong_one_is_told_without_it() {
    for login in [Login::Scram, Login::Md5, Login::Clear] {
        let wrong = json!({"password": "hunter2"});
        let mesh = Mesh::builder()
            .postgres(Postgres::with(login, &[]))
            .postgres_component("wrong", wrong)
            .app("orders")
            .start();
        store(&mesh).put("k", &json!(1));
        assert_eq!(store(&mesh).value("k").as_deref(), Some("1"), "{login:?}");
        let health = || mesh.app("orders").get("/v1.0/healthz").send();
        wait::until_true("health tells of it", || health().text().contains("password authentication failed"));
        let text = health().text();
        assert!(
            text.contains("wrong: ") && text.contains("check user, password") && !text.contains("hunter2"),
            "{text}"
        );
        dapr::error(&Store { mesh: &mesh, name: "wrong" }.get("k"), 500, "ERR_STATE_GET");
        mesh.envoy.expect_log("refused by the backend", 1..=10);
    }
}

#[test]
fn a_transaction_with_one_etag_that_does_not_fit_changes_nothing() {
    on_postgres(|store| {
        let (a, b) = (unique("a"), unique("b"));
        store.put(&a, &json!(1));
        let upsert = |key: &str, value: u32| json!({"operation": "upsert", "request": {"key": key, "value": value}});
        let delete = json!({"operation": "delete", "request": {"key": a, "etag": store.strange_etag()}});
        let answer = store.transact(&json!([upsert(&b, 2), upsert(&a, 3), delete, upsert(&b, 4)]));
        let body = dapr::error(&answer, 500, "ERR_STATE_TRANSACTION");
        let text = body["message"].as_str().unwrap();
        assert!(text.contains("possible etag mismatch") && text.contains(&format!("delete key orders||{a}")), "{text}");
        assert_eq!((store.value(&a).as_deref(), store.value(&b)), (Some("1"), None));
        dapr::no_content(&store.transact(&json!([upsert(&b, 2), upsert(&a, 3), upsert(&b, 4)])));
        assert_eq!((store.value(&a).as_deref(), store.value(&b).as_deref()), (Some("3"), Some("4")));
    });
}

#[test]
fn a_worker_has_no_more_connections_than_its_component_says() {
    let metadata = json!({"maxConns": "3"});
    let mesh = Mesh::builder()
        .workers(1)
        .postgres(Postgres::start())
        .postgres_component("three", metadata)
        .app("orders")
        .start();
    let three = Store { mesh: &mesh, name: "three" };
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let items: Vec<_> = keys.iter().map(|key| json!({"key": key, "value": 1})).collect();
    for store in [&three, &store(&mesh)] {
        dapr::no_content(&store.save(&json!(items)));
        assert_eq!(store.bulk(&json!({"keys": keys})).expect(200).json().as_array().unwrap().len(), 200);
    }
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'weft'";
    // Three of the one component, two of the other.
    assert_eq!(mesh.postgres().client().one(count), "5");
}

#[test]
fn values_whose_time_has_come_are_removed_by_one_worker_at_a_time() {
    let metadata = json!({"cleanupInterval": "1s"});
    let postgres = Postgres::start();
    postgres.client().rows(OF_DAPRD);
    let mesh =
        Mesh::builder().workers(4).postgres(postgres).postgres_component("clean", metadata).app("orders").start();
    let mut sql = mesh.postgres().client();
    sql.rows(
        "INSERT INTO state (key, value, expires_at) SELECT 'old' || n, '1', now() FROM generate_series(1, 2500) n",
    );
    wait::until_true("they are gone", || sql.one("SELECT count(*) FROM state WHERE expires_at <= now()") == "0");
    assert_eq!(sql.one("SELECT count(*) FROM state"), "2", "the others stay");
    let last =
        "SELECT now() - value::timestamptz < interval '5 s' FROM dapr_metadata WHERE key = 'last-cleanup-state-v2-'";
    assert_eq!(sql.one(last), "t");
}

fn writes(store: &Store<'_>, key: &str) -> [(Call, &'static str); 3] {
    let operations = json!({"operations": [{"operation": "upsert", "request": {"key": key, "value": 2}}]});
    [
        (store.saving(&json!([{"key": key, "value": 1, "etag": store.strange_etag()}])), "ERR_STATE_SAVE"),
        (store.app().post(&store.path("transaction")).json(&operations), "ERR_STATE_TRANSACTION"),
        (store.app().delete(&store.path(key)), "ERR_STATE_DELETE"),
    ]
}

#[test]
fn without_postgresql_nothing_is_said_to_be_done_or_unknown_and_all_is_well_when_it_is_back() {
    for workers in [1, 4] {
        let mesh = mesh(workers, Postgres::start());
        mesh.envoy.expect_log("the database system is", 0..=20);
        let store = store(&mesh);
        store.put("k", &json!("kept"));
        mesh.postgres().kill();
        wait::until_true("the outage is noticed", || store.get("k").status == 500);
        for (call, code) in writes(&store, "k") {
            let text = dapr::error(&call.send(), 500, code)["message"].to_string();
            assert!(text.contains("no connection to weft_tcp_postgres") && !text.contains("unknown"), "{text}");
        }
        mesh.postgres().restart();
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"kept\""));
    }
}

#[test]
fn a_write_under_way_when_postgresql_dies_has_an_unknown_outcome_and_is_no_mismatch() {
    let mesh = mesh(1, Postgres::start());
    let store = store(&mesh);
    // It lets nobody in before it has read what the dead one had written.
    mesh.envoy.expect_log("the database system is", 0..=20);
    let commands = || mesh.envoy.admin().stat("wasmcustom.weft.link.commands");
    for (call, code) in writes(&store, "k") {
        store.put("k", &json!("before"));
        mesh.postgres().freeze();
        let before = commands();
        let answer = std::thread::scope(|scope| {
            let answer = scope.spawn(|| call.send());
            wait::until_true("the command has left", || commands() > before);
            mesh.postgres().kill_frozen();
            answer.join().expect("an answer")
        });
        let text = dapr::error(&answer, 500, code)["message"].to_string();
        assert!(text.contains("the outcome is unknown"), "{text}");
        mesh.postgres().restart();
        wait::until_true("the store is back", || store.get("k").status == 200);
        assert_eq!(store.value("k").as_deref(), Some("\"before\""));
    }
}

#[test]
fn a_postgresql_that_is_down_at_the_start_is_told_by_health_until_it_is_there() {
    let mut postgres = Postgres::start();
    postgres.kill();
    let mesh = mesh(1, postgres);
    mesh.envoy.expect_log("the database system is", 0..=20);
    let health = || mesh.app("orders").get("/v1.0/healthz").send();
    wait::until_true("health tells of it", || health().text().contains("postgres: no connection to weft_tcp_postgres"));
    dapr::error(&store(&mesh).get("k"), 500, "ERR_STATE_GET");
    mesh.postgres().restart();
    wait::until_true("all is well", || health().status == 204);
    store(&mesh).put("k", &json!(1));
}

#[test]
fn what_postgresql_cannot_hold_is_refused_in_its_own_words() {
    on_postgres(|store| {
        let long: String = (0..2000).map(|number| number.to_string()).collect();
        for (key, words) in [("a\0b", "invalid byte sequence"), (long.as_str(), "exceeds btree version 4 maximum")] {
            let body = dapr::error(&store.save(&json!([{"key": key, "value": 1}])), 500, "ERR_STATE_SAVE");
            assert!(body["message"].as_str().unwrap().contains(words), "{body}");
        }
    });
}

#[test]
fn a_connection_that_postgresql_ends_is_opened_again() {
    for workers in [1, 4] {
        let mesh = mesh(workers, Postgres::start());
        store(&mesh).put("k", &json!(1));
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'weft'";
        assert_ne!(mesh.postgres().client().one(end), "0");
        // Each worker has connections of its own.
        for _ in 0..4 * workers {
            assert_eq!(store(&mesh).value("k").as_deref(), Some("1"));
        }
    }
}

/// How many bytes the replies to what `ask` does are.
fn replies_to(proxy: &FaultProxy, ask: impl FnOnce()) -> usize {
    let _before = proxy.take(Way::Replies);
    ask();
    proxy.take(Way::Replies).len()
}

#[test]
fn a_reply_that_is_cut_anywhere_is_asked_for_again_or_of_unknown_outcome() {
    let postgres = Postgres::start();
    let proxy = FaultProxy::before(postgres.port());
    // On one connection, so that each cut falls into the reply.
    let mesh = Mesh::builder().module(env::full_module()).app("orders");
    let mesh = mesh.postgres_component_at("postgres", json!({"maxConns": "1"}), proxy.port()).start();
    let (store, mut sql) = (store(&mesh), postgres.client());
    store.put("k", &json!("kept"));
    let etag = store.etag("k");
    let length = replies_to(&proxy, || drop(store.get("k")));
    assert!(length > 60, "{length}");
    for cut in 0..length {
        proxy.cut_after(Way::Replies, cut);
        let answer = store.get("k").expect(200);
        assert_eq!((answer.text().as_str(), answer.header("etag")), ("\"kept\"", Some(&*etag)), "{cut} of {length}");
    }
    let write = |value: usize, etag: &str| store.save(&json!([{"key": "w", "value": value, "etag": etag}]));
    store.put("w", &json!(0));
    let etag = store.etag("w");
    let length = replies_to(&proxy, || dapr::no_content(&write(1, &etag)));
    assert!(length > 15, "{length}");
    for cut in 0..length {
        let etag = store.etag("w");
        proxy.cut_after(Way::Replies, cut);
        let text = dapr::error(&write(cut, &etag), 500, "ERR_STATE_SAVE")["message"].to_string();
        assert!(text.contains("the outcome is unknown"), "{cut} of {length}: {text}");
        let value = sql.one("SELECT convert_from(value, 'UTF8') FROM state WHERE key = 'orders||w'");
        assert_eq!(value, cut.to_string(), "it was done");
    }
}
