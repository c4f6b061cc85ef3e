use super::*;

#[test]
fn names_match_without_regard_to_case_and_the_last_one_counts() {
    let object = RawObject::parse(r#"{"entryID":"a","EntryId":"b","unknown":[1,{}]}"#).unwrap();
    assert_eq!(object.string("entryId").unwrap().as_deref(), Some("b"));
    assert!(object.string("other").unwrap().is_none());
}

#[test]
fn only_the_first_value_is_read() {
    let object = RawObject::parse(" \n{\"a\":1} trailing {").unwrap();
    assert_eq!(object.get("a").unwrap().get(), "1");
    assert_eq!(array("[1,2] x").unwrap().len(), 2);
    assert_eq!(value(r#" {"a": 1}}"#).unwrap().get(), r#"{"a": 1}"#);
}

#[test]
fn values_stay_as_they_were_written() {
    let object = RawObject::parse(r#"{"n": 1.10e+05 ,"big":123456789012345678901234567890,"s":"\u00e9"}"#).unwrap();
    assert_eq!(object.get("n").unwrap().get(), "1.10e+05");
    assert_eq!(object.get("big").unwrap().get(), "123456789012345678901234567890");
    assert_eq!(object.get("s").unwrap().get(), r#""\u00e9""#);
    assert_eq!(object.string("s").unwrap().as_deref(), Some("é"));
}

#[test]
fn null_counts_as_not_given_wherever_a_kind_is_asked_for() {
    let object = RawObject::parse(r#"{"s":null,"b":null,"m":null,"a":null,"o":null}"#).unwrap();
    assert_eq!(object.string("s"), Ok(None));
    assert_eq!(object.boolean("b"), Ok(None));
    assert_eq!(object.string_map("m"), Ok(None));
    assert!(object.array("a").unwrap().is_empty());
    assert!(object.object("o").unwrap().is_none());
    assert!(object.get("s").unwrap().is_null());
    assert_eq!(RawObject::parse("null").unwrap().members().count(), 0);
    assert!(array("null").unwrap().is_empty());
}

#[test]
fn an_error_names_the_member_and_what_was_expected() {
    let object = RawObject::parse(r#"{"s":1,"b":"true","m":{"x":1},"a":{},"o":[]}"#).unwrap();
    assert_eq!(object.string("s").unwrap_err().to_string(), "s must be a string");
    assert_eq!(object.boolean("b").unwrap_err().to_string(), "b must be true or false");
    assert_eq!(object.string_map("m").unwrap_err().to_string(), "m.x must be a string");
    assert_eq!(object.array("a").unwrap_err().to_string(), "a must be an array");
    assert_eq!(object.object("o").unwrap_err().to_string(), "o must be an object");
}

#[test]
fn a_map_of_strings_takes_null_as_an_empty_string() {
    let object = RawObject::parse(r#"{"m":{"a":"1","b":null,"a":"2"}}"#).unwrap();
    let map = object.string_map("m").unwrap().unwrap();
    assert_eq!(map.get("a").map(String::as_str), Some("2"));
    assert_eq!(map.get("b").map(String::as_str), Some(""));
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for wrong in ["", "{", "[1]", "\"a\"", "{\"a\":}", "{\"a\":1,}", "{a:1}"] {
        assert!(RawObject::parse(wrong).is_err(), "{wrong}");
    }
    assert!(RawObject::parse("{\"a\":x}").unwrap_err().to_string().contains("column"));
    for wrong in ["", "[", "{}", "[1,"] {
        assert!(array(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn deep_nesting_is_scanned_without_recursion() {
    let depth = 200_000;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(RawObject::parse(&deep).unwrap().get("a").unwrap().get().len(), 2 * depth);
}

#[test]
fn bytes_that_are_no_utf_8_become_replacement_characters() {
    let body = b"{\"a\":\"x\xffy\"}";
    let text = text(body);
    assert_eq!(RawObject::parse(&text).unwrap().string("a").unwrap().as_deref(), Some("x\u{fffd}y"));
}
