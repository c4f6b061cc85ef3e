//! The connection to Redis breaks, stalls or speaks nonsense in the middle of a reply.

use super::Store;
use serde_json::{Value, json};
use weft_tests::client::{Answer, Call};
use weft_tests::dapr::{self, unique};
use weft_tests::fault_proxy::{FaultProxy, Way};
use weft_tests::mesh::Mesh;
use weft_tests::redis::{Client, Redis};
use weft_tests::wait;

/// An application whose store is reached through a proxy that breaks.
struct Broken {
    redis: Redis,
    proxy: FaultProxy,
    mesh: Mesh,
}

impl Broken {
    fn start() -> Self {
        let redis = Redis::start();
        let proxy = FaultProxy::before(redis.port());
        let mesh = Mesh::builder().app("orders").component_at("statestore", "state.redis", proxy.port()).start();
        Self { redis, proxy, mesh }
    }

    fn store(&self) -> Store<'_> {
        Store { mesh: &self.mesh, name: "statestore" }
    }

    /// How many bytes the replies to what `ask` does are.
    fn replies_to(&self, ask: impl FnOnce()) -> usize {
        let _before = self.proxy.take(Way::Replies);
        ask();
        self.proxy.take(Way::Replies).len()
    }

    /// Requests that the proxy has not answered yet.
    fn active(&self) -> u64 {
        self.mesh.envoy.admin().stat("http.weft_api_orders.downstream_rq_active")
    }

    /// Sends requests so that all are under way before the first reply comes.
    fn at_once(&self, calls: Vec<Call>, release: impl FnOnce()) -> Vec<Answer> {
        self.proxy.hold(Way::Replies);
        let count = calls.len() as u64;
        std::thread::scope(|scope| {
            let asked: Vec<_> = calls.into_iter().map(|call| scope.spawn(|| call.send())).collect();
            wait::until_true("all are under way", || self.active() >= count);
            release();
            asked.into_iter().map(|it| it.join().expect("an answer")).collect()
        })
    }
}

fn save_if(store: &Store<'_>, key: &str, etag: &str) -> Call {
    store.saving(&json!([{"key": key, "value": "new", "etag": etag}]))
}

fn message(body: &Value) -> String {
    body["message"].as_str().unwrap().to_owned()
}

fn data(redis: &mut Client, key: &str) -> Option<String> {
    redis.run(&["HGET", &format!("orders||{key}"), "data"])
}

#[test]
fn a_read_whose_reply_is_cut_anywhere_is_asked_again() {
    let broken = Broken::start();
    let store = broken.store();
    let key = unique("read");
    store.put(&key, &json!({"text": "a\r\n$4\r\nb"}));
    let whole = store.get(&key).expect(200);
    let length = broken.replies_to(|| drop(store.get(&key)));
    assert!(length > 30, "{length}");
    for cut in 0..length {
        broken.proxy.cut_after(Way::Replies, cut);
        let answer = store.get(&key).expect(200);
        assert_eq!((&answer.body, answer.header("etag")), (&whole.body, Some("1")), "cut after {cut} of {length}");
    }
    assert_eq!(broken.proxy.connections(), 1 + length, "each cut ended one connection");
}

