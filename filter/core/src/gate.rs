//! Who may use an application's Dapr API, and which parts of it: the API token (`dapr-api` 6.1) and the lists of allowed
//! and denied APIs (6.4). Asked before anything else is done with a request.

use crate::config::{ApiLists, ApiProtocol, EnvironmentSource, PluginConfig, Problem, Secret, TOKEN_HEADER};
use crate::grpc::{GrpcStatus, Refusal};
use crate::host::Host;
use crate::http::{Headers, Reply};
use std::hint::black_box;

/// What a configuration demands of every request.
#[derive(Clone, Default)]
pub struct Gate {
    /// Empty for none.
    token: Secret,
    lists: ApiLists,
}

// Not derived: the token must never reach a log.
impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("lists", &self.lists).finish_non_exhaustive()
    }
}

/// Why a request has no right token, in Dapr's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// There is none.
    Missing,
    /// There is another one.
    Wrong,
}

impl BadToken {
    /// What a gRPC call is told.
    pub fn message(self) -> &'static str {
        match self {
            Self::Missing => "missing api token in request metadata",
            Self::Wrong => "authentication error: api token mismatch",
        }
    }

    /// What an HTTP request is told.
    pub fn reply(self) -> Reply {
        let headers = Headers::new().with("content-type", "text/plain");
        Reply { status: 401, headers, body: b"invalid api token".to_vec() }
    }
}

impl Gate {
    /// For a configuration. Its tokens come from the proxy's environment, the one for the application too, which is put into
    /// its place. One that the environment does not have is a problem: nobody is let in for want of a token.
    #[inline(never)]
    pub fn new(config: &mut PluginConfig, host: &dyn Host, problems: &mut Vec<Problem>) -> Self {
        let token = of_environment("$.apiToken.env", config.api_token.as_ref(), host, problems);
        if let Some(app) = &mut config.app {
            app.token = of_environment("$.app.apiToken.env", app.api_token.as_ref(), host, problems);
        }
        Self { token, lists: config.api.clone() }
    }

    /// Whether a request brings the token, if one is demanded. Takes as long for every token of one length.
    ///
    /// # Errors
    /// What is wrong with the token.
    #[inline(never)]
    pub fn check(&self, headers: &Headers) -> Result<(), BadToken> {
        let Secret(token) = &self.token;
        if token.is_empty() {
            return Ok(());
        }
        let given = headers.get(TOKEN_HEADER).filter(|given| !given.is_empty()).ok_or(BadToken::Missing)?;
        if is_same(given, token.as_bytes()) { Ok(()) } else { Err(BadToken::Wrong) }
    }

    /// The same for a gRPC call of an application, and whether such calls are offered.
    ///
    /// # Errors
    /// The answer to one that may not go on.
    #[inline(never)]
    pub fn check_call(&self, headers: &Headers) -> Result<(), Refusal> {
        let refuse = |status, message: &str| Err(Refusal { status, message: message.to_owned() });
        match self.check(headers) {
            Err(bad) => refuse(GrpcStatus::Unauthenticated, bad.message()),
            Ok(()) if self.offers(ApiProtocol::Grpc, "invoke", "v1") => Ok(()),
            Ok(()) => refuse(GrpcStatus::Unimplemented, "requested endpoint is not available"),
        }
    }

    /// Whether an API of Dapr is offered, such as `state` in the version `v1.0`.
    #[inline(never)]
    pub fn offers(&self, protocol: ApiProtocol, name: &str, version: &str) -> bool {
        let mut allowed = self.lists.allowed.iter().filter(|rule| rule.protocol == protocol).peekable();
        let is_named = |rule: &crate::config::ApiRule| rule.name == name && rule.version == version;
        let is_denied = self.lists.denied.iter().any(|rule| rule.protocol == protocol && is_named(rule));
        !is_denied && (allowed.peek().is_none() || allowed.any(is_named))
    }

    /// The same for the cleaned path of an HTTP request.
    pub fn offers_path(&self, clean_path: &str) -> bool {
        if self.lists.allowed.is_empty() && self.lists.denied.is_empty() {
            return true;
        }
        let mut parts = clean_path.split('/').skip(1);
        let (version, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        name == "healthz" || self.offers(ApiProtocol::Http, name, version)
    }
}

#[inline(never)]
fn of_environment(
    path: &str,
    source: Option<&EnvironmentSource>,
    host: &dyn Host,
    problems: &mut Vec<Problem>,
) -> Secret {
    let Some(EnvironmentSource { env }) = source else { return Secret::default() };
    let token = host.environment(env).unwrap_or_default();
    if token.is_empty() {
        let what = [env, " is not set in the environment of the filter"].concat();
        let remedy = "set it for Envoy, and name it in the plugin's vm_config.environment_variables.host_env_keys";
        problems.push(Problem::new(path, what, remedy));
    }
    Secret(token)
}

fn is_same(given: &[u8], token: &[u8]) -> bool {
    let differences = given.iter().zip(token).fold(0, |seen, (one, other)| black_box(seen | (one ^ other)));
    given.len() == token.len() && black_box(differences) == 0
}

#[cfg(test)]
mod tests;
