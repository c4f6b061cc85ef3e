//! A thousand requests that are wrong in every way one can think of. Each gets an answer or a closed connection, none
//! harms the next one, and none stops a worker: the log is judged at the end.

use fastrand::Rng;
use std::io::Write;
use weft_tests::app::Reply;
use weft_tests::mesh::{Mesh, MeshApp};
use weft_tests::raw::{Raw, RawAnswer};
use weft_tests::redis::Redis;

/// How many are sent to each mesh.
const REQUESTS: usize = 1_000;

/// What a wrong request must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// An answer of 400 or above, or a closed connection.
    Refusal,
    /// Any answer, or a closed connection: the mistake may happen to be none.
    End,
}

/// Makes one wrong request.
type Kind = (&'static str, Due, fn(&mut Rng) -> Vec<u8>);

const KINDS: [Kind; 20] = [
    ("bytes that are no HTTP", Due::Refusal, noise),
    ("a request line that is broken", Due::Refusal, |rng| {
        let lines =
            ["GET", "GET /x", "GET /x HTTP/9.9", "GET /x y HTTP/1.1", " / HTTP/1.1", "G\0T / HTTP/1.1", ":// HTTP/1.1"];
        format!("{}\r\nhost: x\r\n\r\n", pick(rng, &lines)).into_bytes()
    }),
    ("a verb that no route has", Due::Refusal, |rng| {
        let verb = pick(rng, &["PATCH", "DELETE", "TRACE", "BREW"]);
        request(&format!("{verb} /v1.0/publish/pubsub/t"), "", b"{}")
    }),
    ("a path of bytes that are no text", Due::Refusal, |rng| {
        let mut text = b"GET /v1.0/state/statestore/".to_vec();
        text.extend(bytes(rng, 0x80, 8));
        text.extend(b" HTTP/1.1\r\nhost: x\r\n\r\n");
        text
    }),
    ("a path with broken escapes", Due::End, |rng| {
        let escapes = ["%", "%2", "%zz", "%00", "%ff%fe", "%c0%af", "..%2f..%2f", "%7C%7C", "//", "/./"];
        let path: String = (0..4).map(|_| pick(rng, &escapes)).collect();
        request(&format!("{} /v1.0/{}/{path}", pick(rng, &["GET", "POST"]), area(rng)), "", b"")
    }),
    ("a very long path", Due::End, |rng| {
        request(&format!("GET /v1.0/{}/{}", area(rng), "a".repeat(rng.usize(1..50_000))), "", b"")
    }),
    ("a header that is no text", Due::End, |rng| {
        let name = pick(rng, &["content-type", "dapr-app-id", "if-match", "traceparent", "authorization", "x-any"]);
        let mut head =
            format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n{name}: ", target(rng)).into_bytes();
        head.extend(bytes(rng, 0x80, 40));
        head.extend(b"\r\n\r\n{}");
        head
    }),
    ("a header without a name or colon", Due::Refusal, |rng| {
        let header = pick(rng, &[": x", "no colon", "sp ace: x", "nul\0: x", "a: b\0c"]);
        format!("GET {} HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n", target(rng)).into_bytes()
    }),
    ("headers twice", Due::End, |rng| {
        let name = pick(rng, &["content-type", "dapr-app-id", "if-match", "traceparent", "authorization", "baggage"]);
        let (one, other) = (junk(rng), junk(rng));
        request(&format!("POST {}", target(rng)), &format!("{name}: {one}\r\n{name}: {other}\r\n"), b"{}")
    }),
    ("far too many headers", Due::Refusal, |rng| {
        let headers: String = (0..300).map(|number| format!("x-{number}: {}\r\n", junk(rng))).collect();
        request(&format!("GET {}", target(rng)), &headers, b"")
    }),
    ("two lengths, or a length that is none", Due::Refusal, |rng| {
        let lengths = [
            "content-length: -1",
            "content-length: 1\r\ncontent-length: 2",
            "content-length: x",
            "content-length: 99999999999999999999",
        ];
        format!("POST {} HTTP/1.1\r\nhost: x\r\n{}\r\n\r\n{{}}", target(rng), pick(rng, &lengths)).into_bytes()
    }),
    ("broken chunks", Due::Refusal, |rng| {
        let chunks = ["zz\r\n{}\r\n", "5\r\n{}\r\n0\r\n\r\n", "-1\r\n", "2;\0\r\n{}\r\n", "ffffffffffffffffff\r\n"];
        let head = "transfer-encoding: chunked\r\nhost: x";
        format!("POST {} HTTP/1.1\r\n{head}\r\n\r\n{}", target(rng), pick(rng, &chunks)).into_bytes()
    }),
    ("a body that ends too early", Due::End, |rng| {
        format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{\"a\":", target(rng)).into_bytes()
    }),
    ("a body cut at any place", Due::Refusal, |rng| {
        let (path, body) = SOUND[rng.usize(..SOUND.len())];
        request(&format!("POST {path}"), JSON, &body.as_bytes()[..rng.usize(1..body.len())])
    }),
    ("a body with a few bytes changed", Due::End, |rng| {
        let (path, body) = SOUND[rng.usize(..SOUND.len())];
        let mut body = body.as_bytes().to_vec();
        for _ in 0..rng.usize(1..4) {
            let place = rng.usize(..body.len());
            body[place] = rng.u8(..);
        }
        request(&format!("POST {path}"), JSON, &body)
    }),
    ("JSON of another shape", Due::Refusal, |rng| {
        let bodies = ["1", "\"x\"", "true", "[1]", "[[]]", "[{\"key\":7}]", "{\"keys\":7}", "{\"operations\":{}}"];
        let (path, _) = SOUND[rng.usize(1..SOUND.len())];
        request(&format!("POST {path}"), JSON, pick(rng, &bodies).as_bytes())
    }),
    ("JSON too deep", Due::Refusal, |rng| {
        let depth = rng.usize(1_000..50_000);
        let body = format!("[{{\"key\":\"deep\",\"value\":{}", "[".repeat(depth));
        request("POST /v1.0/state/statestore", JSON, body.as_bytes())
    }),
    ("options that make no sense", Due::End, |rng| {
        let options = [
            "metadata.ttlInSeconds=abc",
            "metadata.rawPayload=maybe",
            "concurrency=both",
            "consistency=7",
            "metadata.ttlInSeconds=99999999999999999999",
            "metadata.=&=&&==",
            "metadata.x=%ff",
        ];
        request(&format!("POST {}?{}", target(rng), pick(rng, &options)), JSON, b"{}")
    }),
    ("trace context that is none", Due::End, |rng| {
        let headers = format!("traceparent: 00-{}-{}-01\r\ntracestate: {}\r\n", junk(rng), junk(rng), junk(rng));
        request("POST /v1.0/publish/pubsub/t", &headers, b"{}")
    }),
    ("a callee that cannot be", Due::Refusal, |rng| {
        let id = pick(rng, &["", " ", "a/b", "no.such.place", "\u{e9}", "a\tb", "http://x", "%2e%2e", "||"]);
        request("GET /any", &format!("dapr-app-id: {id}\r\n"), b"")
    }),
];

const JSON: &str = "content-type: application/json\r\n";

/// Requests that are right before they are damaged. The first is taken whatever its body is.
const SOUND: [(&str, &str); 5] = [
    ("/v1.0-alpha1/publish/bulk/pubsub/t", r#"[{"entryId":"1","event":{"a":1},"contentType":"application/json"}]"#),
    ("/v1.0/state/statestore", r#"[{"key":"k","value":{"a":[1,2,"x"]},"metadata":{"ttlInSeconds":"60"}}]"#),
    ("/v1.0/state/memory", r#"[{"key":"k","value":1,"etag":"1","options":{"concurrency":"first-write"}}]"#),
    ("/v1.0/state/statestore/bulk", r#"{"keys":["k","l"],"parallelism":2}"#),
    ("/v1.0/state/memory/transaction", r#"{"operations":[{"operation":"upsert","request":{"key":"k","value":1}}]}"#),
];

fn pick<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[rng.usize(..list.len())]
}

fn area(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &["invoke", "state/statestore", "publish/pubsub", "metadata", "secrets", "nothing", "invoke/orders/method"],
    )
}

fn target(rng: &mut Rng) -> &'static str {
    let all = [
        "/v1.0/state/statestore",
        "/v1.0/state/memory/bulk",
        "/v1.0/publish/pubsub/t",
        "/v1.0/publish/membus/t",
        "/v1.0/invoke/orders/method/any",
        "/v1.0/state/statestore/k",
        "/v1.0/metadata",
        "/any",
    ];
    pick(rng, &all)
}

/// Printable nonsense.
fn junk(rng: &mut Rng) -> String {
    (0..rng.usize(1..60)).map(|_| char::from(rng.u8(0x21..0x7f))).collect()
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let mut noise = bytes(rng, 0, 400);
    noise.extend(b"\r\n\r\n");
    noise
}

/// From one to `most` bytes that are at least `least`.
fn bytes(rng: &mut Rng, least: u8, most: usize) -> Vec<u8> {
    let count = rng.usize(1..=most);
    std::iter::repeat_with(|| rng.u8(least..)).take(count).collect()
}

fn request(start: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut text = format!("{start} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n").into_bytes();
    text.write_all(body).unwrap();
    text
}

#[test]
fn a_thousand_malformed_requests_harm_nobody() {
    for workers in [1, 4] {
        let mesh = Mesh::builder().workers(workers).app("orders").in_memory().redis(Redis::start()).start();
        let orders = mesh.app("orders");
        orders.server.on_any(|_| Reply::bytes(404, "the application knows no such path"));
        orders.server.on("/good", Reply::bytes(200, "good"));
        let mut rng = Rng::with_seed(u64::from(workers));
        for number in 0..REQUESTS {
            let kind = KINDS[number % KINDS.len()];
            one(orders, kind, &mut rng);
            if number % KINDS.len() == 0 {
                is_well(orders);
            }
        }
        is_well(orders);
        mesh.envoy.check_log();
    }
}

fn one(orders: &MeshApp, (name, due, make): Kind, rng: &mut Rng) {
    let bytes = make(rng);
    let mut client = Raw::connect(&orders.http());
    let whole = client.try_write(&bytes) && client.try_half_close();
    let answer = client.answer_or_end();
    let what = || format!("{name} ({whole}): {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(600)]));
    match (due, answer) {
        (_, None) => {}
        (Due::End, Some(answer)) => understood(&answer, &what),
        (Due::Refusal, Some(answer)) => {
            assert!(answer.status >= 400, "{}: {} {}", what(), answer.status, answer.text());
            understood(&answer, &what);
        }
    }
}

/// What Weft itself answers as an error is Dapr's JSON.
fn understood(answer: &RawAnswer, what: &dyn Fn() -> String) {
    if answer.status >= 400 && answer.header("content-type").as_deref() == Some("application/json") {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert!(body["errorCode"].is_string() && body["message"].is_string(), "{}: {}", what(), answer.text());
    }
}

/// Every block still serves.
fn is_well(orders: &MeshApp) {
    orders.get("/v1.0/invoke/orders/method/good").send().expect(200);
    for store in ["statestore", "memory"] {
        orders.post(&format!("/v1.0/state/{store}")).body(r#"[{"key":"well","value":1}]"#).send().expect(204);
    }
    for bus in ["pubsub", "membus"] {
        orders.post(&format!("/v1.0/publish/{bus}/well")).body("{}").send().expect(204);
    }
}
