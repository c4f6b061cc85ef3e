//! The condition `trip` of a circuit breaker: the part of CEL over whole numbers, which is all that its five variables
//! need. Read anew each time, since it is short and there is nothing to keep.

use super::breaker::Counts;
use std::cmp::Ordering;

/// Longest condition, in bytes.
const LONGEST: usize = 512;
/// Deepest nesting.
const DEEPEST: u8 = 16;

/// A value whose type is known even where it is none: an overflow, a division by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Number(Option<i64>),
    Truth(Option<bool>),
}

/// Whether the condition holds. One that has no value, such as a division by zero, does not.
pub(super) fn holds(condition: &str, counts: &Counts) -> bool {
    read(condition, counts) == Ok(Some(true))
}

/// Whether a condition can be used.
///
/// # Errors
/// What is wrong with it.
#[inline(never)]
pub fn check(condition: &str) -> Result<(), &'static str> {
    read(condition, &Counts::default()).map(|_| ())
}

fn read(condition: &str, counts: &Counts) -> Result<Option<bool>, &'static str> {
    if condition.len() > LONGEST {
        return Err("is longer than 512 bytes");
    }
    let mut reader = Reader { rest: condition.as_bytes(), counts, depth: 0 };
    let value = reader.operation(0)?;
    match value {
        Value::Truth(truth) if reader.rest.trim_ascii().is_empty() => Ok(truth),
        Value::Truth(_) => Err("has something after its end"),
        Value::Number(_) => Err("is a number, no condition"),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    counts: &'a Counts,
    depth: u8,
}

/// Operators and how tight they bind; longer ones first.
const OPERATORS: [(&str, u8); 13] = [
    ("||", 1),
    ("&&", 2),
    ("==", 3),
    ("!=", 3),
    ("<=", 3),
    (">=", 3),
    ("<", 3),
    (">", 3),
    ("+", 4),
    ("-", 4),
    ("*", 5),
    ("/", 5),
    ("%", 5),
];

/// The variables, in the order of [`Counts::all`].
const NAMES: [&str; 5] = ["requests", "totalSuccesses", "totalFailures", "consecutiveSuccesses", "consecutiveFailures"];

impl Reader<'_> {
    fn takes(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_ascii_start();
        let rest = self.rest.strip_prefix(token.as_bytes());
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// An operation whose operators bind tighter than `least`.
    #[inline(never)]
    fn operation(&mut self, least: u8) -> Result<Value, &'static str> {
        let mut left = self.operand()?;
        loop {
            let mut operators = OPERATORS.iter().filter(|(_, binds)| *binds > least);
            let Some((operator, binds)) = operators.find(|(operator, _)| self.takes(operator)) else { return Ok(left) };
            left = apply(operator, left, self.operation(*binds)?)?;
        }
    }

    #[inline(never)]
    fn operand(&mut self) -> Result<Value, &'static str> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("is nested too deep");
        }
        let value = if self.takes("(") {
            let value = self.operation(0)?;
            if !self.takes(")") {
                return Err("lacks a closing parenthesis");
            }
            value
        } else if self.takes("!") {
            apply("==", Value::Truth(Some(false)), self.operand()?)?
        } else if self.takes("-") {
            apply("-", Value::Number(Some(0)), self.operand()?)?
        } else {
            self.word()?
        };
        self.depth -= 1;
        Ok(value)
    }

    #[inline(never)]
    fn word(&mut self) -> Result<Value, &'static str> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let length = self.rest.iter().take_while(|byte| is_part(byte)).count();
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        let word = std::str::from_utf8(word).unwrap_or_default();
        let known = NAMES.iter().zip(self.counts.all()).find(|(name, _)| **name == word);
        match known.map_or_else(|| word.parse().ok(), |(_, count)| Some(count)) {
            Some(number) => Ok(Value::Number(Some(number.into()))),
            None if matches!(word, "true" | "false") => Ok(Value::Truth(Some(word == "true"))),
            None if word.is_empty() => Err("lacks an operand"),
            None => Err(UNKNOWN),
        }
    }
}

const UNKNOWN: &str = "holds what is neither a whole number below 4294967296 nor one of requests, totalSuccesses, \
                       totalFailures, consecutiveSuccesses, consecutiveFailures; instead of a fraction, multiply both sides";

#[inline(never)]
fn apply(operator: &str, left: Value, right: Value) -> Result<Value, &'static str> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => arithmetic(operator, left.zip(right)),
        (Value::Truth(left), Value::Truth(right)) => logic(operator, left, right),
        _ => Err("joins a number and a condition"),
    }
}

