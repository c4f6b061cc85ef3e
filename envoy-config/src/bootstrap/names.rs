//! Names of clusters and listeners.

/// The listener that turns streams into TCP connections, and the cluster that leads to it.
pub(super) const LINK: &str = "weft_link";

/// The listener through which `http` hosts outside of the mesh are called, and the cluster that leads to it.
pub(super) const OUTSIDE: &str = "weft_outside";
/// The same for `https` hosts.
pub(super) const OUTSIDE_TLS: &str = "weft_outside_tls";

/// The cluster of the hosts that are called through one of the two.
pub(super) fn hosts(outside: &str) -> String {
    format!("{outside}_hosts")
}

/// The cluster of an application itself.
pub(super) fn app(id: &str) -> String {
    format!("weft_app_{id}")
}

/// The cluster that leads to the listener before an application.
pub(super) fn invoke(id: &str) -> String {
    format!("weft_invoke_{id}")
}

/// The listener before an application.
pub(super) fn inbound(id: &str) -> String {
    format!("weft_inbound_{id}")
}

/// The cluster whose health checks keep an application's pumps alive.
pub(super) fn itself(id: &str) -> String {
    format!("weft_self_{id}")
}

/// The cluster of what takes an application's spans.
pub(super) fn spans(id: &str) -> String {
    format!("weft_spans_{id}")
}

/// The cluster of a component's server. Its name stands in the path of a route, and a component may be called anything.
pub(super) fn backend(component: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name: String = component.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    format!("weft_tcp_{name}")
}
