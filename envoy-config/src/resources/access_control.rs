//! `accessControl` of a `Configuration`.

use crate::yaml::Fields;
use weft_core::api::path;
use weft_core::config::{AccessControl, Action, Operation, Policy};

/// Reads it; what is wrong with it is told. One that says nothing controls nothing.
pub(super) fn read(mut fields: Fields<'_>) -> Option<AccessControl> {
    let default_action = action(&mut fields, "defaultAction");
    // The application's own, for daprd's certificate; here the mesh makes that.
    fields.text("trustDomain");
    let policies: Vec<Policy> = fields.each("policies").into_iter().filter_map(policy).collect();
    fields.finish();
    let says_nothing = default_action.is_none() && policies.is_empty();
    (!says_nothing).then(|| AccessControl { default_action, policies, probes: Vec::new() })
}

fn policy(mut fields: Fields<'_>) -> Option<Policy> {
    let (app_id, namespace) = (fields.required("appId"), fields.required("namespace"));
    let trust_domain = fields.required("trustDomain");
    let default_action = action(&mut fields, "defaultAction");
    let operations = fields.each("operations").into_iter().filter_map(operation).collect();
    fields.finish();
    Some(Policy {
        app_id: app_id?.value,
        namespace: namespace?.value,
        trust_domain: trust_domain?.value,
        default_action,
        operations,
    })
}

fn operation(mut fields: Fields<'_>) -> Option<Operation> {
    let name = fields.required("name");
    let http_verb = fields.texts("httpVerb").into_iter().map(|text| text.value).collect();
    // A rule without one would deny in daprd, against its documentation.
    let is_given = fields.required("action").is_some();
    let action = action(&mut fields, "action").filter(|_| is_given);
    fields.finish();
    // Dapr's names are not encoded.
    Some(Operation { name: path::encoded(&name?.value), http_verb, action: action? })
}

/// An action, by its word without regard to case; absent or empty for none.
fn action(fields: &mut Fields<'_>, name: &'static str) -> Option<Action> {
    let text = fields.text(name).filter(|text| !text.value.is_empty())?;
    match text.value.to_ascii_lowercase().as_str() {
        "allow" => Some(Action::Allow),
        "deny" => Some(Action::Deny),
        _ => {
            fields.problem(&text.place, name, &format!("is {:?}, which is neither allow nor deny", text.value));
            None
        }
    }
}
