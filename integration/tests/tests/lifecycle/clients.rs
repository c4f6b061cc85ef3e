//! Clients that leave, at whatever moment: nothing is said to them any more, and nobody else notices.

use super::commands;
use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::mesh::Mesh;
use weft_tests::raw::Raw;
use weft_tests::redis::Redis;
use weft_tests::{dapr, wait};

const BIG: usize = 1024 * 1024;

fn mesh(workers: u32) -> Mesh {
    let mesh = Mesh::builder().workers(workers).redis(Redis::start()).app("orders").app("warehouse").start();
    let big = json!([{"key": "big", "value": "x".repeat(BIG)}]);
    dapr::no_content(&mesh.app("orders").post("/v1.0/state/statestore").json(&big).send());
    mesh
}

/// Everything works, and no instance of the module has died.
fn is_well(mesh: &Mesh) {
    let orders = mesh.app("orders");
    mesh.app("warehouse").server.on("/page", Reply::status(200));
    orders.get("/v1.0/invoke/warehouse/method/page").send().expect(200);
    assert_eq!(orders.get("/v1.0/state/statestore/big").send().expect(200).text().len(), BIG + 2);
    dapr::no_content(&orders.post("/v1.0/publish/pubsub/t").body("x").send());
    mesh.envoy.check_log();
}

fn request(line: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{line} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{length}\r\n{body}")
}

/// One of each kind of request that waits for a backend or an application.
fn requests() -> Vec<String> {
    let item = r#"[{"key":"k","value":1}]"#;
    let steps = r#"{"operations":[{"operation":"upsert","request":{"key":"k","value":2}}]}"#;
    let bulk = r#"[{"entryId":"1","event":"x","contentType":"text/plain"}]"#;
    vec![
        request("GET /v1.0/state/statestore/big", ""),
        request("DELETE /v1.0/state/statestore/k", ""),
        request("POST /v1.0/state/statestore", item),
        request("POST /v1.0/state/statestore/bulk", r#"{"keys":["big","k"]}"#),
        request("POST /v1.0/state/statestore/transaction", steps),
        request("POST /v1.0/publish/pubsub/t", "{}"),
        request("POST /v1.0/publish/bulk/pubsub/t", bulk),
        request("POST /v1.0/invoke/warehouse/method/slow", item),
    ]
}

#[test]
fn a_client_may_leave_after_any_byte_of_its_request() {
    for workers in [1, 4] {
        let mesh = mesh(workers);
        let address = mesh.app("orders").http();
        mesh.app("warehouse").server.on("/slow", Reply::status(200));
        for request in requests() {
            let body = request.find("\r\n\r\n").unwrap() + 4;
            let stops = [1, 20, body - 2, body, body + (request.len() - body) / 2, request.len()];
            for stop in stops {
                let mut client = Raw::connect(&address);
                client.write(&request[..stop.min(request.len())]);
                client.reset();
                let mut client = Raw::connect(&address);
                client.write(&request[..stop.min(request.len())]);
                drop(client);
            }
        }
        is_well(&mesh);
    }
}

#[test]
fn clients_that_leave_while_their_answers_come_get_none_and_the_others_get_theirs() {
    const ROUNDS: usize = 12;
    for workers in [1, 4] {
        let mesh = mesh(workers);
        let address = mesh.app("orders").http();
        for _ in 0..ROUNDS {
            mesh.redis().freeze();
            let before = commands(&mesh);
            let mut clients: Vec<Raw> = Vec::new();
            for request in requests().iter().filter(|request| !request.contains("/invoke/")) {
                for _ in 0..4 {
                    let mut client = Raw::connect(&address);
                    client.write(request);
                    clients.push(client);
                }
            }
            wait::until_true("commands are under way", || commands(&mesh) > before);
            let mut staying = Raw::connect(&address);
            staying.write(request("GET /v1.0/state/statestore/big", ""));
            mesh.redis().thaw();
            // At the moment when Redis answers.
            clients.into_iter().for_each(Raw::reset);
            let answer = staying.answer().expect("an answer");
            assert_eq!((answer.status, answer.body.len()), (200, BIG + 2));
        }
        is_well(&mesh);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_answer_does_no_harm() {
    for workers in [1, 4] {
        let mesh = mesh(workers);
        let address = mesh.app("orders").http();
        for _ in 0..30 {
            let clients: Vec<Raw> = (0..8)
                .map(|_| {
                    let mut client = Raw::connect(&address);
                    client.write(request("GET /v1.0/state/statestore/big", ""));
                    client
                })
                .collect();
            for mut client in clients {
                client.read_until(b"\r\n\r\n");
                client.reset();
            }
        }
        is_well(&mesh);
    }
}

#[test]
fn an_invocation_ends_at_both_sides_when_the_client_leaves() {
    for workers in [1, 4] {
        let mesh = mesh(workers);
        let streams = mesh.app("warehouse").server.on_stream("/stream");
        for _ in 0..5 {
            let mut client = Raw::connect(&mesh.app("orders").http());
            client.write(
                "POST /v1.0/invoke/warehouse/method/stream HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
            );
            client.write("3\r\none\r\n");
            let mut open = streams.next();
            assert_eq!(open.receive().as_deref(), Some(&b"one"[..]));
            open.send(b"first");
            client.read_until(b"first");
            client.reset();
            assert_eq!(open.receive(), None, "the application sees the end");
        }
        let active = || mesh.envoy.admin().stat("http.weft_inbound_warehouse.downstream_rq_active");
        wait::until_true("nothing is left of the requests", || active() == 0);
        is_well(&mesh);
    }
}
