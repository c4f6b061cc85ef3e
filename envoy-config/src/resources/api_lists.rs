//! `api` of a `Configuration`.

use crate::yaml::Fields;
use weft_core::config::{ApiLists, ApiProtocol, ApiRule};

/// Reads it; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>) -> ApiLists {
    let allowed = fields.each("allowed").into_iter().filter_map(rule).collect();
    let denied = fields.each("denied").into_iter().filter_map(rule).collect();
    fields.finish();
    ApiLists { allowed, denied }
}

fn rule(mut fields: Fields<'_>) -> Option<ApiRule> {
    let name = word(&mut fields, "name", ApiRule::NAMES);
    let version = word(&mut fields, "version", ApiRule::VERSIONS);
    let protocol = word(&mut fields, "protocol", ApiProtocol::WORDS);
    fields.finish();
    let protocol = if protocol? == "grpc" { ApiProtocol::Grpc } else { ApiProtocol::Http };
    Some(ApiRule { name: name?, version: version?, protocol })
}

/// A word that has to be there and one of those known: a list with a slip of the pen would allow what it should not.
fn word(fields: &mut Fields<'_>, name: &'static str, known: &[&str]) -> Option<String> {
    let text = fields.required(name)?;
    if !known.contains(&text.value.as_str()) {
        fields.problem(&text.place, name, &format!("is {:?}; there are {}", text.value, known.join(", ")));
        return None;
    }
    Some(text.value)
}

#[cfg(test)]
mod tests {
    use crate::resources::tests::read;
    use serde_json::json;

    #[test]
    fn lists_of_apis_are_read_and_a_slip_of_the_pen_is_told() {
        let head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec:\n  api:\n";
        let good = "    allowed: [{name: state, version: v1.0, protocol: http}]\n    denied: [{name: invoke, version: v1, protocol: grpc}]\n";
        let (resources, found) = read(&format!("{head}{good}"));
        assert_eq!(found, [""; 0]);
        let allowed = json!([{"name": "state", "version": "v1.0", "protocol": "http"}]);
        let denied = json!([{"name": "invoke", "version": "v1", "protocol": "grpc"}]);
        let read_lists = serde_json::to_value(&resources.configurations[0].api).unwrap();
        assert_eq!(read_lists, json!({"allowed": allowed, "denied": denied}));
        let bad =
            "    denied:\n    - {name: states, version: v1.0, protocol: http}\n    - {name: state, version: v1.0}\n";
        let found = read(&format!("{head}{bad}")).1;
        assert!(
            found[0].starts_with(
                "r.yaml:7: Configuration \"c\": spec.api.denied[0].name is \"states\"; there are invoke, "
            )
        );
        assert_eq!(found[1], "r.yaml:8: Configuration \"c\": spec.api.denied[1].protocol is missing");
    }
}
