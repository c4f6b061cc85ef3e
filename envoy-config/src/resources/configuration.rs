//! `kind: Configuration`.

use super::{Head, Otel, access_control, api_lists, head, otel};
use crate::problem::Place;
use crate::yaml::Fields;
use weft_core::config::{AccessControl, ApiLists, Tracing};

/// A configuration as it was written. Of all that Dapr's has, this release knows traces, which APIs are offered and who
/// may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// Its traces.
    pub tracing: Tracing,
    /// What takes its spans.
    pub otel: Option<Otel>,
    /// Which of Dapr's APIs are offered.
    pub api: ApiLists,
    /// Who may call.
    pub access_control: Option<AccessControl>,
    /// Where it is.
    pub place: Place,
    /// Where its sampling rate is.
    pub sampling: Place,
    /// Where it says who may call.
    pub access: Place,
}

/// Reads one; what is wrong with it is told.
pub(super) fn read(mut fields: Fields<'_>) -> Option<Configuration> {
    let Head { name, place, .. } = head(&mut fields, "Configuration");
    let spec = fields.fields("spec");
    fields.finish();
    let (sampling, access) = (place.clone(), place.clone());
    let mut configuration = Configuration {
        name,
        tracing: Tracing::default(),
        otel: None,
        api: ApiLists::default(),
        access_control: None,
        place,
        sampling,
        access,
    };
    let Some(mut spec) = spec else { return Some(configuration) };
    if let Some(tracing) = spec.fields("tracing") {
        read_tracing(tracing, &mut configuration);
    }
    if let Some(access) = spec.fields("accessControl") {
        configuration.access = access.place();
        configuration.access_control = access_control::read(access);
    }
    if let Some(api) = spec.fields("api") {
        configuration.api = api_lists::read(api);
    }
    refuse(&mut spec);
    spec.finish();
    Some(configuration)
}

fn read_tracing(mut fields: Fields<'_>, configuration: &mut Configuration) {
    if let Some(rate) = fields.text("samplingRate") {
        configuration.tracing.sampling_rate = rate.value;
        configuration.sampling = rate.place;
    }
    configuration.otel = fields.fields("otel").and_then(otel::read);
    fields.refuse("stdout", Some("false"), "spans go to a collector; name it by otel");
    fields.refuse("zipkin", None, "spans go by OpenTelemetry's protocol; name by otel a collector that passes them on");
    fields.finish();
}

/// What the proxy or the mesh does in daprd's place, and what comes with a later release.
fn refuse(spec: &mut Fields<'_>) {
    if let Some(mut mtls) = spec.fields("mtls") {
        mtls.refuse("enabled", Some("false"), "mutual TLS is the mesh's");
        for detail in
            ["allowedClockSkew", "workloadCertTTL", "sentryAddress", "controlPlaneTrustDomain", "tokenValidators"]
        {
            mtls.node(detail);
        }
        mtls.finish();
    }
    for name in ["metric", "metrics"] {
        if let Some(mut metrics) = spec.fields(name) {
            metrics.refuse("enabled", Some("true"), "the proxy's statistics are always there");
            metrics.refuse("http", None, "use Envoy's statistics");
            metrics.refuse("rules", None, "use Envoy's statistics");
            metrics.refuse("latencyDistributionBuckets", None, "use Envoy's statistics");
            metrics.refuse("recordErrorCodes", Some("false"), "use Envoy's statistics");
            metrics.finish();
        }
    }
    spec.refuse("httpPipeline", None, "use Envoy's filters");
    spec.refuse("appHttpPipeline", None, "use Envoy's filters");
    spec.refuse("nameResolution", None, "the proxy's clusters say where applications are");
    spec.refuse("features", None, "they are daprd's");
    for later in ["secrets", "components", "logging", "wasm", "workflow"] {
        spec.refuse(later, None, "not by this release; remove it");
    }
}
