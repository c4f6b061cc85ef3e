use super::*;
use proptest::prelude::*;

#[test]
fn repeated_slashes_and_dots_are_resolved() {
    assert_eq!(clean("/v1.0////invoke//a/method//foo"), "/v1.0/invoke/a/method/foo");
    assert_eq!(clean("/a/./b/../c/"), "/a/c");
    assert_eq!(clean("/../.."), "/");
    assert_eq!(clean("/"), "/");
    assert_eq!(clean(""), "/");
}

#[test]
fn a_method_path_with_forbidden_characters_is_refused() {
    for raw in ["test%23stream", "test%3Fstream", "test%00stream", "test%0Dstream", "a%23b%3Fc%25d", "a%7f"] {
        assert!(method_path(raw).is_err(), "{raw}");
    }
}

#[test]
fn a_method_path_is_decoded_once_cleaned_and_encoded() {
    for (raw, sent) in [
        ("test%22stream", "/test%22stream"),
        ("test%2Astream", "/test*stream"),
        ("test%5Cstream", "/test%5Cstream"),
        ("admin%2F..%2Fpublic", "/public"),
        ("admin/../public", "/public"),
        ("%252e%252e/x", "/%252e%252e/x"),
        ("a%20b", "/a%20b"),
        ("a%2Fb", "/a/b"),
        (".", "/"),
        ("..", "/"),
        ("../../x", "/x"),
        ("caf%C3%A9", "/caf%C3%A9"),
        ("100%25", "/100%25"),
        ("a%zz", "/a%25zz"),
    ] {
        assert_eq!(method_path(raw).as_deref(), Ok(sent), "{raw}");
    }
}

#[test]
fn a_parameter_is_decoded_with_query_rules() {
    assert_eq!(parameter("a+b%2Fc").as_deref(), Some("a b/c"));
    assert_eq!(parameter("%ff"), None);
    assert_eq!(parameter("%f"), Some("%f".to_owned()));
}

/// What some reader of paths takes for a dot, a slash, an escape or an end, and a few other characters.
fn piece() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(vec![
        "/", "//", "/../", "/./", "..", ".", "%2e", "%2E%2e", "%2f", "%5c", "\\", "%252e", "%252F", "%25", "%", "%2",
        "%zz", "%00", "%0d", "%23", "%3F", "#", "?", ";", "+", "%7f", "%c3%a9", "%ff", "é",
    ]);
    prop_oneof![4 => special.prop_map(str::to_owned), 1 => "[ -~]{0,3}", 1 => "%[0-9a-fA-F]{2}"]
}

fn any_path() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

/// Another way to the same: decode everything, split, walk.
fn model(raw: &str) -> Vec<Vec<u8>> {
    let mut walked: Vec<Vec<u8>> = Vec::new();
    for part in decode(raw, false).split(|byte| *byte == b'/') {
        match part {
            b".." => drop(walked.pop()),
            b"" | b"." => {}
            name => walked.push(name.to_vec()),
        }
    }
    walked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_form_that_is_sent_is_the_form_that_is_judged(raw in any_path()) {
        let Ok(sent) = method_path(&raw) else { return Ok(()) };
        // A callee that reads it again, decoded or not, finds the same path.
        let again = method_path(&sent);
        prop_assert_eq!(again.as_ref(), Ok(&sent));
        prop_assert_eq!(&clean(&sent), &sent);
        prop_assert_eq!(model(&sent), model(&raw));
        let segments: Vec<Vec<u8>> = sent.split('/').skip(1).map(|it| decode(it, false)).collect();
        let wanted = if sent == "/" { vec![Vec::new()] } else { model(&raw) };
        prop_assert_eq!(segments, wanted);
    }

    #[test]
    fn a_path_that_is_sent_holds_nothing_that_ends_or_climbs(raw in any_path()) {
        let Ok(sent) = method_path(&raw) else { return Ok(()) };
        prop_assert!(sent.starts_with('/') && sent.bytes().all(|byte| is_path_byte(byte) || byte == b'%'));
        for segment in sent.split('/').map(|it| decode(it, false)) {
            prop_assert!(segment != b"." && segment != b"..");
            let forbidden = |byte: &u8| matches!(byte, b'/' | b'#' | b'?' | 0..0x20 | 0x7f);
            prop_assert!(!segment.iter().any(forbidden), "{}", sent);
        }
    }

    #[test]
    fn a_path_is_refused_for_what_its_decoded_form_holds_and_for_nothing_else(raw in any_path()) {
        let forbidden = decode(&raw, false).into_iter().find(|byte| matches!(byte, b'#' | b'?' | 0..0x20 | 0x7f));
        prop_assert_eq!(method_path(&raw).err(), forbidden.map(|byte| InvalidMethod { byte }));
    }
}
