//! Who is called: the three ways to name an application, and where it is.

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
    /// Whether the caller calls itself; its own proxy then adds no caller headers.
    pub is_self: bool,
}

impl Destination {
    /// Finds an application by the id that a caller wrote: `name` or `name.namespace`.
    ///
    /// # Errors
    /// A text for `ERR_DIRECT_INVOKE` that names what is wrong and the setting that mends it.
    #[inline(never)]
    pub fn find(config: &PluginConfig, written: &str) -> Result<Self, String> {
        let (app, namespace) = split_id(config, written)?;
        let is_own = app == config.app_id && namespace == config.namespace;
        if let (true, Some(own)) = (is_own, &config.app) {
            let cluster = Some(own.cluster.clone());
            return Ok(Self { app_id: app.to_owned(), cluster, authority: own.authority.clone(), is_self: true });
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
        Self { app_id: app.to_owned(), cluster: target.cluster, authority: target.authority, is_self: false }
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