#[test]
fn a_write_whose_reply_is_cut_anywhere_is_unknown_and_was_done_once() {
    let broken = Broken::start();
    let store = broken.store();
    let mut redis = broken.redis.client();
    let transaction = |key: &str| {
        let operations = json!([{"operation": "upsert", "request": {"key": key, "value": "new"}}]);
        store.app().post(&store.path("transaction")).json(&json!({"operations": operations}))
    };
    type Ask<'a> = &'a dyn Fn(&str) -> Call;
    let delete = |key: &str| store.app().delete(&store.path(key));
    let writes: [(Ask<'_>, &str, Option<&str>); 5] = [
        (&|key| store.saving(&json!([{"key": key, "value": "new"}])), "ERR_STATE_SAVE", Some("\"new\"")),
        (&|key| save_if(&store, key, "1"), "ERR_STATE_SAVE", Some("\"new\"")),
        (&delete, "ERR_STATE_DELETE", None),
        (&|key| delete(key).header("if-match", "1"), "ERR_STATE_DELETE", None),
        (&transaction, "ERR_STATE_TRANSACTION", Some("\"new\"")),
    ];
    for (write, code, after) in writes {
        let length_of = |key: String| {
            store.put(&key, &json!("old"));
            broken.replies_to(|| dapr::no_content(&write(&key).send()))
        };
        // The first may have to tell Redis the script.
        let _first = length_of(unique("write"));
        let length = length_of(unique("write"));
        for cut in 0..length {
            let key = unique("write");
            store.put(&key, &json!("old"));
            broken.proxy.cut_after(Way::Replies, cut);
            let body = dapr::error(&write(&key).send(), 500, code);
            assert!(message(&body).contains("the outcome is unknown"), "cut after {cut} of {length}: {body}");
            assert_eq!(data(&mut redis, &key).as_deref(), after, "cut after {cut}: {body}");
            let version: Option<String> = redis.run(&["HGET", &format!("orders||{key}"), "version"]);
            assert_eq!(version.as_deref(), after.map(|_| "2"), "done once");
        }
    }
}

#[test]
fn a_write_that_is_cut_on_its_way_is_unknown_and_was_not_done() {
    let broken = Broken::start();
    let store = broken.store();
    let mut redis = broken.redis.client();
    let key = unique("write");
    store.put(&key, &json!("old"));
    let _before = broken.proxy.take(Way::Commands);
    dapr::no_content(&save_if(&store, &key, "1").send());
    let length = broken.proxy.take(Way::Commands).len();
    // Every tenth boundary: what Redis makes of half a command does not depend on the place.
    for cut in (0..length).step_by(10) {
        broken.proxy.cut_after(Way::Commands, cut);
        let body = dapr::error(&save_if(&store, &key, "2").send(), 500, "ERR_STATE_SAVE");
        assert!(message(&body).contains("the outcome is unknown"), "cut after {cut} of {length}: {body}");
        assert_eq!(redis.run::<String>(&["HGET", &format!("orders||{key}"), "version"]), "2", "cut after {cut}");
    }
}

#[test]
fn of_many_under_way_each_gets_its_own_answer_or_none() {
    let broken = Broken::start();
    let store = broken.store();
    let keys: Vec<String> = (0..4).map(|number| unique(&format!("many-{number}"))).collect();
    keys.iter().for_each(|key| store.put(key, &json!(key)));
    let get = |key: &String| store.app().get(&store.path(key));
    let length: usize = keys.iter().map(|key| broken.replies_to(|| drop(get(key).send()))).sum();
    for cut in (0..length).step_by(3) {
        let answers = broken.at_once(keys.iter().map(get).collect(), || broken.proxy.cut_after(Way::Replies, cut));
        for (key, answer) in keys.iter().zip(answers) {
            assert_eq!(answer.expect(200).json(), json!(key), "cut after {cut} of {length}");
        }
    }
    let save = |key: &String| save_if(&store, key, "1");
    let answers = broken.at_once(keys.iter().map(save).collect(), || broken.proxy.cut_after(Way::Replies, 6));
    let mut redis = broken.redis.client();
    for (key, answer) in keys.iter().zip(answers) {
        match answer.status {
            204 => assert_eq!(data(&mut redis, key).as_deref(), Some("\"new\"")),
            _ => {
                let body = dapr::error(&answer, 500, "ERR_STATE_SAVE");
                assert!(message(&body).contains("the outcome is unknown"), "{body}");
            }
        }
    }
}

#[test]
fn replies_that_come_byte_by_byte_are_whole_replies() {
    let broken = Broken::start();
    let store = broken.store();
    broken.proxy.drip();
    let keys: Vec<String> = (0..50).map(|number| unique(&format!("drip-{number}"))).collect();
    let items: Vec<Value> = keys.iter().map(|key| json!({"key": key, "value": key})).collect();
    dapr::no_content(&store.save(&json!(items)));
    let entries = store.bulk(&json!({"keys": keys})).expect(200).json();
    for (entry, key) in entries.as_array().unwrap().iter().zip(&keys) {
        assert_eq!((&entry["key"], &entry["data"]), (&json!(key), &json!(key)));
    }
    assert_eq!(broken.proxy.connections(), 1);
}

#[test]
fn what_is_no_reply_ends_the_connection_and_the_next_request_is_served() {
    let broken = Broken::start();
    let store = broken.store();
    let key = unique("nonsense");
    store.put(&key, &json!("old"));
    for nonsense in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"$-5\r\n",
        b"*99999999999\r\n",
        b":12x\r\n",
        b"$3\r\nabcd\r\n",
        b"\0",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        b"$99999999999999999999\r\n",
    ] {
        let before = broken.proxy.connections();
        broken.proxy.forge(nonsense);
        let body = dapr::error(&save_if(&store, &key, "").send(), 500, "ERR_STATE_SAVE");
        let text = message(&body);
        assert!(text.contains("the outcome is unknown") && text.contains("not the protocol"), "{nonsense:?}: {text}");
        assert_eq!(store.value(&key).as_deref(), Some("\"new\""), "{nonsense:?}");
        assert!(broken.proxy.connections() > before, "{nonsense:?}");
        store.put(&key, &json!("old"));
    }
}

#[test]
fn a_reply_of_another_kind_is_an_error_of_its_request_alone() {
    let broken = Broken::start();
    let store = broken.store();
    let key = unique("kind");
    store.put(&key, &json!(1));
    for odd in [&b"+OK\r\n"[..], b":7\r\n", b"$2\r\nhi\r\n", b"$-1\r\n"] {
        broken.proxy.forge(odd);
        dapr::error(&store.get(&key), 500, "ERR_STATE_GET");
        assert_eq!(store.value(&key).as_deref(), Some("1"), "{odd:?}");
    }
    assert_eq!(broken.proxy.connections(), 1);
}

#[test]
fn a_store_that_stalls_ends_every_request_in_time_and_none_piles_up() {
    let broken = Broken::start();
    let store = broken.store();
    let key = unique("stall");
    store.put(&key, &json!(0));
    broken.proxy.hold(Way::Replies);
    std::thread::scope(|scope| {
        let save = |number: u32| store.saving(&json!([{"key": format!("{key}-{number}"), "value": number}]));
        let calls: Vec<_> = (0..100).map(|number| scope.spawn(move || save(number).send())).collect();
        for call in calls {
            dapr::error(&call.join().expect("an answer"), 500, "ERR_STATE_SAVE");
        }
    });
    broken.proxy.pass();
    wait::until_true("the store is back", || store.get(&key).status == 200);
    wait::until_true("nothing is left", || broken.active() == 0);
}
