//! Asking an expression of an event.

use super::CelError;
use super::number;
use super::operate;
use super::pattern::Pattern;
use super::syntax::{Expr, Look};
use super::value::Value;
use crate::json::{self, RawObject};
use std::borrow::Cow;

/// Work for every evaluation, in bytes looked at. A step of its own counts as [`STEP`] of them.
const WORK: usize = 1 << 20;
/// How often on top of that the whole event may be looked at.
const LOOKS: usize = 16;
const STEP: usize = 16;

pub(super) type Outcome<'a> = Result<Value<'a>, CelError>;

/// One evaluation.
pub(super) struct Scope<'a> {
    event: &'a str,
    members: &'a RawObject<'a>,
    /// Of the macros that are under way.
    variables: Vec<Value<'a>>,
    work: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(event: &'a str, members: &'a RawObject<'a>) -> Self {
        let work = WORK.saturating_add(event.len().saturating_mul(LOOKS));
        Self { event, members, variables: Vec::new(), work }
    }

    /// Takes so much from the work that may be done.
    ///
    /// # Errors
    /// There is not so much left; from then on nothing is.
    #[inline(never)]
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), CelError> {
        match self.work.checked_sub(bytes.saturating_add(STEP)) {
            Some(left) => {
                self.work = left;
                Ok(())
            }
            None => {
                self.work = 0;
                Err(CelError::new(&["the condition is too much work for this event"]))
            }
        }
    }

    /// The value of an expression.
    #[inline(never)]
    pub(super) fn value(&mut self, expr: &'a Expr) -> Outcome<'a> {
        self.spend(0)?;
        match expr {
            Expr::Null => Ok(Value::Null),
            Expr::Bool(value) => Ok(Value::Bool(*value)),
            Expr::Int(number) => Ok(Value::Int(*number)),
            Expr::Double(number) => Ok(Value::Double(*number)),
            Expr::Text(text) => Ok(Value::Text(Cow::Borrowed(text))),
            Expr::Event => self.event(),
            Expr::Variable(at) => Ok(self.variables.get(*at).cloned().unwrap_or(Value::Null)),
            Expr::List(elements) => self.list(elements),
            Expr::Field(operand, name) => {
                let found = self.field(operand, name)?;
                found.ok_or_else(|| CelError::new(&["there is no member ", name]))
            }
            Expr::Has(operand, name) => Ok(Value::Bool(self.field(operand, name)?.is_some())),
            Expr::Index(operand, index) => self.index(operand, index),
            Expr::Not(operand) => Ok(Value::Bool(!self.boolean(operand)?)),
            Expr::Minus(operand) => operate::minus(self.value(operand)?),
            Expr::Joined(decides, parts) => self.joined(*decides, parts),
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                operate::binary(self, *operator, left, right)
            }
            Expr::Choice(condition, then, otherwise) => {
                let chosen = if self.boolean(condition)? { then } else { otherwise };
                self.value(chosen)
            }
            Expr::Size(operand) => self.size(operand),
            Expr::Look(look, operand, part) => self.look(*look, operand, part),
            Expr::Matches(operand, pattern) => self.matches(operand, pattern),
            Expr::Each(decides, range, condition) => self.each(*decides, range, condition),
        }
    }

    #[inline(never)]
    fn event(&mut self) -> Outcome<'a> {
        self.spend(self.event.len())?;
        json::value(self.event).map(Value::of).map_err(|error| CelError(error.to_string()))
    }

    #[inline(never)]
    fn boolean(&mut self, expr: &'a Expr) -> Result<bool, CelError> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            other => Err(CelError::new(&["true or false was needed, not ", other.kind()])),
        }
    }

    #[inline(never)]
    fn list(&mut self, elements: &'a [Expr]) -> Outcome<'a> {
        Ok(Value::List(elements.iter().map(|element| self.value(element)).collect::<Result<_, _>>()?))
    }

    /// A part that decides hides errors of the others, before and after it.
    #[inline(never)]
    fn joined(&mut self, decides: bool, parts: &'a [Expr]) -> Outcome<'a> {
        let mut sum = Ok(!decides);
        for part in parts {
            match self.boolean(part) {
                Ok(value) if value == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                error => sum = sum.and(error),
            }
        }
        sum.map(Value::Bool)
    }

    /// A member of a map, by an exact name; of two of one name the last.
    #[inline(never)]
    fn field(&mut self, operand: &'a Expr, name: &str) -> Result<Option<Value<'a>>, CelError> {
        if let Expr::Event = operand {
            let members = self.members;
            return Ok(members.exactly(name).map(Value::of));
        }
        let map = self.value(operand)?;
        self.member(&map, name)
    }

    /// A member of a value that has to be a map.
    #[inline(never)]
    pub(super) fn member(&mut self, map: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, CelError> {
        let Value::Map(raw) = map else {
            return Err(CelError::new(&["there are no members in ", map.kind()]));
        };
        self.spend(map.weight())?;
        let mut found = None;
        raw.each(&mut |given, value| {
            if given.string().as_deref() == Some(name) {
                found = Some(value);
            }
            true
        });
        Ok(found.map(Value::of))
    }

    #[inline(never)]
    fn index(&mut self, operand: &'a Expr, index: &'a Expr) -> Outcome<'a> {
        let operand = self.value(operand)?;
        let at = match self.value(index)? {
            Value::Text(name) if matches!(operand, Value::Map(_)) => {
                let found = self.member(&operand, &name)?;
                return found.ok_or_else(|| CelError::new(&["there is no member ", &name]));
            }
            Value::Int(at) => Some(at),
            Value::Double(at) => number::whole(at),
            _ => None,
        };
        let at = at.and_then(|at| usize::try_from(at).ok());
        let found = match at {
            Some(at) => self.element(&operand, at)?,
            None => None,
        };
        found.ok_or_else(|| CelError::new(&["there is no such element in ", operand.kind()]))
    }

    #[inline(never)]
    fn element(&mut self, list: &Value<'a>, at: usize) -> Result<Option<Value<'a>>, CelError> {
        self.spend(list.weight())?;
        Ok(match list {
            Value::List(elements) => elements.get(at).cloned(),
            Value::Array(raw) => {
                let (mut left, mut found) = (at, None);
                raw.each(&mut |_, value| {
                    found = Some(value);
                    left = left.wrapping_sub(1);
                    left != usize::MAX
                });
                found.filter(|_| left == usize::MAX).map(Value::of)
            }
            _ => None,
        })
    }

    #[inline(never)]
    fn size(&mut self, operand: &'a Expr) -> Outcome<'a> {
        let operand = self.value(operand)?;
        self.spend(operand.weight())?;
        let size = match &operand {
            Value::Text(text) => text.chars().count(),
            Value::List(list) => list.len(),
            Value::Array(raw) | Value::Map(raw) => {
                let mut count = 0;
                raw.each(&mut |_, _| {
                    count += 1;
                    true
                });
                count
            }
            other => return Err(CelError::new(&["there is no size of ", other.kind()])),
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    #[inline(never)]
    fn look(&mut self, look: Look, operand: &'a Expr, part: &'a Expr) -> Outcome<'a> {
        let (text, part) = match (self.value(operand)?, self.value(part)?) {
            (Value::Text(text), Value::Text(part)) => (text, part),
            (text, part) => {
                return Err(CelError::new(&["a text cannot be looked for: ", part.kind(), " in ", text.kind()]));
            }
        };
        self.spend(text.len() + part.len())?;
        Ok(Value::Bool(match look {
            Look::Starts => text.starts_with(&*part),
            Look::Ends => text.ends_with(&*part),
            Look::Contains => text.contains(&*part),
        }))
    }

    #[inline(never)]
    fn matches(&mut self, operand: &'a Expr, pattern: &Pattern) -> Outcome<'a> {
        match self.value(operand)? {
            Value::Text(text) => {
                self.spend(text.len().saturating_mul(pattern.len()))?;
                Ok(Value::Bool(pattern.is_in(&text)))
            }
            other => Err(CelError::new(&["no pattern matches ", other.kind()])),
        }
    }

    /// Shows each element of a list, or each name of a map, until `visit` gives false.
    #[inline(never)]
    pub(super) fn range(
        &mut self,
        range: Value<'a>,
        visit: &mut dyn FnMut(&mut Self, Value<'a>) -> bool,
    ) -> Result<(), CelError> {
        self.spend(range.weight())?;
        match range {
            Value::List(elements) => {
                for element in elements {
                    if !visit(self, element) {
                        break;
                    }
                }
            }
            Value::Array(raw) => raw.each(&mut |_, value| visit(self, Value::of(value))),
            Value::Map(raw) => raw.each(&mut |name, _| visit(self, Value::of(name))),
            other => return Err(CelError::new(&["there are no elements in ", other.kind()])),
        }
        Ok(())
    }

    /// An element that decides hides errors of the others.
    #[inline(never)]
    fn each(&mut self, decides: bool, range: &'a Expr, condition: &'a Expr) -> Outcome<'a> {
        let range = self.value(range)?;
        let mut sum = Ok(!decides);
        self.range(range, &mut |scope, element| {
            scope.variables.push(element);
            let held = scope.boolean(condition);
            scope.variables.pop();
            match held {
                Ok(value) if value == decides => {
                    sum = Ok(decides);
                    return false;
                }
                Ok(_) => {}
                Err(error) if sum.is_ok() => sum = Err(error),
                Err(_) => {}
            }
            scope.work > 0
        })?;
        sum.map(Value::Bool)
    }
}
