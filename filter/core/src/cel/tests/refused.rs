//! What is no expression, and what the language has and this part of it has not.

use super::*;

#[track_caller]
fn refused(condition: &str, part: &str) {
    let error = Condition::parse(condition).expect_err(condition).to_string();
    assert!(error.contains(part), "{condition}: {error}");
}

#[test]
fn what_is_not_supported_is_named() {
    refused("timestamp(event.time) < timestamp('x')", "the function `timestamp` is not supported");
    refused("event.data.items.map(i, i)", "the function `map` is not supported");
    refused("int(event.data.n) == 1", "the function `int` is not supported");
    refused("event.type.lowerAscii() == 'a'", "the function `lowerAscii` is not supported");
    refused("{'a': 1} == event.data", "a map of your own is not supported, at character 1");
    refused("b'x' == event.data", "bytes are not supported, at character 1");
    refused("1u == 1", "unsigned numbers are not supported, at character 1");
    refused("events.type == 'a'", "the name `events` is not known (there is `event`) at character 1");
    refused("type == 'a'", "the name `type` is not known");
    refused("[1].exists(x, true) && x == 1", "the name `x` is not known");
    refused("event.?x == 1", "expected a name");
}

#[test]
fn what_is_no_expression_is_told_with_its_place() {
    for (condition, part) in [
        ("", "expected a value at character 1"),
        ("event.type ==", "expected a value at character 14"),
        ("event.type = 'a'", "an unexpected character at character 12"),
        ("é", "an unexpected character at character 1"),
        ("event.type 'a'", "expected an operator at character 12"),
        ("(true", "expected `)` at character 6"),
        ("[1 2]", "expected `]` at character 4"),
        ("event.", "expected a name at character 7"),
        ("event.in", "expected a name"),
        ("has(event)", "expected a field in has()"),
        ("true ? false", "expected `:`"),
        ("'a", "a text without an end"),
        ("'a\nb'", "a text that goes over a line's end"),
        (r"'\q'", "an unknown escape in a text"),
        (r"'\u00g0'", "an unknown escape in a text"),
        (r"'\ud800'", "an unknown escape in a text"),
        ("9223372036854775808 > 1", "a number that is too large"),
        ("99999999999999999999 > 1", "too large"),
        ("0x > 1", "too large or none"),
        ("[1].all(1, true)", "expected a name"),
        ("[1].all(x)", "expected `,`"),
        ("event.type.startsWith('a', 'b')", "expected `)`"),
    ] {
        refused(condition, part);
    }
}
