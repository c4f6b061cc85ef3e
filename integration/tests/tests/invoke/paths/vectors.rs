//! The paths that have broken proxies before, in a proxy that leaves paths alone and in one that cleans them first.

use super::{CLEANING, cleaning};
use crate::MESHES;
use weft_tests::app::Reply;
use weft_tests::dapr;
use weft_tests::mesh::Mesh;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome<'a> {
    /// The callee gets this path, byte for byte, and this query.
    Path(&'a str, Option<&'a str>),
    /// Dapr's 500 for a path that cannot be sent.
    Invalid,
    /// Dapr's 404: once cleaned, the path names no application any more.
    Nobody,
    /// The proxy's own 400, before the filter.
    Proxy,
}

use Outcome::{Invalid, Nobody, Path, Proxy};

/// As daprd 1.18 or, for `%`, as it says it would: paths whose form makes no difference in either proxy.
const ALIKE: &[(&str, Outcome<'_>)] = &[
    ("test%23stream", Invalid),
    ("test%3Fstream", Invalid),
    ("test%0Dstream", Invalid),
    ("test%0astream", Invalid),
    ("test%7Fstream", Invalid),
    ("a%23b%3Fc%25d", Invalid),
    ("test%22stream", Path("/test%22stream", None)),
    ("test%2Astream", Path("/test*stream", None)),
    ("test%5Cstream", Path("/test%5Cstream", None)),
    ("test%25stream", Path("/test%25stream", None)),
    ("admin%2F..%2Fpublic", Path("/public", None)),
    ("admin/../public", Path("/public", None)),
    ("test?stream", Path("/test", Some("stream"))),
    // Mixed encodings of the same.
    ("admin/%2e%2e/public", Path("/public", None)),
    ("admin/%2E./public", Path("/public", None)),
    ("admin%2f%2e%2e%2fpublic", Path("/public", None)),
    ("admin%2F..%2f%2e/public", Path("/public", None)),
    ("..%2F..%2F..%2F..%2Fpublic", Path("/public", None)),
    ("public/%2e%2e/admin/..%2Fpublic", Path("/public", None)),
    // Decoded once, never twice.
    ("admin/%252e%252e/public", Path("/admin/%252e%252e/public", None)),
    ("admin%252F..%252Fpublic", Path("/admin%252F..%252Fpublic", None)),
    ("admin%25252F..%25252Fpublic", Path("/admin%25252F..%25252Fpublic", None)),
    ("test%2523stream", Path("/test%2523stream", None)),
    ("test%2500stream", Path("/test%2500stream", None)),
    ("%2561dmin", Path("/%2561dmin", None)),
    // No other way to write a dot or a slash.
    ("admin%5C..%5Cpublic", Path("/admin%5C..%5Cpublic", None)),
    ("%C0%AE%C0%AE/public", Path("/%C0%AE%C0%AE/public", None)),
    ("a%EF%BC%8F..", Path("/a%EF%BC%8F..", None)),
    ("...", Path("/...", None)),
    // One form for one path.
    ("a%20b", Path("/a%20b", None)),
    ("a%2Fb", Path("/a/b", None)),
    ("a//b/./c", Path("/a/b/c", None)),
    ("/public", Path("/public", None)),
    ("public//", Path("/public", None)),
    ("%C3%A9", Path("/%C3%A9", None)),
    ("%e3%80%82/x", Path("/%E3%80%82/x", None)),
    ("%ff", Path("/%FF", None)),
    ("~a%7Eb%41", Path("/~a~bA", None)),
    ("a+b%2Bc", Path("/a+b+c", None)),
    ("a;b=c%3Bd", Path("/a;b=c;d", None)),
    ("a|b<c>{d}^e`f[g]\"h", Path("/a%7Cb%3Cc%3E%7Bd%7D%5Ee%60f%5Bg%5D%22h", None)),
    (".", Path("/", None)),
    ("%2e", Path("/", None)),
    // What is no escape is a percent sign.
    ("%", Path("/%25", None)),
    ("a%zz", Path("/a%25zz", None)),
    ("a%2", Path("/a%252", None)),
    // The query is nobody's business.
    ("test?a=%2e%2e/..&b=%23&&c=+", Path("/test", Some("a=%2e%2e/..&b=%23&&c=+"))),
    ("test??", Path("/test", Some("?"))),
    ("test?", Path("/test", Some(""))),
    ("test#stream", Proxy),
];

/// The others: what is written, and what becomes of it in the path form and in the header form, first in a proxy that
/// leaves paths alone, then in one that cleans them.
const UNLIKE: &[(&str, [Outcome<'_>; 2], [Outcome<'_>; 2])] = &[
    ("test%00stream", [Invalid, Invalid], [Proxy, Proxy]),
    ("../public", [Nobody, Path("/public", None)], [Nobody, Path("/public", None)]),
    ("..", [Nobody, Path("/", None)], [Nobody, Path("/", None)]),
    ("%2e%2e/public", [Path("/public", None); 2], [Nobody, Path("/public", None)]),
    ("%2E%2e", [Path("/", None); 2], [Nobody, Path("/", None)]),
    ("..;/public", [Path("/..;/public", None); 2], [Nobody, Path("/public", None)]),
    ("admin\\..\\public", [Path("/admin%5C..%5Cpublic", None); 2], [Path("/public", None); 2]),
];

fn check(mesh: &Mesh, written: &str, by_path: Outcome<'_>, by_header: Outcome<'_>) {
    ask(mesh, &format!("/v1.0/invoke/warehouse/method/{written}"), "", by_path);
    ask(mesh, &format!("/{written}"), "dapr-app-id: warehouse\r\n", by_header);
}

fn ask(mesh: &Mesh, target: &str, header: &str, wanted: Outcome<'_>) {
    let secret = dapr::unique("vector");
    let mut client = mesh.app("orders").raw();
    client.write(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nx-vector: {secret}\r\n{header}\r\n"));
    let answer = client.answer().expect("an answer");
    let mut seen = mesh.app("warehouse").server.all_seen();
    seen.retain(|it| it.value("x-vector").as_ref() == Some(&secret));
    let seen: Vec<_> = seen.iter().map(|it| (it.path(), it.query())).collect();
    match wanted {
        Path(path, query) => assert_eq!((answer.status, seen), (200, vec![(path, query)]), "{target}"),
        Invalid | Nobody => {
            let (status, part) =
                if wanted == Invalid { (500, "invalid method") } else { (404, "failed getting app id") };
            assert_eq!((answer.status, seen), (status, vec![]), "{target}");
            assert!(answer.text().contains("ERR_DIRECT_INVOKE") && answer.text().contains(part), "{}", answer.text());
        }
        Proxy => assert_eq!((answer.status, seen), (400, vec![]), "{target}"),
    }
}

#[test]
fn a_path_is_decoded_once_and_cleaned_and_the_callee_gets_that_form() {
    MESHES.each(|mesh| {
        mesh.app("warehouse").server.on_any(|_| Reply::status(200));
        ALIKE.iter().for_each(|(written, outcome)| check(mesh, written, *outcome, *outcome));
        UNLIKE.iter().for_each(|(written, [by_path, by_header], _)| check(mesh, written, *by_path, *by_header));
    });
}

#[test]
fn a_proxy_that_cleans_paths_first_leads_to_the_same_callee_by_the_same_path_or_to_none() {
    let mesh = CLEANING.get(cleaning);
    mesh.app("warehouse").server.on_any(|_| Reply::status(200));
    ALIKE.iter().for_each(|(written, outcome)| check(&mesh, written, *outcome, *outcome));
    UNLIKE.iter().for_each(|(written, _, [by_path, by_header])| check(&mesh, written, *by_path, *by_header));
}
