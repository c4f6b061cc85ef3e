//! Hosts outside of the mesh that applications may call by URL. Names are resolved when they are called, and what they
//! resolve to is judged before a connection is made: a listed name must not lead to the inside.
//!
//! Envoy's filters judge one address of a host, and where its name has several, Envoy tries the others too. So for `http`
//! each name that is called gets a cluster in which each address is a host of its own, judged when it is chosen (from
//! Envoy 1.40 on). For `https` that cannot be: Envoy would take the cluster of a name and port for both schemes. There
//! the first address is judged, and a host at another would need a certificate for the name to get a request.

use super::{clusters, names};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use weft_core::config::External;

const CLUSTER: &str = "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
const CODEC: &str = "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
const FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const MATCHER: &str = "type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const PREVIOUS: &str = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// Addresses that no name may lead to unless they are listed: private, link-local, loopback, and what no host has.
const INSIDE: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "::/127",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// How many names are known at a time; one that nobody calls is forgotten after five minutes. Measured, each takes Envoy
/// 60 KiB.
const MAX_NAMES: u32 = 256;
/// Servers often listen on such addresses only.
const FAMILY: &str = "V4_PREFERRED";

/// What applications may call by URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Names or addresses; one that begins with a dot stands for all names that end so. None: nothing may be called.
    pub hosts: Vec<String>,
    /// Private, link-local and loopback addresses that names may lead to.
    pub addresses: Vec<Range>,
    /// The file of the authorities one of which has to have signed the certificates of `https` hosts. Without it there
    /// is no way to them.
    pub authorities: Option<PathBuf>,
}

/// A range of addresses, written `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    length: u8,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address and no range such as 10.0.0.0/8");
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(longest), str::parse).ok().filter(|length| *length <= longest);
        Ok(Self { address, length: length.ok_or_else(wrong)? })
    }
}

impl Outside {
    fn is_none(&self) -> bool {
        self.hosts.is_empty()
    }

    /// For the plugin configuration.
    pub(super) fn external(&self) -> Option<External> {
        let https_cluster = self.authorities.is_some().then(|| names::OUTSIDE_TLS.to_owned());
        let external =
            External { hosts: self.hosts.clone(), http_cluster: Some(names::OUTSIDE.to_owned()), https_cluster };
        (!self.is_none()).then_some(external)
    }

    /// The listeners of the internal hop, one for each scheme. Other calls do not pay for it.
    pub(super) fn listeners(&self) -> Vec<Value> {
        self.schemes().into_iter().map(|scheme| self.listener(scheme)).collect()
    }

    /// The clusters that lead to those listeners and from them to the hosts.
    pub(super) fn clusters(&self) -> Vec<Value> {
        let of = |name: &&'static str| [clusters::internal(name, name), self.hosts_of(name)];
        self.schemes().iter().flat_map(of).collect()
    }

    fn schemes(&self) -> Vec<&'static str> {
        let secure = self.authorities.as_ref().map(|_| names::OUTSIDE_TLS);
        if self.is_none() { Vec::new() } else { std::iter::once(names::OUTSIDE).chain(secure).collect() }
    }

    fn listener(&self, name: &str) -> Value {
        let router = json!({"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": true}});
        let mut filters = self.filters(name);
        filters.push(router);
        let manager = json!({
            "@type": HCM,
            "stat_prefix": name,
            "generate_request_id": false,
            "stream_idle_timeout": "0s",
            "http_filters": filters,
            "route_config": {"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": route(name)},
            ]}]},
            "local_reply_config": {"mappers": [
                reply(&status("EQ", 403), "its address is private, link-local or loopback, and is not listed as one that may be called"),
                reply(&no_host(), "its name has no address that is known (%RESPONSE_CODE_DETAILS%)"),
                reply(&status("GE", 400), "the proxy could not get an answer (%RESPONSE_CODE_DETAILS%)"),
            ]},
        });
        let chain = json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager});
        json!({"name": name, "internal_listener": {}, "filter_chains": [{"filters": [chain]}]})
    }

    /// What a request meets before it goes to its host.
    fn filters(&self, name: &str) -> Vec<Value> {
        let resolve =
            |config: Value| json!({"name": "envoy.filters.http.dynamic_forward_proxy", "typed_config": config});
        if name == names::OUTSIDE_TLS {
            let config = json!({"@type": FILTER, "dns_cache_config": cache(), "save_upstream_address": true});
            return vec![resolve(config), json!({"name": "envoy.filters.http.rbac", "typed_config": self.judge()})];
        }
        vec![resolve(json!({"@type": FILTER, "sub_cluster_config": {"cluster_init_timeout": "5s"}}))]
    }

    /// Refuses a request whose host has an address that is not to be called.
    fn judge(&self) -> Value {
        json!({"@type": RBAC, "rules": {"action": "DENY", "policies": {"inside": {
            "permissions": [self.inside()],
            "principals": [{"any": true}],
        }}}})
    }

    /// Whether a request's host has an address that is not to be called.
    fn inside(&self) -> Value {
        let inside = any(INSIDE.iter().filter_map(|range| range.parse().ok()));
        if self.addresses.is_empty() {
            return inside;
        }
        json!({"and_rules": {"rules": [inside, {"not_rule": any(self.addresses.iter().copied())}]}})
    }

    fn hosts_of(&self, name: &str) -> Value {
        if name == names::OUTSIDE_TLS { self.secure_hosts(name) } else { self.plain_hosts(name) }
    }

    /// What the clusters of the names are made after.
    fn plain_hosts(&self, name: &str) -> Value {
        let clusters = json!({"lb_policy": "ROUND_ROBIN", "max_sub_clusters": MAX_NAMES, "sub_cluster_ttl": "300s"});
        let filters = json!([
            {"name": "envoy.filters.http.upstream_rbac", "typed_config": self.judge()},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": CODEC}},
        ]);
        let mut cluster = hosts(name, &json!({"@type": CLUSTER, "sub_clusters_config": clusters}), Some(filters));
        if let Some(members) = cluster.as_object_mut() {
            members.insert("dns_lookup_family".to_owned(), json!(FAMILY));
        }
        cluster
    }

    fn secure_hosts(&self, name: &str) -> Value {
        let mut cluster = hosts(name, &json!({"@type": CLUSTER, "dns_cache_config": cache()}), None);
        let common = json!({"validation_context": {"trusted_ca": {"filename": self.authorities}}});
        let context = json!({"@type": TLS, "common_tls_context": common});
        if let Some(members) = cluster.as_object_mut() {
            let socket = json!({"name": "envoy.transport_sockets.tls", "typed_config": context});
            members.insert("transport_socket".to_owned(), socket);
        }
        cluster
    }
}

