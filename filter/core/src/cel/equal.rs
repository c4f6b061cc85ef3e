//! Whether values are equal, and whether one is in another.

use super::CelError;
use super::eval::Scope;
use super::operate;
use super::value::Value;
use std::cmp::Ordering;

/// How deep lists and maps may stand in each other where they are compared.
const DEEPEST: usize = 32;

impl<'a> Scope<'a> {
    /// Whether two values are equal. Values of two kinds never are, but numbers are by their size.
    #[inline(never)]
    pub(super) fn equal(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<bool, CelError> {
        self.same(left, right, DEEPEST)
    }

    #[inline(never)]
    fn same(&mut self, left: &Value<'a>, right: &Value<'a>, depth: usize) -> Result<bool, CelError> {
        self.spend(left.weight().min(right.weight()))?;
        let Some(below) = depth.checked_sub(1) else {
            return Err(CelError::new(&["lists or maps are too deep to be compared"]));
        };
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Text(left), Value::Text(right)) => left == right,
            (Value::Map(_), Value::Map(_)) => {
                self.has_all(left, right, Some(below))? && self.has_all(right, left, None)?
            }
            (Value::List(_) | Value::Array(_), Value::List(_) | Value::Array(_)) => self.lists(left, right, below)?,
            _ => operate::numbers(left, right) == Some(Some(Ordering::Equal)),
        })
    }

    /// The elements of a list.
    #[inline(never)]
    pub(super) fn elements(&mut self, list: Value<'a>) -> Result<Vec<Value<'a>>, CelError> {
        let mut all = Vec::new();
        let mut paid = Ok(());
        self.range(list, &mut |scope, element| {
            // An element takes far more room in a list than it does in the event.
            paid = scope.spend(0);
            all.push(element);
            paid.is_ok()
        })?;
        paid.map(|()| all)
    }

    #[inline(never)]
    fn lists(&mut self, left: &Value<'a>, right: &Value<'a>, below: usize) -> Result<bool, CelError> {
        let (left, right) = (self.elements(left.clone())?, self.elements(right.clone())?);
        if left.len() != right.len() {
            return Ok(false);
        }
        for (left, right) in left.iter().zip(&right) {
            if !self.same(left, right, below)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `right` has every member of `left`: with the same value if a depth is given, else of whatever value.
    #[inline(never)]
    fn has_all(&mut self, left: &Value<'a>, right: &Value<'a>, below: Option<usize>) -> Result<bool, CelError> {
        let mut all = Ok(true);
        self.range(left.clone(), &mut |scope, name| {
            all = scope.has_same(left, right, &name, below);
            all == Ok(true)
        })?;
        all
    }

    #[inline(never)]
    fn has_same(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
        name: &Value<'a>,
        below: Option<usize>,
    ) -> Result<bool, CelError> {
        let Value::Text(name) = name else { return Ok(false) };
        // Of members of one name the last counts on either side.
        match (self.member(left, name)?, self.member(right, name)?, below) {
            (_, Some(_), None) => Ok(true),
            (Some(left), Some(right), Some(below)) => self.same(&left, &right, below),
            _ => Ok(false),
        }
    }

    /// Whether a list has an element, or a map a name.
    #[inline(never)]
    pub(super) fn contains(&mut self, wanted: Value<'a>, holder: Value<'a>) -> Result<bool, CelError> {
        if let (Value::Map(_), Value::Text(name)) = (&holder, &wanted) {
            return Ok(self.member(&holder, name)?.is_some());
        }
        if let (Value::Map(_), Value::Bool(_) | Value::Int(_) | Value::Double(_)) = (&holder, &wanted) {
            return Ok(false);
        }
        if let Value::Map(_) = holder {
            return Err(CelError::new(&[wanted.kind(), " cannot be a name in a map"]));
        }
        let mut found = Ok(false);
        self.range(holder, &mut |scope, element| {
            found = scope.equal(&wanted, &element);
            found == Ok(false)
        })?;
        found
    }
}
