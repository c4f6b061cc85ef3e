//! How much a request, a value and a store may hold.

use super::{Store, on_each_store};
use serde_json::json;
use weft_tests::client::{Answer, Call};
use weft_tests::dapr::{self, unique};
use weft_tests::mesh::{MAX_BODY, Mesh};
use weft_tests::redis::Redis;

const MIB: usize = 1024 * 1024;

/// A save of one string of such a length that the whole body has `size` bytes.
fn body_of(key: &str, size: usize) -> String {
    let frame = format!("[{{\"key\":\"{key}\",\"value\":\"\"}}]").len();
    format!("[{{\"key\":\"{key}\",\"value\":\"{}\"}}]", "v".repeat(size - frame))
}

fn save(store: &Store<'_>, body: String) -> Call {
    store.app().post(&format!("/v1.0/state/{}", store.name)).body(body)
}

#[test]
fn large_values_are_stored_and_read_whole() {
    on_each_store(|store| {
        for size in [64 * 1024, MIB, MAX_BODY as usize] {
            let key = unique("large");
            let body = body_of(&key, size);
            let value = body[body.find(":\"v").unwrap() + 1..body.len() - 2].to_owned();
            dapr::no_content(&save(store, body).send());
            let read = store.value(&key).unwrap();
            assert!(read == value, "{} of {} bytes", read.len(), value.len());
            let entries = store.bulk(&json!({"keys": [key, key]})).expect(200).json();
            assert_eq!(entries[1]["data"].as_str().map(str::len), Some(value.len() - 2));
            dapr::no_content(&store.delete(&key));
        }
    });
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_limit_and_stores_nothing() {
    on_each_store(|store| {
        let key = unique("over");
        let refused = |answer: &Answer| {
            let body = dapr::error(answer, 400, "ERR_MALFORMED_REQUEST");
            let message = body["message"].as_str().unwrap();
            assert!(message.contains(&MAX_BODY.to_string()) && message.contains("maxBodyBytes"), "{message}");
        };
        for size in [MAX_BODY as usize + 1, MAX_BODY as usize + 2 * MIB] {
            refused(&save(store, body_of(&key, size)).send());
            for operation in ["bulk", "transaction"] {
                refused(&store.app().post(&store.path(operation)).body(" ".repeat(size)).send());
            }
        }
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn a_body_over_the_limit_that_did_not_say_its_size_is_refused_too() {
    on_each_store(|store| {
        let key = unique("chunked");
        let body = body_of(&key, MAX_BODY as usize + 64 * 1024);
        let mut raw = store.app().raw();
        raw.write(format!("POST /v1.0/state/{} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", store.name));
        for piece in body.as_bytes().chunks(64 * 1024) {
            if !raw.try_write([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()) {
                break;
            }
        }
        let answer = raw.answer().expect("an answer");
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("maxBodyBytes"), "{}", answer.text());
        assert_eq!(store.value(&key), None);
    });
}

#[test]
fn a_smaller_limit_holds_for_every_operation() {
    let mesh = Mesh::builder().max_body(1000).in_memory().app("orders").start();
    let store = Store { mesh: &mesh, name: "memory" };
    dapr::no_content(&save(&store, body_of("k", 1000)).send());
    dapr::error(&save(&store, body_of("k", 1001)).send(), 400, "ERR_MALFORMED_REQUEST");
    assert_eq!(store.value("k").map(|value| value.len()), Some(1000 - "[{'key':'k','value':}]".len()));
}

#[test]
fn more_values_than_one_answer_may_hold_are_refused_with_the_remedy() {
    on_each_store(|store| {
        let key = unique("many");
        dapr::no_content(&save(store, body_of(&key, 3 * MIB)).send());
        let keys = |count: usize| json!({"keys": vec![key.as_str(); count]});
        assert_eq!(store.bulk(&keys(10)).expect(200).json().as_array().unwrap().len(), 10);
        let body = dapr::error(&store.bulk(&keys(12)), 500, "ERR_STATE_BULK_GET");
        assert!(body["message"].as_str().unwrap().contains("fewer keys"), "{body}");
        dapr::no_content(&store.delete(&key));
    });
}

#[test]
fn a_foreign_value_that_is_too_large_is_refused_and_nobody_else_notices() {
    for workers in [1, 4] {
        // Its own: what waits behind 65 MiB on a busy machine may be given back.
        let mesh = Mesh::builder().workers(workers).redis(Redis::start()).app("orders").start();
        let store = Store { mesh: &mesh, name: "statestore" };
        let (large, key) = (unique("foreign"), unique("beside"));
        let write = "redis.call('HSET',KEYS[1],'data',string.rep('x',65*1024*1024),'version','1')";
        store.put(&key, &json!(1));
        let mut redis = store.mesh.redis().client();
        redis.run::<()>(&["EVAL", write, "1", &format!("orders||{large}")]);
        let closed = || store.mesh.envoy.admin().stat("wasmcustom.weft.link.closed");
        let before = closed();
        let body = dapr::error(&store.get(&large), 500, "ERR_STATE_GET");
        assert!(body["message"].as_str().unwrap().contains("67108864 bytes"), "{body}");
        let entries = store.bulk(&json!({"keys": [key, large, key]})).expect(200).json();
        assert_eq!((&entries[0]["data"], &entries[2]["data"]), (&json!(1), &json!(1)));
        assert!(entries[1]["error"].as_str().unwrap().contains("67108864 bytes"), "{entries}");
        assert_eq!(closed(), before, "the connection lives on");
        dapr::no_content(&store.delete(&large));
    }
}

#[test]
fn a_store_in_memory_that_is_full_refuses_and_takes_again_after_a_delete() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).in_memory().app("orders").start();
        let store = Store { mesh: &mesh, name: "memory" };
        let keys: Vec<String> = (0..40).map(|number| format!("fill-{number}")).collect();
        let refused = keys.iter().position(|key| save(&store, body_of(key, 3 * MIB)).send().status != 204);
        let refused = refused.expect("the store is full at some point");
        assert!((15..=22).contains(&refused), "about 64 MiB are taken: {refused} times 3 MiB");
        let body = dapr::error(&save(&store, body_of("one-more", 3 * MIB)).send(), 500, "ERR_STATE_SAVE");
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("\"memory\"") && message.contains("full"), "{message}");
        assert_eq!(store.value("one-more"), None);
        assert!(store.value(&keys[0]).is_some(), "what is there stays");
        dapr::no_content(&store.delete(&keys[0]));
        dapr::no_content(&save(&store, body_of("one-more", 2 * MIB)).send());
    }
}
