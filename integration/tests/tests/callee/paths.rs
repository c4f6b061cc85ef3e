//! Requests that reach the application's port past Dapr's API, as any client of a mesh can send them.

use serde_json::json;
use weft_tests::app::Reply;
use weft_tests::dapr::unique;
use weft_tests::mesh::Mesh;
use weft_tests::raw::{Raw, RawAnswer};
use weft_tests::shared::Meshes;

/// The warehouse allows the shop everything but what is below `/admin`. Another proxy says who calls, as Linkerd's does.
static MESHES: Meshes = Meshes::new(|workers| {
    let operations = json!([
        {"name": "/admin", "httpVerb": ["*"], "action": "deny"},
        {"name": "/admin/**", "httpVerb": ["*"], "action": "deny"},
    ]);
    let policy = json!({"appId": "shop", "namespace": "retail", "trustDomain": "cluster.local", "defaultAction": "allow",
        "operations": operations});
    let callers = json!({"identity": "linkerd", "serviceAccounts": {"retail/shop-account": "shop"}});
    let control = json!({"defaultAction": "deny", "policies": [policy], "probes": ["/ready"]});
    Mesh::builder().workers(workers).app("warehouse").access(control).callers(callers).start()
});

const SHOP: &str = "shop-account.retail.serviceaccount.identity.linkerd.cluster.local";

/// Sends a request line with these headers, and `x-vector` to know it by.
fn send(connection: &mut Raw, line: &str, headers: &str, vector: &str) -> RawAnswer {
    connection.write(format!("{line} HTTP/1.1\r\nhost: warehouse\r\nx-vector: {vector}\r\n{headers}\r\n"));
    connection.answer().unwrap_or_else(|| panic!("no answer to {line}"))
}

/// What an application makes of a path: it decodes it once and resolves what is left.
fn understood(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|it| u8::from_str_radix(it, 16).ok());
        plain.push(if bytes[at] == b'%' { hex.unwrap_or(b'%') } else { bytes[at] });
        at += if bytes[at] == b'%' && hex.is_some() { 3 } else { 1 };
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in plain.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    format!("/{}", String::from_utf8_lossy(&kept.join(&b'/'))).to_ascii_lowercase()
}

#[test]
fn no_way_of_writing_a_path_reaches_what_is_denied() {
    const PARTS: &[&str] = &[
        "/",
        "//",
        "%2f",
        "%2F",
        "%5C",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%252e",
        "%252f",
        "admin",
        "ADMIN",
        "%61dmin",
        "adm%69n",
        "%2561dmin",
        "public",
        "%00",
        "%zz",
        "%",
        ";",
        "*",
        "?x=/../",
    ];
    MESHES.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        warehouse.server.on_any(|_| Reply::status(200));
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let vector = unique("evasion");
        let mut connection = warehouse.open();
        let (mut allowed, mut denied) = (0, 0);
        for number in 0..1500 {
            let written: String = (0..=random.below(7)).map(|_| PARTS[random.below(PARTS.len())]).collect();
            let headers = format!("l5d-client-id: {SHOP}\r\n");
            let answer = send(&mut connection, &format!("GET /{written}"), &headers, &format!("{vector}-{number}"));
            match answer.status {
                200 => allowed += 1,
                403 => denied += 1,
                500 => assert!(answer.text().contains("invalid method"), "{written}: {}", answer.text()),
                // Envoy itself refuses the request and then the connection.
                _ => connection = warehouse.open(),
            }
        }
        assert!(allowed > 100 && denied > 100, "{allowed} {denied}");
        let seen = warehouse.server.all_seen();
        let seen: Vec<_> =
            seen.iter().filter(|it| it.value("x-vector").is_some_and(|it| it.starts_with(&vector))).collect();
        assert_eq!(seen.len(), allowed);
        for request in seen {
            let path = understood(request.path());
            assert!(path != "/admin" && !path.starts_with("/admin/"), "{}", request.target);
        }
    });
}

/// A xorshift generator: the same vectors in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn the_application_sees_the_path_that_was_judged_and_the_query_byte_for_byte() {
    MESHES.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        warehouse.server.on_any(|_| Reply::status(200));
        let vector = unique("judged");
        let headers = format!("l5d-client-id: {SHOP}\r\n");
        let line = "POST /a//b/..%2Fc/?q=%2F../admin&&x";
        assert_eq!(send(&mut warehouse.open(), line, &headers, &vector).status, 200);
        let seen = warehouse.server.all_seen();
        let seen: Vec<_> = seen.iter().filter(|it| it.value("x-vector").as_ref() == Some(&vector)).collect();
        assert_eq!(seen[0].target, "/a/c?q=%2F../admin&&x");
        assert_eq!(seen[0].value("host").as_deref(), Some("warehouse"));
    });
}

#[test]
fn the_application_is_told_the_caller_that_was_verified_and_no_other() {
    MESHES.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        let forged = "dapr-caller-app-id: boss\r\ndapr-caller-namespace: castle\r\n";
        let call = |path: &str, headers: &str| {
            warehouse.server.on(path, Reply::status(200));
            send(&mut warehouse.open(), &format!("GET {path}"), headers, "caller").status
        };
        let path = format!("/{}", unique("caller"));
        assert_eq!(call(&path, &format!("l5d-client-id: {SHOP}\r\n{forged}")), 200);
        let seen = warehouse.server.wait_for(&path, 1).remove(0);
        assert_eq!(seen.value("dapr-caller-app-id").as_deref(), Some("shop"));
        assert_eq!(seen.value("dapr-caller-namespace").as_deref(), Some("retail"));
        assert_eq!(seen.value("dapr-callee-app-id").as_deref(), Some("warehouse"));
        assert_eq!(call("/ready", forged), 200);
        let probe = warehouse.server.seen("/ready").pop().unwrap();
        assert_eq!((probe.value("dapr-caller-app-id"), probe.value("dapr-caller-namespace")), (None, None));
    });
}

#[test]
fn who_cannot_be_told_gets_the_default_of_all() {
    MESHES.each(|mesh| {
        let warehouse = mesh.app("warehouse");
        let twice = format!("l5d-client-id: {SHOP}\r\nl5d-client-id: {SHOP}\r\n");
        let other = "l5d-client-id: shop.retail.serviceaccount.identity.linkerd.cluster.local\r\n".to_owned();
        let far = format!("l5d-client-id: {SHOP}.far\r\n");
        let certificate = "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/retail/shop\r\n".to_owned();
        for headers in [String::new(), twice, other, far, certificate] {
            let path = format!("/{}", unique("unknown"));
            let answer = send(&mut warehouse.open(), &format!("GET {path}"), &headers, "unknown");
            assert_eq!(answer.status, 403, "{headers}");
            assert!(warehouse.server.seen(&path).is_empty());
        }
    });
}

#[test]
fn a_grpc_request_that_is_denied_is_told_so_in_its_own_way() {
    MESHES.each(|mesh| {
        let headers = format!("l5d-client-id: {SHOP}\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n");
        let answer = send(&mut mesh.app("warehouse").open(), "POST /admin/Method", &headers, "grpc");
        assert_eq!((answer.status, answer.header("grpc-status").as_deref()), (200, Some("7")));
        let message = answer.header("grpc-message").unwrap();
        assert!(message.starts_with("access control policy has denied access to id: "), "{message}");
    });
}
