//! The schema file, and that it says what the reader does.

use super::*;

const FILE: &str = include_str!("../../../../plugin-config.schema.json");

#[test]
#[cfg(not(target_family = "wasm"))]
fn the_file_is_the_schema_of_this_source() {
    let fresh = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("WEFT_WRITE_SCHEMA").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-config.schema.json");
        std::fs::write(file, &fresh).unwrap();
    } else {
        assert!(fresh == FILE, "write it anew: WEFT_WRITE_SCHEMA=1 cargo test -p weft-core schema_file");
    }
}

/// The part of JSON Schema that the file uses.
fn allows(schema: &Value, value: &Value) -> bool {
    let is_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64(),
        other => other.is_none(),
    };
    let members = value.as_object().into_iter().flatten();
    let text = value.as_str().unwrap_or_default();
    let has = |needed: &Value| value.get(needed.as_str().unwrap()).is_some();
    let number = value.as_u64().unwrap_or_default();
    is_type
        && schema["enum"].as_array().is_none_or(|words| words.contains(value))
        && schema["minimum"].as_u64().is_none_or(|least| number >= least)
        && schema["maximum"].as_u64().is_none_or(|most| number <= most)
        && schema["minLength"].as_u64().is_none_or(|least| text.len() as u64 >= least)
        && schema["pattern"].as_str().is_none_or(|it| regex_lite::Regex::new(it).unwrap().is_match(text))
        && schema["required"].as_array().into_iter().flatten().all(has)
        && value.as_array().into_iter().flatten().all(|element| allows(&schema["items"], element))
        && members.into_iter().all(|(name, member)| match schema["properties"].get(name) {
            Some(known) => allows(known, member),
            None => schema["additionalProperties"] != false && allows(&schema["additionalProperties"], member),
        })
}

#[test]
fn the_schema_and_the_reader_judge_alike() {
    let schema: Value = serde_json::from_str(FILE).unwrap();
    let judge = |config: &Value| {
        assert_eq!(allows(&schema, config), read(config).is_ok(), "{config}");
        allows(&schema, config)
    };
    assert!(judge(&whole()));
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1001),
        json!(1.5),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([1]),
        json!({"x": 1}),
        json!({"x": "y"}),
        json!(""),
        json!(" "),
        json!("a b"),
        json!("a-b_9"),
        json!("é"),
        json!("#"),
        json!("/x?y=%20"),
        json!("0"),
        json!("1.0"),
        json!(".5"),
        json!("."),
        json!("1.1"),
        json!("debug"),
    ];
    let mut allowed = 0;
    for pointer in pointers(&whole(), String::new()) {
        for value in &values {
            let changed = with(&pointer, value.clone());
            // Only the reader knows what members say of each other, and what a condition is.
            let is_reference = ["/components", "/link", "/app", "/invoke/apps"].contains(&pointer.as_str())
                || pointer.ends_with("/name")
                || pointer.ends_with("/type")
                || pointer.ends_with("/pubsubname")
                || pointer.ends_with("/match")
                || pointer.ends_with("/routes");
            if !is_reference {
                allowed += usize::from(judge(&changed));
            }
        }
    }
    assert!(allowed > 100, "{allowed}");
}

/// JSON pointers to everything in a value.
fn pointers(value: &Value, at: String) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect(),
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for (name, child) in children {
        let path = format!("{at}/{}", name.replace('/', "~1"));
        all.extend(pointers(child, path.clone()));
        all.push(path);
    }
    all
}

#[test]
fn every_member_is_described() {
    fn walk(schema: &Value, path: &str) {
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            assert!(member["description"].as_str().is_some_and(|text| text.ends_with('.')), "{path}");
            for inner in [member, &member["items"], &member["additionalProperties"]] {
                walk(inner, &path);
            }
        }
    }
    walk(&schema(), "$");
}
