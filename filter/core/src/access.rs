//! Who may call the application, and what (`dapr-api` 6.3): judged on the callee's side, by the caller that the mesh
//! has verified and by the path in the form that the application gets.

mod caller;
pub(crate) mod pattern;
#[cfg(test)]
mod tests;

pub use caller::Caller;

use crate::config::{AccessControl, Action, Operation, Policy};

impl AccessControl {
    /// Judges a request: who calls, if anybody knows, its verb, and its path without the query in the form that
    /// [`crate::api::path::method_path`] gives.
    #[inline(never)]
    pub fn judge(&self, caller: Option<&Caller<'_>>, verb: &str, path: &str) -> Action {
        let policy = caller.and_then(|caller| self.policies.iter().find(|policy| policy.is_for(caller)));
        let own = policy.and_then(|policy| policy.operation(verb, path).or(policy.default_action));
        let fallback = if self.policies.is_empty() { Action::Allow } else { Action::Deny };
        own.or(self.default_action).unwrap_or(fallback)
    }
}

impl Policy {
    fn is_for(&self, caller: &Caller<'_>) -> bool {
        self.app_id == caller.app_id
            && self.namespace == caller.namespace
            && caller.trust_domain.is_none_or(|domain| domain == self.trust_domain)
    }

    /// What the most specific pattern that fits says of a verb; the verb by its name goes before `*`. Rules of the same
    /// pattern are one.
    fn operation(&self, verb: &str, path: &str) -> Option<Action> {
        let first = self.operations.iter().find(|operation| pattern::fits(&operation.name, path))?;
        let alike = || self.operations.iter().filter(|other| other.name == first.name);
        let named = alike().find(|operation| operation.names(verb));
        named.or_else(|| alike().find(|operation| operation.names("*"))).map(|operation| operation.action)
    }
}

impl Operation {
    fn names(&self, verb: &str) -> bool {
        let is_any = self.http_verb.is_empty() && verb == "*";
        is_any || self.http_verb.iter().any(|known| known.eq_ignore_ascii_case(verb))
    }
}