fn arithmetic(operator: &str, both: Option<(i64, i64)>) -> Result<Value, &'static str> {
    let compute = |by: fn(i64, i64) -> Option<i64>| Ok(Value::Number(both.and_then(|(left, right)| by(left, right))));
    let compare = |known: &[Ordering]| Ok(Value::Truth(both.map(|(left, right)| known.contains(&left.cmp(&right)))));
    use Ordering::{Equal, Greater, Less};
    match operator {
        "==" => compare(&[Equal]),
        "!=" => compare(&[Less, Greater]),
        "<=" => compare(&[Less, Equal]),
        ">=" => compare(&[Greater, Equal]),
        "<" => compare(&[Less]),
        ">" => compare(&[Greater]),
        "+" => compute(i64::checked_add),
        "-" => compute(i64::checked_sub),
        "*" => compute(i64::checked_mul),
        "/" => compute(i64::checked_div),
        "%" => compute(i64::checked_rem),
        _ => Err("joins numbers with '&&' or '||'"),
    }
}

fn logic(operator: &str, left: Option<bool>, right: Option<bool>) -> Result<Value, &'static str> {
    let decided = match operator {
        // As in CEL: one side that decides makes up for another one without a value.
        "||" if left == Some(true) || right == Some(true) => Some(true),
        "&&" if left == Some(false) || right == Some(false) => Some(false),
        "||" | "&&" => left.and(right),
        "==" => left.zip(right).map(|(left, right)| left == right),
        "!=" => left.zip(right).map(|(left, right)| left != right),
        _ => return Err("computes with conditions"),
    };
    Ok(Value::Truth(decided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cel::{Context, Program};
    use proptest::prelude::*;

    #[test]
    fn a_condition_holds_or_not() {
        let counts = Counts::of([10, 4, 6, 0, 3]);
        for (condition, expected) in [
            ("consecutiveFailures > 5", false),
            ("consecutiveFailures >= 3", true),
            ("requests >= 10 && totalFailures * 2 > requests", true),
            ("totalFailures / requests > 0", false),
            ("totalFailures * 100 / requests == 60", true),
            ("!(totalSuccesses == 4) || consecutiveSuccesses != 0", false),
            ("1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 % 4 - 1 == 2 && 2 - 1 - 1 == 0", true),
            ("-1 < 0 && - -1 == 1", true),
            ("requests / 0 > 1", false),
            ("requests / 0 > 1 || true", true),
            ("!(requests / 0 > 1)", false),
            ("4294967295 * 4294967295 * 4294967295 > 0", false),
            ("true == (requests > 1)", true),
        ] {
            assert_eq!(check(condition), Ok(()), "{condition}");
            assert_eq!(holds(condition, &counts), expected, "{condition}");
        }
    }

    #[test]
    fn what_cannot_be_a_condition_is_refused() {
        for (condition, why) in [
            ("", "lacks an operand"),
            ("requests", "is a number"),
            ("requests >", "lacks an operand"),
            ("(requests > 1", "closing parenthesis"),
            ("requests > 1)", "after its end"),
            ("requests > 0.5", "fraction"),
            ("failures > 1", "neither a whole number"),
            ("requests && true", "number and a condition"),
            ("1 && 2", "joins numbers"),
            ("true + true", "computes"),
            ("!1", "number and a condition"),
            ("size(x) > 1", "neither a whole number"),
            ("1 < 2 < 3", "number and a condition"),
        ] {
            let refused = check(condition).unwrap_err();
            assert!(refused.contains(why), "{condition}: {refused}");
        }
        assert!(check(&"(".repeat(100)).unwrap_err().contains("deep"));
        assert!(check(&"!".repeat(100)).unwrap_err().contains("deep"));
        assert!(check(&" ".repeat(600)).unwrap_err().contains("512"));
    }

    fn arithmetic() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
            (0..20u32).prop_map(|it| it.to_string())
        ];
        leaf.prop_recursive(3, 12, 2, |inner| {
            (inner.clone(), proptest::sample::select(&["+", "-", "*", "/", "%"][..]), inner)
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})"))
        })
    }

    fn condition() -> impl Strategy<Value = String> {
        let compared = (arithmetic(), proptest::sample::select(&["<", "<=", ">", ">=", "==", "!="][..]), arithmetic())
            .prop_map(|(left, operator, right)| format!("{left} {operator} {right}"));
        compared.prop_recursive(3, 12, 2, |inner| {
            let joined = (inner.clone(), proptest::sample::select(&["&&", "||"][..]), inner.clone());
            prop_oneof![
                joined.prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
                inner.prop_map(|it| format!("!({it})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn conditions_hold_where_they_hold_in_cel(condition in condition(), numbers in prop::array::uniform5(0..20u32)) {
            prop_assume!(condition.len() <= LONGEST);
            let mut context = Context::default();
            for (name, number) in NAMES.into_iter().zip(numbers) {
                context.add_variable_from_value(name, i64::from(number));
            }
            let expected = Program::compile(&condition).unwrap().execute(&context);
            // The crate does not let a side that decides make up for an error on its left.
            prop_assume!(!condition.contains(['/', '%']) || expected.is_ok());
            prop_assert_eq!(check(&condition), Ok(()));
            prop_assert_eq!(holds(&condition, &Counts::of(numbers)), expected == Ok(cel::Value::Bool(true)));
        }
    }
}
