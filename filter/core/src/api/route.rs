//! Which of Dapr's routes a request means.

use super::path;

/// A Dapr API that this module does not serve; it answers with Dapr's own error for "not configured".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnservedApi {
    /// `/v1.0/bindings/{name}`
    Bindings,
    /// `/v1.0/secrets/…`
    Secrets,
    /// `/v1.0/configuration/…`
    Configuration,
    /// `/v1.0-alpha1/lock/…` and `unlock`
    Lock,
    /// `/v1.0/actors/…`
    Actors,
    /// `/v1.0/jobs/…`
    Jobs,
    /// `/v1.0/workflows/…`
    Workflows,
    /// `/v1.0-alpha1/crypto/…` and `subtlecrypto`
    Crypto,
    /// `/v1.0-alpha1/conversation/…`
    Conversation,
    /// `POST /v1.0/shutdown`
    Shutdown,
    /// `PUT /v1.0/metadata/{key}`
    SetMetadata,
}

/// One of Dapr's HTTP routes, with its decoded parameters.
#[allow(missing_docs, reason = "the fields are the parameters that each path names")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /v1.0/state/{store}/{key}`
    StateGet { store: String, key: String },
    /// `DELETE /v1.0/state/{store}/{key}`
    StateDelete { store: String, key: String },
    /// `POST /v1.0/state/{store}`
    StateSave { store: String },
    /// `POST /v1.0/state/{store}/bulk`
    StateBulk { store: String },
    /// `POST /v1.0/state/{store}/transaction`
    StateTransaction { store: String },
    /// `POST /v1.0-alpha1/state/{store}/query`
    StateQuery { store: String },
    /// `POST /v1.0/publish/{pubsub}/{topic…}`
    Publish { pubsub: String, topic: String },
    /// `POST /v1.0/publish/bulk/{pubsub}/{topic…}`
    PublishBulk { pubsub: String, topic: String },
    /// `GET /v1.0/healthz`
    Healthz,
    /// `GET /v1.0/healthz/outbound`
    HealthzOutbound,
    /// `GET /v1.0/metadata`
    Metadata,
    /// An API that is not served.
    Unserved(UnservedApi, String),
    /// Everything else is an invocation.
    Invoke,
}

/// Finds the route of a request by its method and its cleaned, still encoded path. A known path with another
/// method is an invocation, as in daprd; so is a parameter that is not UTF-8.
pub fn route(method: &[u8], clean_path: &str) -> Route {
    find(method, clean_path).unwrap_or(Route::Invoke)
}

fn find(method: &[u8], clean_path: &str) -> Option<Route> {
    let (version, rest) = clean_path.strip_prefix('/')?.split_once('/')?;
    let (block, rest) = rest.split_once('/').unwrap_or((rest, ""));
    match version {
        "v1.0" => stable(method, block, rest).or_else(|| unserved(method, block, rest)),
        "v1.0-alpha1" => alpha(method, block, rest).or_else(|| unserved(method, block, rest)),
        "v1.0-beta1" | "v1.0-alpha2" => unserved(method, block, rest),
        _ => None,
    }
}

fn is_write(method: &[u8]) -> bool {
    matches!(method, b"POST" | b"PUT")
}

#[inline(never)]
fn stable(method: &[u8], block: &str, rest: &str) -> Option<Route> {
    match block {
        "state" => state(method, rest),
        "publish" if is_write(method) => publish(rest),
        "healthz" if method == b"GET" => match rest {
            "" => Some(Route::Healthz),
            "outbound" => Some(Route::HealthzOutbound),
            _ => None,
        },
        "metadata" if method == b"GET" && rest.is_empty() => Some(Route::Metadata),
        _ => None,
    }
}

fn state(method: &[u8], rest: &str) -> Option<Route> {
    let (store, key) = match rest.split_once('/') {
        Some((store, key)) => (path::parameter(store)?, Some(key)),
        None => (path::parameter(rest)?, None),
    };
    match (method, key) {
        (_, Some(key)) if key.contains('/') => None,
        (b"GET", Some(key)) => Some(Route::StateGet { store, key: path::parameter(key)? }),
        (b"DELETE", Some(key)) => Some(Route::StateDelete { store, key: path::parameter(key)? }),
        (b"POST" | b"PUT", None) if !store.is_empty() => Some(Route::StateSave { store }),
        (b"POST" | b"PUT", Some("bulk")) => Some(Route::StateBulk { store }),
        (b"POST" | b"PUT", Some("transaction")) => Some(Route::StateTransaction { store }),
        _ => None,
    }
}

