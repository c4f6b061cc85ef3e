//! `matches`, held against another engine.

use super::pattern::Pattern;
use super::*;
use proptest::prelude::*;

#[test]
fn a_pattern_is_looked_for_anywhere_in_a_text() {
    holds(&[
        "event.type.matches('^order\\\\.v[0-9]+$') && event.type.matches('der') && matches(event.type, r'\\.')",
        "!event.type.matches('^rder') && event.id.matches('^$') && event.source.matches('é$')",
    ]);
    fails("event.size.matches('a')", "no pattern matches a double");
}

#[test]
fn what_is_no_pattern_or_not_supported_is_named() {
    for (pattern, part) in [
        ("(", "a `(` without its `)`"),
        ("a)", "a `)` without its `(`"),
        ("*", "a repetition of nothing"),
        ("a**", "a repetition of a repetition"),
        ("a{2,1}", "a repetition from more to less"),
        ("a{1001}", "too long"),
        ("(a{100}){100}", "too long"),
        ("(?i)a", "flags and named groups are not supported"),
        ("(?P<n>a)", "flags and named groups are not supported"),
        (r"\pL", "classes of Unicode are not supported"),
        ("[[:alpha:]]", "classes of POSIX are not supported"),
        (r"[\D]", "within `[]` is not supported"),
        ("[b-a]", "a range that is none"),
        ("[a", "a `[` without its `]`"),
        (r"\y", "an unknown escape"),
        (r"\x{110000}", "an unknown character code"),
        ("\\", "a backslash at the end"),
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern);
        assert!(error.contains(part), "{pattern}: {error}");
    }
    let deep = "(".repeat(10_000);
    assert_eq!(Pattern::parse(&deep).unwrap_err(), "groups are too deep");
    let error = Condition::parse("event.type.matches(event.id)").unwrap_err().to_string();
    assert!(error.contains("the pattern of matches() is not a text in quotes, at character 20"), "{error}");
    let error = Condition::parse("event.type.matches('(?i)x')").unwrap_err().to_string();
    assert!(error.contains("the pattern cannot be used: flags"), "{error}");
}

#[test]
fn a_pattern_that_others_take_for_ever_with_ends() {
    let event = format!(r#"{{"x":"{}"}}"#, "a".repeat(5000));
    for pattern in ["^(a+)+$", "^(a|a)*b$", "^(a*)*b$", "(((a?)*)*)*c", "(a?){50}a{50}d"] {
        let condition = format!("event.x.matches('{pattern}')");
        let _ = ask(&condition, &event);
    }
    assert_eq!(ask("event.x.matches('^(a+)+$')", &event), Ok(true));
    assert_eq!(ask("event.x.matches('^(a*)*b$')", &event), Ok(false));
}

/// Patterns of the part that is supported.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[abc_ é]",
        1 => prop::sample::select(&[
            ".", "^", "$", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\B", r"\.", r"\x61", r"\x{e9}", r"\n", "[^a]",
            "[a-c]", "[]a]", "[^]a-]", r"[\d_]", r"[\w-]", r"[a\-c]", "{", "a{,2}", "",
        ][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let repeats = &["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{0}", "{1,2}?"][..];
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| parts.concat()),
            1 => prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| format!("({})", parts.join("|"))),
            1 => inner.clone().prop_map(|part| format!("(?:{part})")),
            2 => (inner, prop::sample::select(repeats)).prop_map(|(part, repeat)| format!("({part}){repeat}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_agree(pattern in pattern(), texts in prop::collection::vec("[abc_ é1\n.{]{0,8}", 1..6)) {
        // RE2, and ours, take a brace that begins no count for itself; the other engine does not.
        if let Ok(other) = regex_lite::Regex::new(&pattern) {
            let ours = Pattern::parse(&pattern);
            prop_assert!(ours.is_ok(), "{:?}: {:?}", pattern, ours);
            for text in texts {
                prop_assert_eq!(ours.as_ref().unwrap().is_in(&text), other.is_match(&text), "{:?} in {:?}", pattern, text);
            }
        }
    }

    #[test]
    fn no_pattern_breaks_the_reader(pattern in "\\PC{0,20}|[ab()\\[\\]{}0-9,|*+?^$.\\\\-]{0,20}", text in "[ab]{0,5}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.is_in(&text);
        }
    }
}