/// The cluster of the hosts, which finds them by this configuration.
fn hosts(name: &str, kind: &Value, filters: Option<Value>) -> Value {
    // A certificate has to name the host that is called; Envoy wants that said without TLS too.
    let mut options = json!({
        "@type": OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "upstream_http_protocol_options": {"auto_sni": true, "auto_san_validation": true},
    });
    if let (Some(members), Some(filters)) = (options.as_object_mut(), filters) {
        members.insert("http_filters".to_owned(), filters);
    }
    json!({
        "name": names::hosts(name),
        "connect_timeout": "5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": kind},
        "typed_extension_protocol_options": {OPTIONS_NAME: options},
    })
}

fn route(name: &str) -> Value {
    let mut route = json!({"cluster": names::hosts(name), "timeout": "0s"});
    if let (Some(members), true) = (route.as_object_mut(), name == names::OUTSIDE) {
        // Where no connection was made no request has gone anywhere, and the name's other address may be better.
        let policy = json!({
            "retry_on": "connect-failure",
            "num_retries": 2,
            "retry_host_predicate": [{"name": "previous_hosts", "typed_config": {"@type": PREVIOUS}}],
            "host_selection_retry_max_attempts": 5,
        });
        members.insert("retry_policy".to_owned(), policy);
    }
    route
}

const OPTIONS_NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

fn cache() -> Value {
    json!({"name": names::OUTSIDE_TLS, "dns_lookup_family": FAMILY})
}

fn any(ranges: impl Iterator<Item = Range>) -> Value {
    let rule = |range: Range| {
        let prefix = json!({"address_prefix": range.address, "prefix_len": range.length});
        let matcher = json!({"@type": MATCHER, "upstream_ip": prefix});
        json!({"matcher": {"name": "envoy.rbac.matchers.upstream.upstream_ip_port", "typed_config": matcher}})
    };
    json!({"or_rules": {"rules": ranges.map(rule).collect::<Vec<_>>()}})
}

fn status(comparison: &str, status: u16) -> Value {
    let value = json!({"default_value": status, "runtime_key": "weft.not_used"});
    json!({"status_code_filter": {"comparison": {"op": comparison, "value": value}}})
}

fn no_host() -> Value {
    json!({"response_flag_filter": {"flags": ["UH", "DF"]}})
}

/// Dapr's error in place of an answer that this hop made up.
fn reply(of: &Value, why: &str) -> Value {
    json!({
        "filter": of,
        "status_code": 500,
        "body_format_override": {"json_format": {
            "errorCode": "ERR_DIRECT_INVOKE",
            "message": format!("failed to invoke, id: %REQ(:authority)%, err: {why}"),
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_addresses_with_or_without_a_length() {
        let text = |text: &str| text.parse::<Range>().map(|it| format!("{}/{}", it.address, it.length));
        assert_eq!(text("10.0.0.0/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(text("::1").as_deref(), Ok("::1/128"));
        for wrong in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "host/8", "::1/129"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
        assert!(INSIDE.iter().all(|range| range.parse::<Range>().is_ok()));
    }

    #[test]
    fn without_hosts_there_is_no_way_out() {
        let none = Outside { authorities: Some("ca.pem".into()), ..Outside::default() };
        assert_eq!((none.external(), none.listeners(), none.clusters()), (None, vec![], vec![]));
    }

    #[test]
    fn without_authorities_there_is_no_way_by_tls() {
        let plain = Outside { hosts: vec!["a.example".to_owned()], ..Outside::default() };
        assert_eq!((plain.listeners().len(), plain.external().and_then(|it| it.https_cluster)), (1, None));
    }
}
