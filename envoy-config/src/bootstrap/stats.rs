//! Envoy's statistics: what makes labels of the names of the filter's own, and the limits of its histograms' buckets.

use serde_json::{Value, json};

/// The labels of the filter's metrics, as Prometheus shows them. In Istio they stand in `extraStatTags`.
pub const LABELS: [&str; 8] =
    ["app_id", "component", "namespace", "topic", "operation", "success", "process_status", "status"];

/// daprd's, in milliseconds.
const BUCKETS: [u32; 34] = [
    1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800,
    1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
];

/// The bootstrap's `stats_config`.
pub(super) fn config() -> Value {
    json!({
        "stats_tags": LABELS.map(tag),
        "histogram_bucket_settings": [{"match": {"contains": "dapr_component_"}, "buckets": BUCKETS.as_slice()}],
    })
}

/// Names of a filter's statistics begin with `wasmcustom`; of all others Envoy sees by the expression's beginning that
/// they cannot have the label.
fn tag(label: &str) -> Value {
    json!({"tag_name": label, "regex": format!(r"^wasmcustom\..*?({label}=\.=(.*?);\.;)")})
}
