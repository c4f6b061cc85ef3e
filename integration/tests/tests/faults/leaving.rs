//! Clients that go away in the middle of each kind of request. Redis stands still meanwhile, so that answers come when
//! nobody waits for them any more: one that was given to such a stream would stop the worker's VM.

use weft_tests::app::Reply;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::raw::Raw;
use weft_tests::redis::Redis;
use weft_tests::wait;

/// Every kind of request: verb, path, body.
const REQUESTS: [(&str, &str, &str); 17] = [
    ("GET", "/v1.0/invoke/warehouse/method/slow", ""),
    ("POST", "/v1.0/invoke/warehouse/method/slow", "a body for the warehouse"),
    ("GET", "/v1.0/invoke/ghost/method/x", ""),
    ("GET", "/v1.0/state/statestore/left", ""),
    ("GET", "/v1.0/state/memory/left", ""),
    ("DELETE", "/v1.0/state/statestore/left", ""),
    ("DELETE", "/v1.0/state/memory/left", ""),
    ("POST", "/v1.0/state/statestore", r#"[{"key":"left","value":1}]"#),
    ("POST", "/v1.0/state/memory", r#"[{"key":"left","value":1}]"#),
    ("POST", "/v1.0/state/statestore/bulk", r#"{"keys":["left","right"]}"#),
    ("POST", "/v1.0/state/memory/bulk", r#"{"keys":["left","right"]}"#),
    ("POST", "/v1.0/state/statestore/transaction", TRANSACTION),
    ("POST", "/v1.0/state/memory/transaction", TRANSACTION),
    ("POST", "/v1.0/publish/pubsub/left", r#"{"order":1}"#),
    ("POST", "/v1.0/publish/membus/left", r#"{"order":1}"#),
    ("POST", "/v1.0-alpha1/publish/bulk/pubsub/left", BULK),
    ("GET", "/v1.0/metadata", ""),
];
const TRANSACTION: &str = r#"{"operations":[{"operation":"upsert","request":{"key":"left","value":1}}]}"#;
const BULK: &str = r#"[{"entryId":"1","event":{"a":1},"contentType":"application/json"}]"#;

/// How much of a request its client writes before it goes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    InTheHead,
    AfterTheHead,
    InTheBody,
    WhileItWaits,
}

const MOMENTS: [Moment; 4] = [Moment::InTheHead, Moment::AfterTheHead, Moment::InTheBody, Moment::WhileItWaits];

/// How it goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Closes,
    Resets,
}

#[test]
fn a_client_that_leaves_at_any_moment_harms_nobody() {
    for workers in [1, 4] {
        let mesh = Mesh::builder()
            .workers(workers)
            .app("orders")
            .app("warehouse")
            .dead_app("ghost")
            .in_memory()
            .redis(Redis::start())
            .start();
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        warehouse.server.on("/slow", Reply::bytes(200, "late").after(std::time::Duration::from_millis(300)));
        mesh.redis().freeze();
        let mut waiting = Vec::new();
        for way in [Way::Closes, Way::Resets] {
            for moment in MOMENTS {
                for request in REQUESTS {
                    if let Some(client) = begin(orders, request, moment) {
                        waiting.push((client, way));
                    }
                }
            }
        }
        // Some commands of clients that leave are with Redis by now, others wait to be sent.
        wait::until_true("calls have reached the warehouse", || !warehouse.server.seen("/slow").is_empty());
        leave_as_answers_come(&mesh, waiting);
        all_is_well(orders);
        mesh.envoy.check_log();
    }
}

/// Envoy stands still while the clients go and Redis answers, so that it finds both at once.
fn leave_as_answers_come(mesh: &Mesh, waiting: Vec<(Raw, Way)>) {
    mesh.envoy.freeze();
    mesh.redis().thaw();
    // Redis answers in the order in which it was asked, and this came last.
    let _answered: String = mesh.redis().client().run(&["PING"]);
    waiting.into_iter().for_each(|(client, way)| leave(client, way));
    mesh.envoy.thaw();
}

/// Writes as much of a request as there is at that moment; `None` if it is the same as at an earlier one.
fn begin(orders: &MeshApp, (verb, path, body): (&str, &str, &str), moment: Moment) -> Option<Raw> {
    let head = format!("{verb} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    let text = match moment {
        Moment::InTheHead => head.split_at(head.len() / 2).0.to_owned(),
        Moment::AfterTheHead if !body.is_empty() => head,
        Moment::InTheBody if !body.is_empty() => head + body.split_at(body.len() / 2).0,
        Moment::WhileItWaits => head + body,
        Moment::AfterTheHead | Moment::InTheBody => return None,
    };
    let mut client = orders.raw();
    client.write(text);
    Some(client)
}

fn leave(client: Raw, way: Way) {
    match way {
        Way::Closes => drop(client),
        Way::Resets => client.reset(),
    }
}

/// Every block serves, on every worker: more connections than those that one worker would take.
fn all_is_well(orders: &MeshApp) {
    for _ in 0..16 {
        for (verb, path, body) in REQUESTS {
            let mut client = orders.raw();
            let length = body.len();
            client
                .write(format!("{verb} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"));
            let answer = client.answer().unwrap_or_else(|| panic!("{verb} {path} is answered"));
            let wanted: &[u16] = if path.contains("ghost") { &[500] } else { &[200, 204] };
            assert!(wanted.contains(&answer.status), "{verb} {path}: {} {}", answer.status, answer.text());
        }
    }
}
