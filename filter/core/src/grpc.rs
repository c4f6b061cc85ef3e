//! gRPC as the filter meets it: which requests are gRPC, which services are Dapr's own, how a call is refused.

use crate::http::Headers;

/// A status other than OK, by gRPC's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcStatus {
    /// No better one fits; what daprd's proxy gives.
    Unknown = 2,
    /// The request cannot be right, whatever the state of anything.
    InvalidArgument = 3,
    /// The method is not served.
    Unimplemented = 12,
    /// Nobody can be asked now.
    Unavailable = 14,
    /// The caller has not shown who it is.
    Unauthenticated = 16,
}

/// The answer to a gRPC call that does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `grpc-status`.
    pub status: GrpcStatus,
    /// `grpc-message`.
    pub message: String,
}

/// Services that daprd serves itself, whatever the metadata says.
const OWN: &[&str] = &["/dapr.proto.runtime.v1.Dapr/", "/TaskHubSidecarService/"];

/// What daprd serves itself where the metadata names no application.
const REFLECTION: &str = "/grpc.reflection.";

/// Whether a request is gRPC, by the proxy's own rule: to any other, `application/grpc-web` too, it would give a gRPC
/// error as a plain 200.
pub fn is_grpc(headers: &Headers) -> bool {
    let rest = headers.get("content-type").and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

/// The application that a call is for (`dapr-api` 1.7).
///
/// # Errors
/// `UNIMPLEMENTED` for Dapr's own services, and daprd's `UNKNOWN`, which SDKs know by its text, for others without an
/// id.
#[inline(never)]
pub fn target<'a>(headers: &'a Headers, path: &str) -> Result<&'a str, Refusal> {
    let id =
        ["dapr-callee-app-id", "dapr-app-id"].iter().find_map(|name| headers.text(name).filter(|id| !id.is_empty()));
    let is_own = OWN.iter().any(|service| path.starts_with(service));
    match id {
        Some(id) if !is_own => Ok(id),
        None if !is_own && !path.starts_with(REFLECTION) => {
            let message = "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found";
            Err(Refusal { status: GrpcStatus::Unknown, message: message.to_owned() })
        }
        _ => {
            let message = ["method ", path, " is not served by this version of Weft"].concat();
            Err(Refusal { status: GrpcStatus::Unimplemented, message })
        }
    }
}

/// The call's `baggage` is not as it should be.
pub fn malformed_baggage() -> Refusal {
    Refusal { status: GrpcStatus::InvalidArgument, message: "invalid baggage header".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callees_id_goes_before_the_applications() {
        let headers = Headers::new().with("dapr-app-id", "a").with("dapr-callee-app-id", "b");
        assert_eq!(target(&headers, "/pkg.Service/Method"), Ok("b"));
        assert_eq!(target(&Headers::new().with("dapr-app-id", "a"), "/pkg.Service/Method"), Ok("a"));
    }

    #[test]
    fn daprs_own_services_are_never_proxied() {
        let headers = Headers::new().with("dapr-app-id", "a");
        for path in ["/dapr.proto.runtime.v1.Dapr/GetState", "/TaskHubSidecarService/Hello"] {
            let refused = target(&headers, path).unwrap_err();
            assert_eq!(refused.status, GrpcStatus::Unimplemented);
            assert!(refused.message.contains(path), "{}", refused.message);
        }
        // The callback of an application is an application's.
        assert_eq!(target(&headers, "/dapr.proto.runtime.v1.AppCallback/OnInvoke"), Ok("a"));
    }

    #[test]
    fn reflection_is_the_applications_where_one_is_named() {
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert_eq!(target(&Headers::new().with("dapr-app-id", "a"), path), Ok("a"));
        assert_eq!(target(&Headers::new(), path).unwrap_err().status, GrpcStatus::Unimplemented);
    }
}
