//! Reads Dapr resources, writes Envoy configuration.
