//! What stands before a key in the store.

use super::{FULL, MESHES, Store, on_etcd, on_postgres, on_redis};
use serde_json::{Value, json};
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::Mesh;

/// Names of stores, their `keyPrefix`, and what then stands before a key of `orders`. In the key, `{store}` is the
/// store's own name.
pub const COMPONENTS: [(&str, &str, &str); 5] = [
    ("appid", "AppId", "orders||"),
    ("name", "name", "{store}||"),
    ("namespace", "namespace", "default.orders||"),
    ("none", "NONE", ""),
    ("literal", "My Team", "my team||"),
];

pub fn component((name, prefix, _): &(&'static str, &str, &str)) -> (&'static str, Value) {
    (name, json!({"KEYPREFIX": prefix}))
}

#[test]
fn each_strategy_gives_daprs_key_in_redis() {
    on_redis(|store| {
        for (name, _, prefix) in COMPONENTS {
            let name = format!("redis-{name}");
            let store = Store { mesh: store.mesh, name: &name };
            let (key, second) = (unique("key"), unique("key"));
            let full = |key: &str| prefix.replace("{store}", &name) + key;
            store.put(&key, &json!(name));
            let operations = json!([{"operation": "upsert", "request": {"key": second, "value": 2}}]);
            dapr::no_content(&store.transact(&operations));
            let mut redis = store.mesh.redis().client();
            assert_eq!(redis.run::<String>(&["HGET", &full(&key), "data"]), format!("{name:?}"));
            assert_eq!(redis.run::<String>(&["HGET", &full(&second), "data"]), "2");
            let entries = store.bulk(&json!({"keys": [key, second]})).expect(200).json();
            assert_eq!((&entries[0]["key"], &entries[1]["key"]), (&json!(key), &json!(second)));
            dapr::no_content(&store.delete(&key));
            assert_eq!(redis.run::<u64>(&["EXISTS", &full(&key)]), 0);
        }
    });
}

#[test]
fn applications_share_values_where_the_prefix_does_not_name_them() {
    MESHES.each(|mesh| ["redis", "memory"].iter().for_each(|backend| share_by_prefix(mesh, backend)));
    FULL.each(|mesh| ["postgres", "etcd"].iter().for_each(|backend| share_by_prefix(mesh, backend)));
}

fn share_by_prefix(mesh: &Mesh, backend: &str) {
    for (strategy, shared) in
        [("appid", false), ("namespace", false), ("name", true), ("none", true), ("literal", true)]
    {
        let name = format!("{backend}-{strategy}");
        let store = Store { mesh, name: &name };
        let key = unique("shared");
        store.put(&key, &json!(1));
        let seen = mesh.app("warehouse").get(&store.path(&key)).send();
        assert_eq!(seen.status, if shared { 200 } else { 204 }, "{name}");
        dapr::no_content(&store.delete(&key));
    }
}

#[test]
fn each_strategy_gives_daprs_key_in_postgresql() {
    on_postgres(|store| {
        for (name, _, prefix) in COMPONENTS {
            let name = format!("postgres-{name}");
            let store = Store { mesh: store.mesh, name: &name };
            let key = unique("key");
            let full = prefix.replace("{store}", &name) + &key;
            store.put(&key, &json!(name));
            let mut sql = store.mesh.postgres().client();
            let value = sql.one(&format!("SELECT convert_from(value, 'UTF8') FROM state WHERE key = '{full}'"));
            assert_eq!(value, format!("{name:?}"));
        }
    });
}

#[test]
fn each_strategy_gives_daprs_key_in_etcd() {
    on_etcd(|store| {
        for (name, _, prefix) in COMPONENTS {
            let name = format!("etcd-{name}");
            let store = Store { mesh: store.mesh, name: &name };
            let key = unique("key");
            store.put(&key, &json!(name));
            let full = format!("/{}{key}", prefix.replace("{store}", &name));
            assert!(store.mesh.etcd().client().get(&full).is_some(), "{full}");
        }
    });
}
