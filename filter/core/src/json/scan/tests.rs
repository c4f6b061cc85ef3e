use super::plain;
use crate::json::only_value;

/// What another parser, known to be right, says of a text.
fn serde(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}

#[test]
fn a_text_is_json_exactly_where_another_parser_takes_it() {
    let texts = [
        "",
        " ",
        "null",
        " null\t",
        "nul",
        "nulll",
        "true",
        "falsee",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1.5",
        "1e",
        "1e+",
        "1E-5",
        "1.0e10",
        "--1",
        "0x1",
        "1_0",
        "\"\"",
        "\"",
        "\"a",
        "a\"",
        "\"\\\"",
        "\"\\\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u1234\"",
        "\"\u{1}\"",
        "\"\t\"",
        "\"\u{7f}é😀\"",
        "[]",
        "[ ]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1,2",
        "]",
        "{}",
        "{ }",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":{\"b\":[{},[],\"}\"]}}",
        "[{]}",
        "{\"a\":[}",
        "{\"a\" :\n1\r}",
        "1 1",
        "{}{}",
        "[1],",
        "\u{feff}1",
        "\u{a0}1",
    ];
    for text in texts {
        assert_eq!(only_value(text).is_ok(), serde(text).is_some(), "{text:?}");
    }
}

#[test]
fn random_damage_is_judged_as_another_parser_judges_it() {
    let sound = r#"{"a":[1,-2.5e3,{"b":null,"c":true}],"d":"x\n\u00e9\\","e":{"f":[[],{}],"":false}}"#;
    let letters: Vec<char> = r#"{}[]:,"\ 01.eE+-ntuA"#.chars().chain(['\n', 'é']).collect();
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut sound_ones = 0;
    for _ in 0..20_000 {
        let mut text: Vec<char> = sound.chars().collect();
        for _ in 0..=random(2) {
            let at = random(text.len());
            match random(3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, letters[random(letters.len())]),
                _ => text[at] = letters[random(letters.len())],
            }
        }
        let text: String = text.into_iter().collect();
        let found = only_value(&text);
        assert_eq!(found.is_ok(), serde(&text).is_some(), "{text}");
        sound_ones += usize::from(found.is_ok());
    }
    assert!(sound_ones > 500, "{sound_ones}");
}

#[test]
fn a_string_is_read_as_another_parser_reads_it() {
    for text in
        [r#""""#, r#""plain é😀""#, r#""\"\\\/\b\f\n\r\t""#, r#""\u0041\u00e9\u20AC\ud83d\ude00!""#, r#""a\\u0041""#]
    {
        let value = only_value(text).unwrap();
        assert_eq!(value.string().as_deref(), serde(text).unwrap().as_str(), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character_as_in_go() {
    for (text, read) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
    ] {
        assert_eq!(only_value(text).unwrap().string().as_deref(), Some(read), "{text}");
    }
}

#[test]
fn other_values_are_no_strings() {
    for text in ["1", "null", "[\"a\"]", "{\"a\":\"b\"}"] {
        assert_eq!(only_value(text).unwrap().string(), None);
    }
}

#[test]
fn an_error_tells_what_was_expected_and_where() {
    for (text, error) in [
        ("", "the text ends without a value at line 1 column 1"),
        ("{\n  \"a\": 1,\n}", "expected a string at line 3 column 1"),
        ("[1 2]", "expected `,` or `]` at line 1 column 4"),
        ("{\"a\" 1}", "expected `:` at line 1 column 6"),
        ("{\"a\":1", "the text ends without `,` or `}` at line 1 column 7"),
        ("\"\\q\"", "expected an escape such as `\\n` at line 1 column 3"),
        ("1 2", "expected nothing more at line 1 column 3"),
    ] {
        assert_eq!(only_value(text).unwrap_err().to_string(), error);
    }
}

#[test]
fn every_byte_of_a_string_is_looked_at() {
    for length in 0..20 {
        assert_eq!(plain(&vec![b'x'; length]), length);
        for (at, byte) in (0..length).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
            let mut bytes = vec![b' '; length];
            bytes[at] = byte;
            let special = matches!(byte, b'"' | b'\\' | 0..0x20);
            assert_eq!(plain(&bytes), if special { at } else { length }, "{byte:#x} at {at} of {length}");
        }
    }
}
