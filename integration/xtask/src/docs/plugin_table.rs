//! The README's table of the plugin configuration, beside the schema that is made from the filter's own reader.

use super::text::Document;
use crate::paths;
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn the_readme_names_every_member_of_the_plugin_configuration_with_its_default() {
    let readme = Document::read(paths::root().join("README.md"));
    let text = std::fs::read_to_string(paths::root().join("filter/plugin-config.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut wanted = BTreeMap::new();
    members("", &schema, &mut wanted);
    assert_eq!(table(&readme), wanted);
}

/// Members that hold no further ones, by path, with what the table's second column says.
fn members(path: &str, schema: &Value, found: &mut BTreeMap<String, String>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if member["properties"].is_object() {
            members(&path, member, found);
        } else if member["items"]["properties"].is_object() {
            members(&format!("{path}[]"), &member["items"], found);
        } else if member["additionalProperties"]["properties"].is_object() {
            members(&format!("{path}.<id>"), &member["additionalProperties"], found);
        } else {
            found.insert(path, default(member, required.contains(&name.as_str())));
        }
    }
}

fn default(member: &Value, is_required: bool) -> String {
    match &member["default"] {
        Value::Null if is_required => "required".to_owned(),
        Value::Null => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// The rows of the table whose first column is headed `member`.
fn table(readme: &Document) -> BTreeMap<String, String> {
    let rows = readme.prose().skip_while(|line| !line.starts_with("| member |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let name = cells.next().unwrap_or_default().trim_matches('`').to_owned();
            (name, cells.next().unwrap_or_default().to_owned())
        })
        .collect()
}
