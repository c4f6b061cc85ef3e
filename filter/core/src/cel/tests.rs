use super::*;

mod bounds;
mod patterns;
mod property;
mod refused;

const EVENT: &str = r#"{"type":"order.v1","id":"","source":"shop/é","size":3,"ok":true,"none":null,"type2":"x",
    "data":{"n":5,"f":2.5,"list":[1,"two",[3]],"orders":[{"sku":"a","count":1},{"sku":"b","count":20}],"a b":"c",
    "deep":{"x":{"y":"z"}},"twice":1,"twice":2,"esc":"\u00e9\n","big":1e300,"neg":-0.5}}"#;

fn ask(condition: &str, event: &str) -> Result<bool, String> {
    let condition = Condition::parse(condition).map_err(|error| error.to_string())?;
    let members = RawObject::parse(event).unwrap();
    condition.holds(event, &members).map_err(|error| error.to_string())
}

#[track_caller]
fn holds(conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(ask(condition, EVENT), Ok(true), "{condition}");
    }
}

#[track_caller]
fn fails(condition: &str, part: &str) {
    let error = ask(condition, EVENT).expect_err(condition);
    assert!(error.contains(part), "{condition}: {error}");
}

#[test]
fn fields_and_indices_lead_into_the_event() {
    holds(&[
        "event.type == 'order.v1'",
        r#"event["type"] == "order.v1""#,
        "event.data.n == 5",
        "event.data['a b'] == 'c'",
        "event.data.deep.x.y == 'z'",
        "event.data.list[0] == 1 && event.data.list[1] == 'two' && event.data.list[2][0] == 3.0",
        "event.data.list[event.data.list[0]] == 'two'",
        "event.data.orders[1].sku == 'b'",
        "event.data.twice == 2",
        "event.data.esc == 'é\\n'",
        "event.none == null && event.ok && event.id == ''",
        "event.size == 3",
    ]);
    fails("event.missing == 1", "there is no member missing");
    fails("event.Type == 'order.v1'", "there is no member Type");
    fails("event.data.list[3] == 1", "no such element");
    fails("event.data.list[-1] == 1", "no such element");
    fails("event.data.list[0.5] == 1", "no such element");
    fails("event.data.n.x == 1", "there are no members in a double");
    fails("event.data.n['x'] == 1", "no such element in a double");
}

#[test]
fn has_asks_for_the_last_field_only() {
    holds(&["has(event.data.n)", "!has(event.missing)", "has(event.none)", "!has(event.data.deep.y)"]);
    fails("has(event.missing.x)", "there is no member missing");
    fails("has(event.type.x)", "there are no members in a text");
}

#[test]
fn numbers_compare_whatever_their_kind() {
    holds(&[
        "event.data.n > 4 && event.data.n >= 5 && event.data.n < 5.5 && event.data.n <= 5",
        "1 == 1.0 && 1 != 1.5 && -1 < -0.5 && event.data.neg > -1",
        "9007199254740993 > 9007199254740992.0 && 9223372036854775807 < 9223372036854775808.0",
        "-9223372036854775808 == -9223372036854775808.0 && 1 < event.data.big",
        "'a' < 'b' && 'a' < 'aa' && 'Z' < 'a' && false < true",
        "0.0 / 0.0 != 0.0 / 0.0 && !(0.0 / 0.0 < 1.0) && !(0.0 / 0.0 >= 1)",
        "1.0 / 0.0 > 1",
    ]);
    fails("'1' < 2", "a text and a whole number cannot be compared");
    fails("event.data < event.data", "cannot be compared");
}

#[test]
fn values_of_two_kinds_are_not_equal() {
    holds(
        &["event.type != 1", "event.none != false", "'' != null", "[1] != {}.x || true", "event.data != []"]
            .map(|text| text.replace("[1] != {}.x", "[1] != '1'"))
            .each_ref()
            .map(String::as_str),
    );
    holds(&[
        "[1, 'a', [true]] == [1.0, 'a', [true]]",
        "[1, 2] != [2, 1] && [1] != [1, 1]",
        "event.data.list == [1, 'two', [3]]",
        "event.data.orders[0] == event.data.orders[0] && event.data.orders[0] != event.data.orders[1]",
        "event.data == event.data",
    ]);
    let maps = r#"{"a":{"x":1,"y":2},"b":{"y":2,"x":1.0},"c":{"x":1},"d":{"x":1,"z":2},"e":{"x":9,"y":2,"x":1}}"#;
    for (condition, expected) in [
        ("event.a == event.b", true),
        ("event.a == event.c", false),
        ("event.c == event.a", false),
        ("event.a == event.d", false),
        ("event.a == event.e", true),
    ] {
        assert_eq!(ask(condition, maps), Ok(expected), "{condition}");
    }
}

