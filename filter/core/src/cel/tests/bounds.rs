//! No condition and no event takes more than a bounded amount of work.

use super::*;

#[test]
fn a_condition_that_is_too_deep_or_too_long_is_refused() {
    let deep = [
        "(".repeat(1000),
        "!".repeat(1000),
        "-".repeat(1000),
        "[".repeat(1000),
        format!("event{}", ".a".repeat(1000)),
        format!("1{} > 1", "+1".repeat(1000)),
        "true ? true : ".repeat(1000),
        "size(".repeat(1000),
        "[1].all(x, ".repeat(1000),
    ];
    for condition in deep {
        let error = Condition::parse(&condition).unwrap_err().to_string();
        assert!(error.contains("too deep or too long"), "{error}");
    }
}

#[test]
fn many_alternatives_are_no_depth() {
    let conditions: Vec<String> = (0..500).map(|number| format!("event.type == 't{number}'")).collect();
    let condition = conditions.join(" || ");
    assert_eq!(ask(&condition, r#"{"type":"t499"}"#), Ok(true));
    assert_eq!(ask(&condition, r#"{"type":"t500"}"#), Ok(false));
}

#[test]
fn loops_in_loops_end() {
    let list = vec!["1"; 3000].join(",");
    let event = format!(r#"{{"l":[{list}]}}"#);
    let condition = "event.l.all(a, event.l.all(b, event.l.all(c, a + b + c == 3.0)))";
    assert_eq!(ask(condition, &event), Err("the condition is too much work for this event".to_owned()));
    // An error that hides behind `||` does not lead on to more work.
    let condition = "event.l.all(a, event.l.all(b, event.l.all(c, a > 1) || true) || true)";
    let _ = ask(condition, &event);
}

#[test]
fn maps_that_nest_or_repeat_are_compared_in_bounds() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let event = format!(r#"{{"x":{deep},"y":{deep}}}"#);
    assert_eq!(ask("event.x == event.y", &event), Err("the condition is too much work for this event".to_owned()));
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let event = format!(r#"{{"x":{deep},"y":{deep}}}"#);
    assert_eq!(ask("event.x == event.y", &event), Err("lists or maps are too deep to be compared".to_owned()));
    let wide: Vec<String> = (0..50_000).map(|number| format!(r#""m{number}":1"#)).collect();
    let event = format!(r#"{{"x":{{{0}}},"y":{{{0}}}}}"#, wide.join(","));
    assert_eq!(ask("event.x == event.y", &event), Err("the condition is too much work for this event".to_owned()));
}

#[test]
fn an_event_of_megabytes_is_looked_into() {
    let event = format!(r#"{{"type":"a","data":{{"pad":"{}","n":1}}}}"#, "x".repeat(4 << 20));
    assert_eq!(ask("event.type == 'a' && event.data.n == 1 && event.data.n < 2", &event), Ok(true));
}

#[test]
fn numbers_are_the_librarys_numbers() {
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "0.1",
        "0.3",
        "1e22",
        "1e23",
        "123456789012345678",
        "9007199254740993",
        "0.1e-5",
        "1.7976931348623157e18",
        "5e-19",
        "3.141592653589793",
        "2.2250738585072014",
        "18446744073709551615",
        "1E+2",
        "0.30000000000000004",
        "72057594037927945",
        "1e-400",
        "1e400",
        "0e999999999999",
        "1e999999999999",
        "1e-99999999999",
    ] {
        let theirs: f64 = text.parse().unwrap();
        assert_eq!(number::double(text).to_bits(), theirs.to_bits(), "{text}");
    }
    for text in
        ["123456789012345678901234567890", "0.000000000000000000000000000123456789", "1.5e200", "1.5e-200", "1e-320"]
    {
        let (ours, theirs): (f64, f64) = (number::double(text), text.parse().unwrap());
        assert!((ours - theirs).abs() <= theirs * 1e-13 + 1e-322, "{text}: {ours:e} and {theirs:e}");
    }
}
