//! Bodies above the limit.

use serde_json::json;
use weft_tests::mesh::Mesh;
use weft_tests::redis::Redis;
use weft_tests::shared::Meshes;
use weft_tests::{app::Reply, dapr};

/// Of the meshes here; smaller than Envoy's own buffer.
const LIMIT: u32 = 256 * 1024;

static MESHES: Meshes = Meshes::new(|workers| {
    Mesh::builder().workers(workers).app("orders").max_body(LIMIT).in_memory().redis(Redis::start()).start()
});

/// Every route that reads a body, with the error that Dapr has for a body which cannot be read.
const ROUTES: [(&str, u16, &str); 10] = [
    ("/v1.0/state/statestore", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/state/memory", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/state/statestore/bulk", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/state/memory/bulk", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/state/statestore/transaction", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/state/memory/transaction", 400, "ERR_MALFORMED_REQUEST"),
    ("/v1.0/publish/pubsub/orders", 500, "ERR_PUBSUB_PUBLISH_MESSAGE"),
    ("/v1.0/publish/membus/orders", 500, "ERR_PUBSUB_PUBLISH_MESSAGE"),
    ("/v1.0-alpha1/publish/bulk/pubsub/orders", 400, "ERR_PUBSUB_EVENTS_SER"),
    ("/v1.0-alpha1/publish/bulk/membus/orders", 400, "ERR_PUBSUB_EVENTS_SER"),
];

#[test]
fn a_body_announced_above_the_limit_is_refused_before_it_is_sent() {
    MESHES.each(|mesh| {
        for (path, status, code) in ROUTES {
            let mut client = mesh.app("orders").raw();
            let size = LIMIT + 1;
            client.write(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n"));
            let answer = client.answer().expect("an answer without the body");
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert!(answer.text().contains(code) && answer.text().contains(&LIMIT.to_string()), "{}", answer.text());
        }
    });
}

#[test]
fn a_body_that_grows_above_the_limit_is_refused() {
    MESHES.each(|mesh| {
        for (path, status, code) in ROUTES {
            let mut client = mesh.app("orders").raw();
            client.write(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"));
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
            // The proxy may close the connection as soon as it has answered.
            let all = (0..6).all(|_| client.try_write(&chunk));
            let _closed = all && client.try_write("0\r\n\r\n");
            let answer = client.answer().expect("an answer");
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert!(answer.text().contains(code) && answer.text().contains(&LIMIT.to_string()), "{}", answer.text());
        }
    });
}

#[test]
fn a_body_of_the_limit_is_taken() {
    MESHES.each(|mesh| {
        for store in ["statestore", "memory"] {
            let orders = mesh.app("orders");
            let frame = json!([{"key": "large", "value": ""}]).to_string().len();
            let value = "x".repeat(LIMIT as usize - frame);
            let body = json!([{"key": "large", "value": value}]);
            assert_eq!(body.to_string().len(), LIMIT as usize);
            dapr::no_content(&orders.post(&format!("/v1.0/state/{store}")).json(&body).send());
            let read = orders.get(&format!("/v1.0/state/{store}/large")).send().expect(200);
            assert_eq!(read.json(), json!(value));
        }
    });
}

#[test]
fn an_invocation_has_no_limit() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        orders.server.on_call("/count", |seen| Reply::bytes(200, seen.body.len().to_string()));
        let body = vec![b'x'; 8 * 1024 * 1024];
        let answer = orders.post("/v1.0/invoke/orders/method/count").body(body).send().expect(200);
        assert_eq!(answer.text(), (8 * 1024 * 1024).to_string());
    });
}

/// A body of nearly 4 MiB that repeats `entry`, and `last`.
fn many(entry: impl Fn(usize) -> String, last: &str) -> String {
    let mut body = String::from("[");
    for number in 0.. {
        let entry = entry(number);
        if body.len() + entry.len() + last.len() + 2 > 4 * 1024 * 1024 {
            break;
        }
        body.push_str(&entry);
        body.push(',');
    }
    body + last + "]"
}

#[test]
fn many_small_items_with_a_long_query_do_not_fill_the_memory() {
    let mesh = Mesh::builder().app("orders").in_memory().start();
    let orders = mesh.app("orders");
    let query = format!("?metadata.long={}", "x".repeat(50_000));
    let items = many(|_| r#"{"key":"a"}"#.to_owned(), "{}");
    let answer = orders.post(&format!("/v1.0/state/memory{query}")).body(items).send().expect(400);
    assert!(answer.text().contains("ERR_MALFORMED_REQUEST"), "{}", answer.text());
    let entry = |id| format!(r#"{{"entryId":"{id}","event":"","contentType":"text/xml","metadata":{{}}}}"#);
    let events = many(entry, r#"{"entryId":"last","event":""}"#);
    let answer = orders.post(&format!("/v1.0/publish/bulk/membus/orders{query}")).body(events).send().expect(400);
    assert!(answer.text().contains("larger than 67108864 bytes"), "{}", answer.text());
    mesh.wait_until_usable();
}
