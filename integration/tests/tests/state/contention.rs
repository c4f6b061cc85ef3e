//! Many writers of one value.

use super::{Store, on_each_store};
use serde_json::json;
use weft_tests::dapr::unique;
use weft_tests::runtime::{block_on, runtime};

/// Connections that write at once.
const WRITERS: u32 = 64;
/// How often each of them counts up.
const EACH: u32 = 4;

#[test]
fn writers_that_count_by_etag_give_the_exact_sum() {
    on_each_store(|store| {
        let key = unique("sum");
        store.put(&key, &json!(0));
        let writers: Vec<_> = (0..WRITERS).map(|_| runtime().spawn(count_up(Target::of(store, &key)))).collect();
        for writer in writers {
            block_on(writer).expect("a writer ends well");
        }
        assert_eq!(store.value(&key), Some((WRITERS * EACH).to_string()), "{}", store.name);
    });
}

#[test]
fn of_many_that_create_one_value_by_first_write_one_succeeds() {
    on_each_store(|store| {
        let key = unique("first");
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let item = json!([{"key": key, "value": number, "options": {"concurrency": "first-write"}}]);
                runtime().spawn(store.saving(&item).keep_alive().send_async())
            })
            .collect();
        let statuses: Vec<u16> = writers.into_iter().map(|it| block_on(it).unwrap().unwrap().status).collect();
        // As with daprd on each of them, as far as that is known.
        let refused = if ["memory", "etcd"].contains(&store.name) { 409 } else { 500 };
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == refused).count(), WRITERS as usize - 1, "{statuses:?}");
        let winner = statuses.iter().position(|status| *status == 204).unwrap();
        assert_eq!(store.value(&key), Some(winner.to_string()));
    });
}

/// Where a writer works, in a form that a task can own.
#[derive(Clone)]
struct Target {
    address: String,
    save: String,
    get: String,
    key: String,
}

impl Target {
    fn of(store: &Store<'_>, key: &str) -> Self {
        let save = format!("/v1.0/state/{}", store.name);
        Self { address: store.app().http(), save, get: store.path(key), key: key.to_owned() }
    }
}

/// Reads, adds one and writes back what is still as it was read, again and again.
async fn count_up(target: Target) {
    let mut left = EACH;
    while left > 0 {
        let get = weft_tests::client::get(&target.address, &target.get).keep_alive();
        let read = get.send_async().await.expect("an answer").expect(200);
        let value: u32 = read.text().parse().expect("a number");
        let etag = read.header("etag").expect("an etag");
        let item = json!([{"key": target.key, "value": value + 1, "etag": etag}]);
        let call = weft_tests::client::Call::new(hyper::Method::POST, &target.address, &target.save);
        let written = call.keep_alive().json(&item).send_async().await.expect("an answer");
        match written.status {
            204 => left -= 1,
            409 => {}
            other => panic!("{other}: {}", written.text()),
        }
    }
}
