//! The JSON Schema of the plugin configuration, made from the tables that the reader uses.

use super::form::{Absent, Form, Member, Shape};
use super::shapes::PLUGIN_CONFIG;
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a plugin configuration; `filter/plugin-config.schema.json` holds it. What
/// members say of each other, such as a subscription's broker, a schema cannot express; [`super::PluginConfig::read`]
/// checks it. Members are described only with the feature `schema`.
pub fn schema() -> Value {
    let mut root = object(&PLUGIN_CONFIG);
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("Plugin configuration of the Weft filter"));
    Value::Object(root)
}

fn object(shape: &Shape) -> Map<String, Value> {
    let is_needed = |member: &&Member| matches!(member.absent, Absent::Refused);
    let needed: Vec<&str> = shape.members.iter().filter(is_needed).map(|member| member.name).collect();
    let members = shape.members.iter().map(|member| (member.name.to_owned(), Value::Object(property(member))));
    let mut schema = map(json!({"type": "object", "additionalProperties": false}));
    schema.insert("properties".to_owned(), Value::Object(members.collect()));
    if !needed.is_empty() {
        schema.insert("required".to_owned(), json!(needed));
    }
    schema
}

fn property(member: &Member) -> Map<String, Value> {
    let mut schema = value(member.form);
    let default = match member.absent {
        Absent::Text(text) => Some(json!(text)),
        Absent::Number(number) => Some(json!(number)),
        Absent::Refused | Absent::Nothing => None,
    };
    if let Some(default) = default {
        schema.insert("default".to_owned(), default);
    }
    if !member.about.is_empty() {
        schema.insert("description".to_owned(), json!(member.about));
    }
    schema
}

fn value(form: Form) -> Map<String, Value> {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let schema = match form {
        Form::Text | Form::Condition | Form::Trip => json!({"type": "string"}),
        Form::Name => json!({"type": "string", "minLength": 1}),
        Form::Label => text("^[A-Za-z0-9_-]{1,253}$"),
        Form::Word => text("^[!-~]+$"),
        Form::Path => text("^[!-\"$-~]{1,2048}$"),
        Form::Share => text("^(0+(\\.[0-9]*)?|\\.[0-9]+|0*1(\\.0*)?)$"),
        Form::OneOf(words) => json!({"enum": words}),
        Form::Flag => json!({"type": "boolean"}),
        Form::BodySize(most) => json!({"type": "integer", "minimum": 1, "maximum": most}),
        Form::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Form::Words => json!({"type": "array", "items": text("^[!-~]+$")}),
        Form::Texts => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Form::Object(shape) => return object(shape),
        Form::Map(shape) => json!({"type": "object", "additionalProperties": object(shape)}),
        Form::List(shape) => json!({"type": "array", "items": object(shape)}),
    };
    map(schema)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
