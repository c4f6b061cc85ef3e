//! Who may call the application, and how its callers are told apart.

use crate::by_name::ByName;
use serde::Serialize;

/// Who may call the application, as `accessControl` of Dapr's `Configuration` says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessControl {
    /// What holds where no policy says otherwise. Absent: `deny` if there are policies, else `allow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<Action>,
    /// What single callers may do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// Paths that are not judged when they are read with `GET` or `HEAD`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<String>,
}

/// The outcome of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// The request goes on.
    Allow,
    /// The request is refused.
    Deny,
}

impl Action {
    /// The words of a configuration, in the order of the variants.
    pub(super) const WORDS: &'static [&'static str] = &["allow", "deny"];

    /// From its word.
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

/// What one caller may do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The caller's app id.
    pub app_id: String,
    /// The caller's namespace.
    pub namespace: String,
    /// The trust domain of the caller's certificate.
    pub trust_domain: String,
    /// What holds where no operation says otherwise. Absent: the default of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<Action>,
    /// Rules for single paths; what was read is in the order in which it is to be tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
}

/// A rule for the paths of one pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The path, encoded as in a URL. `*` stands for any part of one segment, `**` for any part of the path.
    pub name: String,
    /// Verbs; `*` for any. None: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http_verb: Vec<String>,
    /// What holds for them.
    pub action: Action,
}

/// How the application's callers are told apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Callers {
    /// What says who calls.
    pub identity: Identity,
    /// Which application runs under which service account, `<namespace>/<account>`. Empty: accounts are named as their
    /// applications.
    #[serde(skip_serializing_if = "ByName::is_empty")]
    pub service_accounts: ByName<String>,
}

/// What says who calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// The URI in the certificate of the connection's other end.
    #[default]
    Certificate,
    /// The last element of `x-forwarded-client-cert`, which a proxy between the two writes.
    ForwardedCertificate,
    /// `l5d-client-id`, which Linkerd's proxy writes.
    Linkerd,
    /// The caller's own filter in the same proxy. Only for listeners that nothing outside the proxy reaches.
    SameProxy,
}

impl Identity {
    /// The words of a configuration, in the order of the variants.
    pub(super) const WORDS: &'static [&'static str] = &["certificate", "forwardedCertificate", "linkerd", "sameProxy"];

    /// From its word; the first for any other.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "forwardedCertificate" => Self::ForwardedCertificate,
            "linkerd" => Self::Linkerd,
            "sameProxy" => Self::SameProxy,
            _ => Self::Certificate,
        }
    }
}