#[test]
fn whole_numbers_and_doubles_are_calculated_with_apart() {
    holds(&[
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1",
        "event.data.f + 0.5 == 3.0 && event.data.f * 2.0 - 1.0 == 4.0 && event.data.f / 2.0 == 1.25",
        "- event.data.n == -5 && --1 == 1 && 10 - 2 - 3 == 5 && 100 / 10 / 5 == 2",
        "'a' + 'b' == 'ab' && [1] + [2] == [1, 2] && size(event.data.list + [1]) == 4",
    ]);
    fails("event.data.n + 1 == 6", "a double and a whole number cannot be calculated with");
    fails("event.data.n % 2.0 == 1.0", "cannot be calculated with");
    fails("1 / 0 == 1", "division by zero");
    fails("1 % 0 == 1", "division by zero");
    for condition in [
        "9223372036854775807 + 1 > 0",
        "-9223372036854775808 - 1 < 0",
        "- (-9223372036854775808) > 0",
        "-9223372036854775808 / -1 > 0",
        "-9223372036854775808 % -1 == 0",
        "9223372036854775807 * 2 > 0",
    ] {
        fails(condition, "too large");
    }
}

#[test]
fn a_part_that_decides_hides_errors_of_the_others() {
    holds(&[
        "true || event.missing == 1",
        "event.missing == 1 || true",
        "!(false && event.missing == 1)",
        "!(event.missing == 1 && false)",
        "event.missing == 1 || false || true",
        "event.type || true",
        "true ? true : event.missing",
        "false || true && true || false",
        "event.ok ? event.size == 3 : false",
        "false ? false : false ? false : true",
    ]);
    fails("event.missing == 1 || false", "no member missing");
    fails("event.missing == 1 && true", "no member missing");
    fails("event.type && true", "true or false was needed, not a text");
    fails("event.type ? true : true", "true or false was needed");
    fails("!event.type", "true or false was needed");
    fails("event.type", "gives a text, not true or false");
}

#[test]
fn lists_and_maps_are_searched() {
    holds(&[
        "event.type in ['a', 'order.v1']",
        "!(event.type in [])",
        "event.data.n in [1, 5]",
        "1 in event.data.list && 'two' in event.data.list && [3] in event.data.list",
        "'n' in event.data && !('m' in event.data) && 'type' in event",
        "event.data.orders.exists(o, o.count > 10 && o.sku == 'b')",
        "!event.data.orders.all(o, o.count > 10)",
        "event.data.orders.all(o, has(o.sku))",
        "[].all(x, false) && ![].exists(x, true)",
        "[1, 2].exists(x, [3, 4].exists(y, x + y == 6))",
        "[1, 2].all(x, [x].all(x, x > 0) && x > 0)",
        "event.data.exists(name, name == 'deep')",
        "event.data.list.exists(x, x > 0 && x < 2)",
        "['event'].all(event, event == 'event')",
    ]);
    fails("1 in event.type", "there are no elements in a text");
    fails("event.type.all(x, true)", "there are no elements in a text");
    fails("event.data.list.all(x, x > 0)", "cannot be compared");
    fails("[1, 'a'].exists(x, x > 1)", "cannot be compared");
    holds(&["['a', 2].exists(x, x > 1)", "!['a', 0].all(x, x > 1)"]);
}

#[test]
fn texts_are_looked_into_and_measured() {
    holds(&[
        "event.type.startsWith('order.') && event.type.endsWith('.v1') && event.type.contains('er.v')",
        "!event.type.startsWith('x') && event.type.startsWith('') && !event.id.contains('x')",
        "size(event.source) == 6 && event.source.size() == 6 && 'é'.size() == 1",
        "size(event.data.list) == 3 && event.data.deep.size() == 1 && size([1, 2]) == 2 && size([]) == 0",
    ]);
    fails("event.size.startsWith('a')", "a text in a double");
    fails("event.type.contains(1)", "a whole number in a text");
    fails("size(event.ok) == 1", "there is no size of a boolean");
}

#[test]
fn literals_are_read_as_the_language_has_them() {
    holds(&[
        r#""a\"b" == 'a"b' && 'a\'b' == "a'b""#,
        r#"'\x41\u00e9\U0001F600\101' == 'Aé😀A'"#,
        r#"'\a\b\f\n\r\t\v\\\?\`' == '\x07\x08\x0c\x0a\x0d\x09\x0b\x5c\x3f\x60'"#,
        r"r'a\nb' == 'a\\nb'",
        "'''a'b\n''' == 'a\\'b\\n' && \"\"\"x\"\"\" == 'x'",
        "0x1F == 31 && 1e3 == 1000.0 && .5 == 0.5 && 1.5E-1 == 0.15",
        "true // to the end\n && 1 == 1 // and there",
        "[1, 2,].size() == 2",
        "1<2&&2>1",
    ]);
}
