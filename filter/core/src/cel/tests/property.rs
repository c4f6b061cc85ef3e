//! The evaluator held against another one, which has the whole language.

use super::*;
use cel::{Context, Program, Value as Theirs};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// A value of JSON for the other evaluator: numbers are doubles.
fn theirs(value: &serde_json::Value) -> Theirs {
    match value {
        serde_json::Value::Null => Theirs::Null,
        serde_json::Value::Bool(value) => Theirs::Bool(*value),
        serde_json::Value::Number(number) => Theirs::Float(number.as_f64().unwrap()),
        serde_json::Value::String(text) => Theirs::String(Arc::new(text.clone())),
        serde_json::Value::Array(list) => Theirs::List(Arc::new(list.iter().map(theirs).collect())),
        serde_json::Value::Object(map) => {
            let map: HashMap<String, Theirs> = map.iter().map(|(name, value)| (name.clone(), theirs(value))).collect();
            Theirs::Map(map.into())
        }
    }
}

fn their_answer(condition: &str, event: &serde_json::Value) -> Option<bool> {
    let program = Program::compile(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let mut context = Context::default();
    context.add_variable_from_value("event", theirs(event));
    match program.execute(&context) {
        Ok(Theirs::Bool(holds)) => Some(holds),
        _ => None,
    }
}

fn event() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        (-3_i32..4).prop_map(|number| serde_json::Value::from(f64::from(number) / 2.0)),
        "[ab]{0,2}".prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[abc]", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::hash_map("[abc]", value, 0..4)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

const OPERATORS: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%", "in"];

/// Expressions of the part of the language that is supported.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("event".to_owned()),
        "event\\.[abc]",
        "event\\.[abc]\\.[abc]",
        (-3_i32..4).prop_map(|number| number.to_string()),
        (-3_i32..4).prop_map(|number| format!("{:?}", f64::from(number) / 2.0)),
        "'[ab]{0,2}'",
        prop_oneof![Just("true"), Just("false"), Just("null"), Just("x")].prop_map(str::to_owned),
    ];
    let expr = leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            4 => (inner.clone(), prop::sample::select(OPERATORS), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            1 => inner.clone().prop_map(|it| format!("!({it})")),
            1 => inner.clone().prop_map(|it| format!("-({it})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(|list| format!("[{}]", list.join(", "))),
            1 => (inner.clone(), "[abc]").prop_map(|(it, name)| format!("has(({it}).{name})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(it, index)| format!("({it})[{index}]")),
            1 => inner.clone().prop_map(|it| format!("size({it})")),
            1 => (inner.clone(), prop::sample::select(&["startsWith", "endsWith", "contains"][..]), inner.clone())
                .prop_map(|(it, look, part)| format!("({it}).{look}({part})")),
            2 => (inner.clone(), prop::sample::select(&["exists", "all"][..]), inner)
                .prop_map(|(it, each, held)| format!("({it}).{each}(x, {held})")),
        ]
    });
    // `x` means something only within a macro.
    expr.prop_map(|it| format!("['a', 1, 0.5].exists(x, {it})"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(condition in expression(), event in event()) {
        let ours = ask(&condition, &event.to_string());
        prop_assert_eq!(ours.clone().ok(), their_answer(&condition, &event), "{} of {}: {:?}", condition, event, ours);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,40}|[a-z.()\\[\\]&|!<=>'\" 0-9+*/%?:,-]{0,60}") {
        let _ = Condition::parse(&text);
    }

    #[test]
    fn near_numbers_are_read_exactly(digits in 0_u64.., places in -19_i32..20) {
        let text = format!("{digits}e{places}");
        prop_assert_eq!(number::double(&text).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
    }

    #[test]
    fn whole_numbers_and_doubles_are_compared_exactly(whole: i64, shift in 0_u32..64, near in -2.0_f64..2.0) {
        let whole = whole >> shift;
        let double = whole as f64 + near;
        // Both are exact in 128 bits with one place after the point for each bit of the fraction.
        let expected = if double.fract() == 0.0 {
            i128::from(whole).cmp(&(double as i128))
        } else {
            (whole as f64).partial_cmp(&double).unwrap()
        };
        prop_assert_eq!(number::compare(whole, double), Some(expected));
    }
}
