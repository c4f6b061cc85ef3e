//! How the path that a caller writes becomes the path that the callee sees.

use super::MESHES;
use weft_tests::app::Reply;
use weft_tests::dapr;

/// What an application's framework makes of the path in a request line.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|it| u8::from_str_radix(it, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                at += 3;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap()
}

#[test]
fn a_path_is_decoded_once_cleaned_and_seen_by_the_callee_in_that_form() {
    let table = [
        ("test%22stream", "/test\"stream", None),
        ("test%2Astream", "/test*stream", None),
        ("test%5Cstream", "/test\\stream", None),
        ("test%25stream", "/test%stream", None),
        ("a%20b", "/a b", None),
        ("a%2Fb", "/a/b", None),
        ("%C3%A9", "/é", None),
        ("admin%2F..%2Fpublic", "/public", None),
        ("admin/../public", "/public", None),
        ("a//b/./c", "/a/b/c", None),
        ("test?stream", "/test", Some("stream")),
    ];
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        for (written, path, query) in table {
            let secret = dapr::unique("vector");
            warehouse.server.on_any(|_| Reply::status(200));
            for (request, header) in [
                (format!("/v1.0/invoke/warehouse/method/{written}"), ""),
                (format!("/{written}"), "dapr-app-id: warehouse\r\n"),
            ] {
                let mut client = orders.raw();
                client
                    .write(format!("GET {request} HTTP/1.1\r\nhost: localhost\r\nx-vector: {secret}\r\n{header}\r\n"));
                assert_eq!(client.answer().unwrap().status, 200, "{request}");
            }
            let seen =
                warehouse.server.all_seen().into_iter().filter(|it| it.value("x-vector").as_ref() == Some(&secret));
            let seen: Vec<_> = seen.map(|it| (decoded(it.path()), it.query().map(str::to_owned))).collect();
            let wanted = (path.to_owned(), query.map(str::to_owned));
            assert_eq!(seen, [wanted.clone(), wanted], "{written}");
        }
    });
}

#[test]
fn repeated_slashes_collapse_before_the_target_is_read() {
    MESHES.each(|mesh| {
        let (orders, warehouse) = (mesh.app("orders"), mesh.app("warehouse"));
        let name = dapr::unique("foo");
        warehouse.server.on(&format!("/{name}"), Reply::status(200));
        orders.get(&format!("/v1.0////invoke//warehouse/method//{name}")).send().expect(200);
        assert_eq!(warehouse.server.seen(&format!("/{name}")).len(), 1);
    });
}

#[test]
fn a_path_with_a_forbidden_character_is_refused() {
    MESHES.each(|mesh| {
        let orders = mesh.app("orders");
        for written in [
            "test%23stream",
            "test%3Fstream",
            "test%00stream",
            "test%0Dstream",
            "test%0astream",
            "test%7Fstream",
            "a%23b%3Fc%25d",
        ] {
            let by_path = orders.get(&format!("/v1.0/invoke/warehouse/method/{written}")).send();
            let by_header = orders.get(&format!("/{written}")).header("dapr-app-id", "warehouse").send();
            for answer in [by_path, by_header] {
                let body = dapr::error(&answer, 500, "ERR_DIRECT_INVOKE");
                assert!(body["message"].as_str().unwrap().contains("invalid method"), "{body}");
            }
        }
    });
}