fn publish(rest: &str) -> Option<Route> {
    if let Some(rest) = rest.strip_prefix("bulk/")
        && let Some((pubsub, topic)) = rest.split_once('/')
    {
        return Some(Route::PublishBulk { pubsub: path::parameter(pubsub)?, topic: path::parameter(topic)? });
    }
    let (pubsub, topic) = rest.split_once('/').unwrap_or((rest, ""));
    Some(Route::Publish { pubsub: path::parameter(pubsub)?, topic: path::parameter(topic)? })
}

#[inline(never)]
fn alpha(method: &[u8], block: &str, rest: &str) -> Option<Route> {
    if !is_write(method) {
        return None;
    }
    match block {
        "state" => {
            let store = rest.strip_suffix("/query").filter(|store| !store.contains('/'))?;
            Some(Route::StateQuery { store: path::parameter(store)? })
        }
        "publish" => match publish(rest)? {
            bulk @ Route::PublishBulk { .. } => Some(bulk),
            _ => None,
        },
        _ => None,
    }
}

#[inline(never)]
fn unserved(method: &[u8], block: &str, rest: &str) -> Option<Route> {
    let first = rest.split('/').next().unwrap_or("");
    let api = match (method, block) {
        (b"POST" | b"PUT", "bindings") => UnservedApi::Bindings,
        (b"GET", "secrets") => UnservedApi::Secrets,
        (b"GET", "configuration") => UnservedApi::Configuration,
        (b"POST", "lock" | "unlock") => UnservedApi::Lock,
        (b"POST" | b"PUT" | b"GET" | b"DELETE", "actors") => UnservedApi::Actors,
        (b"POST" | b"GET" | b"DELETE", "jobs") => UnservedApi::Jobs,
        (b"POST" | b"GET", "workflows") => UnservedApi::Workflows,
        (b"POST" | b"PUT", "crypto" | "subtlecrypto") => UnservedApi::Crypto,
        (b"POST", "conversation") => UnservedApi::Conversation,
        (b"POST", "shutdown") => UnservedApi::Shutdown,
        (b"PUT", "metadata") => UnservedApi::SetMetadata,
        _ => return None,
    };
    Some(Route::Unserved(api, path::parameter(first)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Route {
        route(b"GET", path)
    }

    #[test]
    fn state_routes_are_told_apart_by_method_and_depth() {
        assert_eq!(get("/v1.0/state/s/k"), Route::StateGet { store: "s".into(), key: "k".into() });
        assert_eq!(get("/v1.0/state/s/bulk"), Route::StateGet { store: "s".into(), key: "bulk".into() });
        assert_eq!(route(b"PUT", "/v1.0/state/s/bulk"), Route::StateBulk { store: "s".into() });
        assert_eq!(route(b"POST", "/v1.0/state/s"), Route::StateSave { store: "s".into() });
        assert_eq!(route(b"PATCH", "/v1.0/state/s"), Route::Invoke);
        assert_eq!(get("/v1.0/state/a+b/c%2Fd"), Route::StateGet { store: "a b".into(), key: "c/d".into() });
        assert_eq!(route(b"POST", "/v1.0-alpha1/state/s/query"), Route::StateQuery { store: "s".into() });
    }

    #[test]
    fn a_topic_may_hold_slashes_and_bulk_is_a_word_of_the_path() {
        assert_eq!(route(b"POST", "/v1.0/publish/p/a/b"), Route::Publish { pubsub: "p".into(), topic: "a/b".into() });
        assert_eq!(
            route(b"POST", "/v1.0/publish/bulk/p/t"),
            Route::PublishBulk { pubsub: "p".into(), topic: "t".into() }
        );
        assert_eq!(route(b"POST", "/v1.0/publish/p"), Route::Publish { pubsub: "p".into(), topic: String::new() });
        assert_eq!(route(b"POST", "/v1.0/publish/bulk/p"), Route::Publish { pubsub: "bulk".into(), topic: "p".into() });
    }

    #[test]
    fn what_is_not_a_route_is_an_invocation() {
        assert_eq!(get("/v1.0/invoke/a/method/b"), Route::Invoke);
        assert_eq!(get("/anything"), Route::Invoke);
        assert_eq!(get("/v1.0/nothing"), Route::Invoke);
        assert_eq!(route(b"POST", "/v1.0/healthz"), Route::Invoke);
        assert_eq!(get("/v1.0/state/s/%ff"), Route::Invoke);
    }

    #[test]
    fn every_unserved_block_is_named() {
        assert_eq!(get("/v1.0/secrets/vault/k"), Route::Unserved(UnservedApi::Secrets, "vault".into()));
        assert_eq!(route(b"POST", "/v1.0-alpha1/lock/l"), Route::Unserved(UnservedApi::Lock, "l".into()));
        assert_eq!(
            route(b"POST", "/v1.0-beta1/workflows/dapr/w/start"),
            Route::Unserved(UnservedApi::Workflows, "dapr".into())
        );
    }
}
