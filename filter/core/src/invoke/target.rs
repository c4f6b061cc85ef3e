//! Who is called: the three ways to name an application, and where it is.

use crate::base64;
use crate::config::{PluginConfig, Target, is_label};
use crate::http::Headers;

/// What a request says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The id as written.
    pub app: String,
    /// The path in the application, still encoded.
    pub method: String,
}

/// Reads the target from the header `dapr-app-id`, then from basic credentials, then from
/// `/v1.0/invoke/<id>/method/<path>` (`dapr-api` 1.1). `path` is without its query.
#[inline(never)]
pub fn name_target(headers: &Headers, path: &str) -> Option<Named> {
    if let Some(app) = headers.text("dapr-app-id").filter(|app| !app.is_empty()) {
        return Some(Named { app: app.to_owned(), method: path.to_owned() });
    }
    if let Some(app) = headers.text("authorization").and_then(basic_app_id) {
        return Some(Named { app, method: path.to_owned() });
    }
    let clean = crate::api::path::clean(path);
    let rest = clean.strip_prefix("/v1.0/invoke/")?;
    let (app, method) = match rest.split_once("/method/") {
        Some(parts) => parts,
        None => (rest.strip_suffix("/method")?, ""),
    };
    let app = crate::api::path::parameter(app).filter(|app| !app.is_empty())?;
    Some(Named { app, method: method.to_owned() })
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
            return Ok(Self::at(app, namespace, target));
        }
        match &config.invoke.template {
            Some(template) => Ok(Self::at(app, namespace, template)),
            None => Err(unknown(config, written)),
        }
    }

    #[inline(never)]
    fn at(app: &str, namespace: &str, target: &Target) -> Self {
        let fill = |text: &str| text.replace("{app}", app).replace("{namespace}", namespace);
        Self {
            app_id: app.to_owned(),
            cluster: target.cluster.as_deref().map(fill),
            authority: fill(&target.authority),
            is_self: false,
        }
    }
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
    let known = config.invoke.apps.keys().map(String::as_str).take(20).collect::<Vec<_>>().join(", ");
    format!("no application {written} is known; the plugin configuration's invoke.apps has: {known}")
}
