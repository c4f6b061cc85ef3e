//! Who is called: the three ways to name an application, and where it is.

use super::url::Url;
use crate::api::path;
use crate::base64;
use crate::config::{PluginConfig, Target, is_label};
use crate::http::Headers;
use crate::placeholder::fill;
use std::borrow::Cow;

/// What a request says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<'a> {
    /// The id as written.
    pub app: Cow<'a, str>,
    /// The path in the application, still encoded.
    pub method: Cow<'a, str>,
}

/// Reads the target from the header `dapr-app-id`, then from basic credentials, then from
/// `/v1.0/invoke/<id>/method/<path>` (`dapr-api` 1.1). `path` is without its query.
#[inline(never)]
pub fn name_target<'a>(headers: &'a Headers, path: &'a str) -> Option<Named<'a>> {
    if let Some(app) = headers.get("dapr-app-id").filter(|app| !app.is_empty()) {
        // An id that is not UTF-8 is an id that cannot be, not no id.
        let app = std::str::from_utf8(app).unwrap_or("\u{fffd}");
        return Some(Named { app: Cow::Borrowed(app), method: Cow::Borrowed(path) });
    }
    if let Some(app) = headers.text("authorization").and_then(basic_app_id) {
        return Some(Named { app: Cow::Owned(app), method: Cow::Borrowed(path) });
    }
    match path::clean(path) {
        Cow::Borrowed(clean) => {
            let (app, method) = invoked(clean)?;
            Some(Named { app, method: Cow::Borrowed(method) })
        }
        Cow::Owned(clean) => {
            let (app, method) = invoked(&clean)?;
            Some(Named { app: Cow::Owned(app.into_owned()), method: Cow::Owned(method.to_owned()) })
        }
    }
}

/// Id and method of a cleaned path.
fn invoked(clean: &str) -> Option<(Cow<'_, str>, &str)> {
    const METHOD: &[u8] = b"/method/";
    let rest = clean.strip_prefix("/v1.0/invoke/")?;
    // Not `split_once`: the library's search for texts prepares more than it saves here.
    let (app, method) = match rest.as_bytes().windows(METHOD.len()).position(|part| part == METHOD) {
        Some(at) => (rest.get(..at)?, rest.get(at + METHOD.len()..)?),
        None => (rest.strip_suffix("/method")?, ""),
    };
    let app = path::decoded(app).filter(|app| !app.is_empty())?;
    Some((app, method))
}

/// The password of `Basic base64("dapr-app-id:<id>")`.
#[inline(never)]
fn basic_app_id(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64::decode(encoded.trim().as_bytes())?).ok()?;
    let (user, app) = text.split_once(':')?;
    let is_ours = user.eq_ignore_ascii_case("dapr-app-id") && !app.is_empty() && !app.contains(':');
    is_ours.then(|| app.to_owned())
}

/// Where an application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The id without its namespace.
    pub app_id: String,
    /// The cluster to send to, if the route chooses by header.
    pub cluster: Option<String>,
    /// The request's new authority.
    pub authority: String,
    /// The path in front of every method; empty for none.
    pub base: String,
    /// Whether it is no other application: the caller itself, or a host outside of the mesh. Neither is told who calls.
    pub is_direct: bool,
}

impl Destination {
    /// Finds an application by the id that a caller wrote: `name` or `name.namespace`.
    ///
    /// # Errors
    /// A text for `ERR_DIRECT_INVOKE` that names what is wrong and the setting that mends it.
    #[inline(never)]
    pub fn find(config: &PluginConfig, written: &str) -> Result<Self, String> {
        if let Some(url) = Url::read(written) {
            return Self::outside(config, url?);
        }
        if let Some(endpoint) = config.invoke.endpoints.get(written) {
            let target = Target { cluster: endpoint.cluster.clone(), authority: endpoint.authority.clone() };
            let base = endpoint.path.clone().unwrap_or_default();
            return Ok(Self { base, is_direct: true, ..Self::at("", target) });
        }
        let (app, namespace) = split_id(config, written)?;
        let is_own = app == config.app_id && namespace == config.namespace;
        if let (true, Some(own)) = (is_own, &config.app) {
            let target = Target { cluster: Some(own.cluster.clone()), authority: own.authority.clone() };
            return Ok(Self { is_direct: true, ..Self::at(app, target) });
        }
        let listed = config.invoke.apps.get(written);
        let listed = listed.or_else(|| config.invoke.apps.get(app).filter(|_| namespace == config.namespace));
        if let Some(target) = listed {
            return Ok(Self::at(app, target.clone()));
        }
        match &config.invoke.template {
            Some(template) => Ok(Self::at(app, filled(template, app, namespace))),
            None => Err(unknown(config, written)),
        }
    }

    fn at(app: &str, target: Target) -> Self {
        let Target { cluster, authority } = target;
        Self { app_id: app.to_owned(), cluster, authority, base: String::new(), is_direct: false }
    }

    /// A host outside of the mesh, if the configuration lets it be called.
    #[inline(never)]
    fn outside(config: &PluginConfig, url: Url<'_>) -> Result<Self, String> {
        let external = config.invoke.external.as_ref().filter(|external| url.is_allowed(external));
        let external = external.ok_or_else(|| url.refusal())?;
        let cluster = if url.is_secure { &external.https_cluster } else { &external.http_cluster };
        let target = Target { cluster: cluster.clone(), authority: url.authority.to_owned() };
        Ok(Self { base: url.base.to_owned(), is_direct: true, ..Self::at("", target) })
    }

    /// Whether the caller calls itself.
    pub fn is_own(&self) -> bool {
        // A host outside has no id.
        self.is_direct && !self.app_id.is_empty()
    }

    /// The whole path of a method, still encoded.
    pub fn method<'a>(&self, method: &'a str) -> Cow<'a, str> {
        if self.base.is_empty() { Cow::Borrowed(method) } else { Cow::Owned([&self.base, "/", method].concat()) }
    }
}

#[inline(never)]
fn filled(template: &Target, app: &str, namespace: &str) -> Target {
    let fill = |text: &str| fill(text, &[("app}", app), ("namespace}", namespace)]);
    Target { cluster: template.cluster.as_deref().map(fill), authority: fill(&template.authority) }
}

fn split_id<'a>(config: &'a PluginConfig, written: &'a str) -> Result<(&'a str, &'a str), String> {
    let (app, namespace) = written.split_once('.').unwrap_or((written, &config.namespace));
    if is_label(app) && is_label(namespace) {
        Ok((app, namespace))
    } else {
        Err("invalid app id: it must be <id> or <id>.<namespace>, of letters, digits, '-' and '_'".to_owned())
    }
}

#[inline(never)]
fn unknown(config: &PluginConfig, written: &str) -> String {
    let known = config.invoke.apps.iter().map(|(id, _)| id).take(20).collect::<Vec<_>>().join(", ");
    format!("no application {written} is known; the plugin configuration's invoke.apps has: {known}")
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_template_is_filled_at_every_place_and_nowhere_else() {
        for (text, filled) in [
            ("", ""),
            ("plain", "plain"),
            ("{app}", "a"),
            ("{app}.{namespace}.{app}", "a.n.a"),
            ("outbound|80||{app}.{namespace}.svc", "outbound|80||a.n.svc"),
            ("{{app}}{ap}{", "{a}{ap}{"),
        ] {
            assert_eq!(fill(text, &[("app}", "a"), ("namespace}", "n")]), filled, "{text}");
        }
    }
}
