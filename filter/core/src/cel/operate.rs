//! Operators.

use super::CelError;
use super::eval::{Outcome, Scope};
use super::number;
use super::syntax::Binary;
use super::value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

#[inline(never)]
pub(super) fn minus(value: Value<'_>) -> Outcome<'_> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(too_large),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(CelError::new(&["there is no `-` of ", other.kind()])),
    }
}

/// The value of `left operator right`.
#[inline(never)]
pub(super) fn binary<'a>(scope: &mut Scope<'a>, operator: Binary, left: Value<'a>, right: Value<'a>) -> Outcome<'a> {
    match operator {
        Binary::Equal => scope.equal(&left, &right).map(Value::Bool),
        Binary::Unequal => scope.equal(&left, &right).map(|equal| Value::Bool(!equal)),
        Binary::In => scope.contains(left, right).map(Value::Bool),
        Binary::Add => add(scope, left, right),
        Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => calculate(operator, &left, &right),
        _ => {
            scope.spend(left.weight().min(right.weight()))?;
            let order = compare(&left, &right).ok_or_else(|| cannot("compared", &left, &right))?;
            // Not-a-number is neither less nor greater.
            Ok(Value::Bool(order.is_some_and(|order| match operator {
                Binary::Less => order.is_lt(),
                Binary::AtMost => order.is_le(),
                Binary::Greater => order.is_gt(),
                _ => order.is_ge(),
            })))
        }
    }
}

/// `None` for values that have no order between them.
#[inline(never)]
fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Option<Ordering>> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(Some(left.cmp(right))),
        (Value::Bool(left), Value::Bool(right)) => Some(Some(left.cmp(right))),
        _ => numbers(left, right),
    }
}

/// The order of two numbers of either kind; `None` for other values.
#[inline(never)]
pub(super) fn numbers(left: &Value<'_>, right: &Value<'_>) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Double(right)) => number::compare(*left, *right),
        (Value::Double(left), Value::Int(right)) => number::compare(*right, *left).map(Ordering::reverse),
        _ => return None,
    })
}

#[inline(never)]
fn add<'a>(scope: &mut Scope<'a>, left: Value<'a>, right: Value<'a>) -> Outcome<'a> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            scope.spend(left.len() + right.len())?;
            Ok(Value::Text(Cow::Owned([left, right].concat())))
        }
        (left @ (Value::List(_) | Value::Array(_)), right @ (Value::List(_) | Value::Array(_))) => {
            let mut all = scope.elements(left)?;
            all.append(&mut scope.elements(right)?);
            Ok(Value::List(all))
        }
        (left, right) => calculate(Binary::Add, &left, &right),
    }
}

/// Two whole numbers give a whole one, two doubles a double; mixed ones nothing.
#[inline(never)]
fn calculate<'a>(operator: Binary, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => whole(operator, *left, *right).map(Value::Int),
        (Value::Double(left), Value::Double(right)) if operator != Binary::Remainder => {
            Ok(Value::Double(match operator {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                _ => left / right,
            }))
        }
        _ => Err(cannot("calculated with", left, right)),
    }
}

fn whole(operator: Binary, left: i64, right: i64) -> Result<i64, CelError> {
    let result = match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        _ if right == 0 => return Err(CelError::new(&["a division by zero"])),
        Binary::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    result.ok_or_else(too_large)
}

fn too_large() -> CelError {
    CelError::new(&["a number is too large"])
}

#[inline(never)]
fn cannot(what: &str, left: &Value<'_>, right: &Value<'_>) -> CelError {
    CelError::new(&[left.kind(), " and ", right.kind(), " cannot be ", what])
}
